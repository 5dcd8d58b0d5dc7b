//! The form of every answer: `"ok": true` beside its keys, or `"ok": false` and what was wrong.

use axum::Json;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use otrace_wire::ApiError;
use serde::Serialize;

use crate::error::{AppError, ResponseError};

/// An answer below 400: `"ok": true` beside the keys of `T`.
#[derive(Debug)]
pub struct Answer<T>(pub T);

#[derive(Serialize)]
struct Body<T> {
    ok: bool,
    #[serde(flatten)]
    keys: T,
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        Json(Body { ok: true, keys: self.0 }).into_response()
    }
}

/// Around all of the API: writes errors as JSON and sets the headers that JSON is sent with.
pub async fn render(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(ResponseError(error)) = response.extensions().get::<ResponseError>().cloned() {
        let body = ApiError {
            ok: false,
            error: error.message(),
            code: Some(error.code().as_str().to_owned()),
            details: None,
            hint: error.hint(),
        };
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(CONTENT_LENGTH);
        response = (parts.status, parts.headers, Json(body)).into_response();
        response.extensions_mut().insert(ResponseError(error));
    }
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// What is not in the URL table.
pub async fn not_found() -> AppError {
    AppError::NotFound("Endpoint")
}

/// A known path with a verb that it does not take.
pub async fn method_not_allowed() -> Response {
    let mut response =
        AppError::invalid("This path does not take this method; docs/api.md lists what it takes.").into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}
