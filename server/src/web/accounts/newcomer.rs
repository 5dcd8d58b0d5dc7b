//! The form for a new account: what a newcomer types, and what is wrong with it.

use crate::domain::account::{check_new_password, normalize_email};
use crate::domain::text::{Invalid, normalize_name};

/// The form for a new account. The password does not come back.
#[derive(Clone, Debug, Default)]
pub struct Newcomer {
    /// What others will see.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Whether the address is given, and can't be another one.
    pub is_email_fixed: bool,
    /// Whether the password is chosen in this form.
    pub asks_password: bool,
    /// What is wrong with the name.
    pub name_error: Option<String>,
    /// What is wrong with the address.
    pub email_error: Option<String>,
    /// What is wrong with the password.
    pub password_error: Option<String>,
}

impl Newcomer {
    /// The empty form; `email` where it is given.
    pub fn empty(asks_password: bool, email: Option<String>) -> Self {
        let is_email_fixed = email.is_some();
        Self { email: email.unwrap_or_default(), is_email_fixed, asks_password, ..Self::default() }
    }

    /// The form with what was typed, each field checked by itself.
    pub fn typed(self, name: &str, email: &str, password: &str) -> Self {
        let sentence = |invalid: Invalid| invalid.0.to_owned();
        let email = if self.is_email_fixed { self.email } else { email.to_owned() };
        let password_error = check_new_password(password, &[&email, name]).err().filter(|_| self.asks_password);
        Self {
            name: name.to_owned(),
            name_error: normalize_name(name).err().map(sentence),
            email_error: normalize_email(&email).err().map(sentence),
            password_error: password_error.map(sentence),
            email,
            ..self
        }
    }

    /// Whether nothing is wrong.
    pub const fn is_right(&self) -> bool {
        self.name_error.is_none() && self.email_error.is_none() && self.password_error.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_gets_its_own_sentence() {
        let newcomer = Newcomer::empty(true, None).typed(" ", "ada", "short");
        assert!(!newcomer.is_right());
        assert_eq!(newcomer.name_error.as_deref(), Some("Enter a name."));
        assert!(newcomer.email_error.is_some() && newcomer.password_error.is_some());
        assert!(Newcomer::empty(true, None).typed("Ada", "ada@example.org", "correct horse battery").is_right());
        assert!(Newcomer::empty(false, None).typed("Ada", "ada@example.org", "").is_right());
    }

    #[test]
    fn an_address_that_is_given_stays() {
        let newcomer = Newcomer::empty(true, Some("ada@example.org".to_owned()));
        assert_eq!(newcomer.typed("Eve", "eve@example.org", "").email, "ada@example.org");
    }
}
