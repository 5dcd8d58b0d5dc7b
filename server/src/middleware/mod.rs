//! What wraps each request, whatever it asks for.

mod host;
mod log;
mod metrics;
#[cfg(feature = "otlp")]
mod trace;

use std::any::Any;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response};
use axum::middleware::{from_fn, map_response};
use axum::response::IntoResponse;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

use crate::error::AppError;

pub use host::only_known_hosts;

/// Headers that every response carries, errors too.
const HEADERS: [(&str, &str); 7] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "accelerometer=(), camera=(), clipboard-read=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()",
    ),
    ("x-robots-tag", "noindex, nofollow"),
];

/// Wraps the whole router. The first layer here is the outermost.
pub fn wrap(router: Router) -> Router {
    let compressible = SizeAbove::new(1024)
        .and(NotForContentType::new("image/"))
        .and(NotForContentType::new("font/"))
        .and(NotForContentType::new("audio/"))
        .and(NotForContentType::new("video/"))
        .and(NotForContentType::new("application/zip"))
        .and(NotForContentType::new("application/octet-stream"))
        .and(NotForContentType::SSE);
    #[cfg(feature = "otlp")]
    let router = router.layer(from_fn(trace::span));
    let request_id = HeaderName::from_static("x-request-id");
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::new(request_id.clone(), MakeRequestUuid))
        .layer(PropagateRequestIdLayer::new(request_id))
        .layer(from_fn(metrics::count))
        .layer(from_fn(log::one_line))
        .layer(CompressionLayer::new().compress_when(compressible))
        .layer(map_response(with_headers));
    router.layer(layers)
}

type PanicAnswer = fn(Box<dyn Any + Send>) -> Response<Body>;

/// Around the handlers of one router, within what renders its errors: a bug in one request is an
/// answer of 500 in the router's own form, not a broken connection.
pub fn catch_panics() -> CatchPanicLayer<PanicAnswer> {
    CatchPanicLayer::custom(panicked)
}

fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    let what = match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().map_or_else(|_| String::new(), |text| (*text).to_owned()),
    };
    AppError::Internal(anyhow::anyhow!("a handler panicked: {what}")).into_response()
}

async fn with_headers(mut response: Response<Body>) -> Response<Body> {
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
