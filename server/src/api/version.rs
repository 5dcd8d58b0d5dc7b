//! The version that each side says, and what happens when they are too far apart.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use otrace_wire::version::{HEADER, Version};

use crate::error::AppError;

/// Around all of the API: refuses a CLI that is too old, and says how old the server is. Clients that say no version,
/// the published ones, are served as ever.
pub async fn check(request: Request, next: Next) -> Response {
    let said = request.headers().get(HEADER).and_then(|version| version.to_str().ok());
    let mut response = match said.and_then(|version| version.parse::<Version>().ok()) {
        Some(version) if version < Version::OLDEST_CLIENT => AppError::ClientTooOld(version).into_response(),
        _ => next.run(request).await,
    };
    response.headers_mut().insert(HEADER, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    response
}
