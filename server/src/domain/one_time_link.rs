//! Links that work once, and prove that their reader has read a certain mail.

use time::Duration;

use super::secret_token::random_base62;

/// 256 bits.
const RANDOM_CHARS: usize = 43;

/// What a link is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Finishes a sign-up: the address is proved, the password is chosen behind the link.
    SignUp,
    /// Chooses a new password.
    PasswordReset,
    /// Moves an account to a new address, which the link was sent to.
    EmailChange,
}

impl Purpose {
    /// The purpose as it is written in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::PasswordReset => "password_reset",
            Self::EmailChange => "email_change",
        }
    }

    /// How long such a link works.
    pub const fn lifetime(self) -> Duration {
        match self {
            Self::SignUp => Duration::hours(24),
            Self::PasswordReset | Self::EmailChange => Duration::minutes(30),
        }
    }

    /// What such a link's token begins with, for scanners of leaked secrets.
    const fn prefix(self) -> &'static str {
        match self {
            Self::SignUp | Self::EmailChange => "trv_",
            Self::PasswordReset => "trr_",
        }
    }

    /// A new token for such a link.
    pub fn generate(self) -> Result<String, getrandom::Error> {
        generate(self.prefix())
    }
}

/// A new token: `prefix` and 256 bits from the system's random source.
pub fn generate(prefix: &str) -> Result<String, getrandom::Error> {
    Ok(format!("{prefix}{}", random_base62(RANDOM_CHARS)?))
}
