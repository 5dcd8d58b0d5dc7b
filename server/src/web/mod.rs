//! The pages: HTML made on the server, complete without JavaScript.
//!
//! A handler here extracts, asks one service, and answers with a page: a struct that names what its
//! template in `templates/` shows, already in the words and numbers that people read. So templates
//! decide nothing, and what a page shows is found in one struct. Never touches SQL; the rules live in
//! `domain` and `services`, the look in `static/trace.css`.
//!
//! - `shell`: what every page needs (bar, theme, account); `people` and `format`: how names,
//!   numbers and times are shown; `terminal` and `diff`: how untrusted output becomes text; `markdown`: what people write; `plot` and
//!   `difference`: how numbers become charts and changes.
//! - `landing`, `accounts`, `device`, `invitations`, `projects`, `keys`, `members`, `audit`, `admin`, `search`,
//!   `workspaces`,
//!   `runs`, `insights`, `notebook`: one file or folder per page.
//! - `docs`: the documentation, and the API's reference.
//! - `assets`: the style, the fonts and the scripts; `error_page`, `signed_out` and `render`: what went wrong.

pub mod accounts;
pub mod admin;
pub mod assets;
pub mod audit;
pub mod compare;
pub mod device;
mod diff;
mod difference;
pub mod docs;
pub mod error_page;
mod format;
pub mod insights;
pub mod invitations;
mod inviting;
pub mod keys;
pub mod landing;
pub mod lineage;
mod markdown;
pub mod members;
pub mod notebook;
mod people;
mod plot;
pub mod projects;
pub mod render;
pub mod runs;
pub mod search;
mod shell;
mod signed_out;
mod terminal;
pub mod views;
pub mod workspaces;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::error::AppError;

pub use shell::Look;

/// Renders a page.
fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => AppError::Internal(error.into()).into_response(),
    }
}

/// A form that comes back with what was wrong in it.
fn form_again(template: &impl Template) -> Response {
    with_status(StatusCode::UNPROCESSABLE_ENTITY, template)
}

/// Whether a refusal is told on the page that its form came from.
const fn is_told_in_place(refused: &AppError) -> bool {
    matches!(
        refused,
        AppError::Invalid(_)
            | AppError::Conflict(_)
            | AppError::Forbidden(_)
            | AppError::RateLimited { .. }
            | AppError::Unavailable(_)
    )
}

/// The page that a form came from, with what stood against it.
fn refused_in_place(refused: &AppError, template: &impl Template) -> Response {
    let status = match refused {
        AppError::Invalid(_) | AppError::Conflict(_) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => refused.status(),
    };
    let mut response = with_status(status, template);
    if let Some(seconds) = refused.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Renders a page whose status is not 200.
fn with_status(status: StatusCode, template: &impl Template) -> Response {
    let mut response = page(template);
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    response
}

/// A page that shows a secret: no cache keeps it.
fn page_with_secret(template: &impl Template) -> Response {
    let mut response = page(template);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
