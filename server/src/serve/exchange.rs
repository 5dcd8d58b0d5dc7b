//! One request and its answer, around whatever the router makes of it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CACHE_CONTROL, CONNECTION, HOST, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use axum::response::IntoResponse;
use hyper::body::{Body as _, Incoming};
use metrics::counter;
use otrace_wire::{ApiError, ErrorCode};
use tower::Service;

use super::Shared;
use super::activity::Activity;
use super::answer_body::AnswerBody;
use super::crowd::Turn;
use super::limits::{Asked, Asker};
use super::request_body::{RequestBody, TooSlow};

const BUSY: &str = "The server has too much to do at this moment. Try again in a moment.";
const STOPPING: &str = "The server stops, and the request was not at its end. Send it again in a moment.";
const SLOW: &str = "The request came too slowly to be waited for. Send it again.";

/// Answers a request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    activity: Arc<Activity>,
    address: SocketAddr,
    asker: Asker,
    mut request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let under_way = activity.begin();
    in_origin_form(&mut request);
    request.extensions_mut().insert(ConnectInfo(address));
    let is_http1 = request.version() < Version::HTTP_2;
    let (mut response, counted) = if let Some((counted, turn)) = let_in(&shared, &asker, request.uri().path()) {
        (pass_on(&shared, turn, request).await, counted)
    } else {
        counter!("otrace_http_requests_shed_total").increment(1);
        (refusal(StatusCode::SERVICE_UNAVAILABLE, BUSY), Asked::uncounted())
    };
    // An idle connection that is closed may meet a request on its way; one that ends with an answer can't.
    if is_http1 && shared.draining.is_cancelled() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| AnswerBody::new(body, under_way, counted)))
}

/// Lets a request in, unless its address or the server has too many.
fn let_in(shared: &Shared, asker: &Asker, path: &str) -> Option<(Asked, Turn)> {
    // Who looks after the server should learn that it is busy, not take it for dead.
    if is_about_health(path) {
        return Some((Asked::uncounted(), shared.crowd.enter_always()));
    }
    let counted = asker.ask()?;
    Some((counted, shared.crowd.enter()?))
}

/// Whether somebody asks how the server is. Another address that begins so is a page like any other.
fn is_about_health(path: &str) -> bool {
    matches!(path, "/health/live" | "/health/ready")
}

/// What the router answers, unless the client or the server has no time for it.
async fn pass_on(shared: &Shared, turn: Turn, request: Request<Incoming>) -> Response<Body> {
    let too_slow = TooSlow::default();
    let request = request.map(|body| {
        if body.is_end_stream() {
            return Body::empty();
        }
        Body::new(RequestBody::new(body, &shared.timeouts, turn.waiter(), too_slow.clone()))
    });
    let response = tokio::select! {
        biased;
        // A router is always ready, so it can be called at once.
        answered = shared.router.clone().call(request) => match answered {
            Ok(response) => response,
            Err(never) => match never {},
        },
        () = shared.out_of_time.cancelled() => refusal(StatusCode::SERVICE_UNAVAILABLE, STOPPING),
    };
    // Whoever read the body only knows that it broke off.
    if too_slow.is_so() && (response.status().is_client_error() || response.status().is_server_error()) {
        return refusal(StatusCode::REQUEST_TIMEOUT, SLOW);
    }
    response
}

/// Says no in a way that clients may repeat the request after.
fn refusal(status: StatusCode, sentence: &str) -> Response<Body> {
    let body = ApiError {
        ok: false,
        error: sentence.to_owned(),
        code: Some(ErrorCode::Unavailable.as_str().to_owned()),
        details: None,
        hint: None,
    };
    let headers = [(RETRY_AFTER, "2"), (CACHE_CONTROL, "no-store"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, Json(body)).into_response()
}

/// Gives a request the form that HTTP/1 usually has: only a path as its address, and the server's name as `Host`.
///
/// HTTP/2 puts the name into the address, and HTTP/1 may: then it counts, and `Host` does not (RFC 9112, 3.2.2). The
/// check of the name looks at `Host`, and must not be passed by leaving it out.
fn in_origin_form<B>(request: &mut Request<B>) {
    let Some(authority) = request.uri().authority() else { return };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        request.headers_mut().insert(HOST, host);
    }
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
}
