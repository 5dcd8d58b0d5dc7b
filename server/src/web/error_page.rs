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
    /// What to do, and where that leads.
    action: (String, &'static str),
}

/// The page that tells of `error`; a 500 shows its request id and nothing else. `retry` is where the same may be tried
/// again, if it can be by a link.
pub fn render(
    app: &AppState,
    error: &AppError,
    look: Look,
    account: Option<&Account>,
    request_id: Option<&str>,
    retry: Option<&str>,
) -> Response {
    let title = match error {
        AppError::SignedOut(_) => "Sign in first",
        AppError::Unconfirmed => "Confirm that it is you",
        AppError::Forbidden(_) => "Not allowed",
        AppError::NotFound(_) => "Not found",
        AppError::Gone(_) => "No longer here",
        AppError::Invalid(_) => "That did not work",
        AppError::Conflict(_) => "Already there",
        AppError::TooLarge { .. } => "Too large",
        AppError::ClientTooOld(_) => "Too old",
        AppError::RateLimited { .. } => "Too many requests",
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
            action: action(error, retry, account.is_some()),
        },
    );
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// What helps: to try again what may pass later, else to go where the reader knows the way.
fn action(error: &AppError, retry: Option<&str>, is_signed_in: bool) -> (String, &'static str) {
    let may_pass = error.retry_after_seconds().is_some() || matches!(error, AppError::Internal(_));
    // Two slashes at its beginning would lead to another host.
    match retry.filter(|path| may_pass && path.starts_with('/') && !path.starts_with("//")) {
        Some(path) => (path.to_owned(), "Try again"),
        None if is_signed_in => ("/".to_owned(), "All projects"),
        None => ("/signin".to_owned(), "Sign in"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_can_be_tried_again_and_only_here() {
        let busy = AppError::RateLimited { retry_after_seconds: 3 };
        assert_eq!(action(&busy, Some("/projects/kws?q=a"), true), ("/projects/kws?q=a".to_owned(), "Try again"));
        assert_eq!(action(&AppError::Internal(anyhow::anyhow!("x")), Some("/a"), false).1, "Try again");
        assert_eq!(action(&busy, Some("//evil.example/"), true), ("/".to_owned(), "All projects"));
        assert_eq!(action(&busy, None, false).1, "Sign in");
        assert_eq!(action(&AppError::NotFound("Page"), Some("/a"), true).1, "All projects");
    }
}
