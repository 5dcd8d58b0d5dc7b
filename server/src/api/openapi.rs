//! The API, described for machines.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::openapi;

/// `GET /v1/openapi.json`: for everybody, as the documentation is.
pub async fn show() -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")], openapi::json()).into_response()
}
