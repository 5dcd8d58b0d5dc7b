//! One line in the log for each request.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::request_id::RequestId;
use tracing::Instrument;

use crate::error::{AppError, ResponseError};

/// Writes the line once the response begins: errors of ours loudly, refusals at `info`, the rest at `debug`. What else
/// is logged while the request is worked on has its id too.
///
/// The path is the route's pattern: what was in it, in the query and in the body is the caller's business.
pub async fn one_line(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let id = request
        .extensions()
        .get::<RequestId>()
        .and_then(|id| id.header_value().to_str().ok())
        .unwrap_or("-")
        .to_owned();
    let span = tracing::info_span!("request", id);
    let response = next.run(request).instrument(span).await;
    let status = response.status().as_u16();
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    match response.extensions().get::<ResponseError>() {
        Some(ResponseError(error)) => match &**error {
            AppError::Internal(cause) => {
                tracing::error!(%method, route, status, ms, id, error = format!("{cause:#}"), "request failed");
            }
            // As a string, whose line breaks are escaped: a few of its words may be the caller's.
            refusal => tracing::info!(%method, route, status, ms, id, reason = refusal.message(), "request refused"),
        },
        None if status >= 400 => tracing::info!(%method, route, status, ms, id, "request refused"),
        None => tracing::debug!(%method, route, status, ms, id, "request"),
    }
    response
}
