//! What went wrong, as a page.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::Response;

use super::shell::Shell;
use super::{Look, with_status};
use crate::app::AppState;
use crate::domain::Account;
use crate::error::AppError;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    shell: Shell,
    title: &'static str,
    message: String,
    hint: Option<String>,
    /// What to name when asking whoever runs the server.
    request_id: Option<String>,
    is_signed_in: bool,
}

/// The page that tells of `error`; a 500 shows its request id and nothing else.
pub fn render(
    app: &AppState,
    error: &AppError,
    look: Look,
    account: Option<&Account>,
    request_id: Option<&str>,
) -> Response {
    let title = match error {
        AppError::SignedOut(_) => "Sign in first",
        AppError::Unconfirmed => "Confirm that it is you",
        AppError::Forbidden(_) => "Not allowed",
        AppError::NotFound(_) => "Not found",
        AppError::Invalid(_) => "That did not work",
        AppError::Conflict(_) => "Already there",
        AppError::TooLarge { .. } => "Too large",
        AppError::ClientTooOld(_) => "Too old",
        AppError::RateLimited { .. } => "Too many tries",
        AppError::DiskFull | AppError::Unavailable(_) => "Not available right now",
        AppError::Internal(_) => "Something went wrong",
    };
    let is_ours = error.status() == StatusCode::INTERNAL_SERVER_ERROR;
    let mut response = with_status(
        error.status(),
        &ErrorPage {
            shell: Shell::new(app, look, account),
            title,
            message: error.message(),
            hint: error.hint(),
            request_id: request_id.filter(|_| is_ours).map(str::to_owned),
            is_signed_in: account.is_some(),
        },
    );
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
