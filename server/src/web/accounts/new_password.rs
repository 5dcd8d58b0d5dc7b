//! The page behind a link, on which a password is chosen: at the end of signing up, or for a forgotten one.

use askama::Template;
use axum::response::Response;

use super::{form_refused, with_secret_address};
use crate::app::AppState;
use crate::error::{AppError, Result};
use crate::web::shell::Shell;
use crate::web::{Look, form_again, page, terminal};

#[derive(Template)]
#[template(path = "accounts/new_password.html")]
pub(super) struct NewPasswordPage {
    shell: Shell,
    title: &'static str,
    /// What the address is for.
    about: &'static str,
    email: String,
    button: &'static str,
    password_error: Option<String>,
    alert: Option<String>,
}

impl NewPasswordPage {
    /// The end of signing up with this address.
    pub(super) fn to_sign_up(app: &AppState, look: Look, email: &str) -> Self {
        let about = "Your address is confirmed. Choose the password that you sign in with:";
        Self::new(app, look, email, "Choose a password", about, "Create account")
    }

    /// Another password for the account with this address.
    pub(super) fn to_reset(app: &AppState, look: Look, email: &str) -> Self {
        let about = "All sessions of this account end when its password changes:";
        Self::new(app, look, email, "Choose a new password", about, "Change password")
    }

    fn new(
        app: &AppState,
        look: Look,
        email: &str,
        title: &'static str,
        about: &'static str,
        button: &'static str,
    ) -> Self {
        let (shell, email) = (Shell::new(app, look, None), terminal::clean(email));
        Self { shell, title, about, email, button, password_error: None, alert: None }
    }

    /// The page as it is opened.
    pub(super) fn show(&self, app: &AppState) -> Response {
        with_secret_address(app, page(self))
    }

    /// The page with what was wrong.
    pub(super) fn refuse(self, app: &AppState, refused: AppError) -> Result<Response> {
        let response = match refused {
            AppError::Invalid(_) => form_again(&Self { password_error: Some(refused.message()), ..self }),
            _ => form_refused(refused, |message| Self { alert: Some(message), ..self })?,
        };
        Ok(with_secret_address(app, response))
    }
}
