//! A person who signs in.

use time::OffsetDateTime;
use zxcvbn::{Score, zxcvbn};

use super::AccountId;
use super::text::Invalid;

/// The longest password that is hashed, in bytes: more would only cost the server time.
pub const PASSWORD_MAX_BYTES: usize = 1024;
/// The shortest password that is taken, in bytes.
pub const PASSWORD_MIN_BYTES: usize = 12;

/// So much of a password is judged.
const JUDGED_CHARS: usize = 100;

/// A person who signs in, with a password or through a provider.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account's id.
    pub id: AccountId,
    /// Its e-mail address, in lower case.
    pub email: String,
    /// What others see.
    pub name: String,
    /// Whether it runs the server.
    pub is_admin: bool,
    /// When it signed up.
    pub created_at: OffsetDateTime,
}

/// An e-mail address as it is stored: trimmed, in lower case, with one `@` and something on both sides.
///
/// Whether mail reaches it can only be found out by sending some.
pub fn normalize_email(text: &str) -> Result<String, Invalid> {
    let email = text.trim().to_lowercase();
    let well_formed = email.len() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && matches!(email.split_once('@'), Some((local, domain))
            if !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if well_formed { Ok(email) } else { Err(Invalid("Enter an e-mail address such as ada@example.org.")) }
}

/// Checks a new password's length; its bytes are taken as they are.
pub fn check_password(password: &str) -> Result<(), Invalid> {
    match password.len() {
        ..PASSWORD_MIN_BYTES => Err(Invalid("Use a password of at least 12 characters.")),
        PASSWORD_MIN_BYTES..=PASSWORD_MAX_BYTES => Ok(()),
        _ => Err(Invalid("Use a password of at most 1024 bytes.")),
    }
}

/// Checks a new password: its length, and whether guessing programs would find it soon. `known` are
/// words that whoever guesses knows too, such as the address.
pub fn check_new_password(password: &str, known: &[&str]) -> Result<(), Invalid> {
    check_password(password)?;
    // Longer ones are judged by their beginning; judging takes time that grows with the length.
    let beginning: String = password.chars().take(JUDGED_CHARS).collect();
    if zxcvbn(&beginning, known).score() >= Score::Three {
        Ok(())
    } else {
        Err(Invalid("This password is easy to guess. Use a longer one, such as a few unrelated words."))
    }
}

/// A name to show when none was given: what stands before the `@`.
pub fn name_from_email(email: &str) -> String {
    email.split('@').next().unwrap_or(email).chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_is_trimmed_and_lowered() {
        assert_eq!(normalize_email("  Ada@Example.ORG ").unwrap(), "ada@example.org");
    }

    #[test]
    fn what_can_be_no_email_is_refused() {
        for text in ["", "ada", "@example.org", "ada@", "a b@example.org", "a@b@c", "a\n@b.c"] {
            assert!(normalize_email(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_password_that_is_soon_guessed_is_refused() {
        for password in ["password1234", "aaaaaaaaaaaa", "qwertyuiop12", "ada@example.org", "123456789012"] {
            assert!(check_new_password(password, &["ada@example.org", "Ada"]).is_err(), "{password}");
        }
        for password in ["correct horse battery", "Tr0ub4dour&3-lattice", &"unrelated words of some length ".repeat(20)]
        {
            assert!(check_new_password(password, &["ada@example.org"]).is_ok(), "{password}");
        }
    }

    #[test]
    fn a_password_has_twelve_bytes_to_a_kibibyte() {
        assert!(check_password("eleven char").is_err());
        assert!(check_password("twelve chars").is_ok());
        assert!(check_password(&"x".repeat(1024)).is_ok());
        assert!(check_password(&"x".repeat(1025)).is_err());
    }
}
