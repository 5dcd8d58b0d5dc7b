//! The pages: HTML made on the server, complete without JavaScript.
//!
//! A handler here extracts, asks one service, and answers with a page: a struct that names what its
//! template in `templates/` shows, already in the words and numbers that people read. So templates
//! decide nothing, and what a page shows is found in one struct. Never touches SQL; the rules live in
//! `domain` and `services`, the look in `static/trace.css`.
//!
//! - `shell`: what every page needs (bar, theme, account); `people` and `format`: how names,
//!   numbers and times are shown; `terminal` and `diff`: how untrusted output becomes text.
//! - `landing`, `accounts`, `projects`, `keys`, `runs`: one file per page.
//! - `assets`: the style, the fonts and the scripts; `error_page` and `render`: what went wrong.

pub mod accounts;
pub mod assets;
mod diff;
pub mod error_page;
mod format;
pub mod keys;
pub mod landing;
mod people;
pub mod projects;
pub mod render;
pub mod runs;
mod shell;
mod terminal;

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
