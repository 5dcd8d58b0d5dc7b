//! Forms that were sent after the session of who typed them had ended: they are given back, to be sent again.

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use url::form_urlencoded;

use super::shell::Shell;
use super::{Look, with_status};
use crate::app::AppState;
use crate::error::{AppError, Result};

/// A longer form is not kept while it is handled, in bytes.
const KEPT_MAX_BYTES: usize = 64 * 1024;
/// What forms send along that nobody typed.
const UNSEEN: [&str; 4] = ["back", "id", "next", "parameters"];

/// A form as it was sent.
pub(super) struct SentForm {
    action: String,
    body: Bytes,
}

#[derive(Template)]
#[template(path = "signed_out.html")]
struct SignedOutPage {
    shell: Shell,
    /// Where the form goes, once its writer is signed in again.
    action: String,
    fields: Vec<(String, String)>,
    /// Those of them that people read.
    typed: Vec<(String, String)>,
}

impl SentForm {
    /// Reads a short form before it is handled, and hands it on. Neither a long one nor what is no form is read.
    pub(super) async fn keep(request: Request) -> Result<(Request, Option<Self>)> {
        if !is_short_form(&request) {
            return Ok((request, None));
        }
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, KEPT_MAX_BYTES)
            .await
            .map_err(|_| AppError::invalid("The form can't be read. Open the page anew and send it again."))?;
        let action = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
        let form = Self { action, body: body.clone() };
        Ok((Request::from_parts(parts, Body::from(body)), Some(form)))
    }

    /// The page that holds all of it; `None` where nothing was typed, or a password.
    pub(super) fn given_back(self, app: &AppState, look: Look) -> Option<Response> {
        let fields: Vec<(String, String)> = form_urlencoded::parse(&self.body).into_owned().collect();
        if fields.iter().any(|(name, _)| name == "current" || name.contains("password")) {
            return None;
        }
        let is_typed = |(name, value): &&(String, String)| !UNSEEN.contains(&name.as_str()) && !value.is_empty();
        let typed: Vec<(String, String)> = fields.iter().filter(is_typed).cloned().collect();
        if typed.is_empty() {
            return None;
        }
        let page = SignedOutPage { shell: Shell::new(app, look, None), action: self.action, fields, typed };
        Some(with_status(StatusCode::UNAUTHORIZED, &page))
    }
}

fn is_short_form(request: &Request) -> bool {
    let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let length = header(CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    request.method() == Method::POST
        && header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
        && length.is_some_and(|length| (1..=KEPT_MAX_BYTES).contains(&length))
}
