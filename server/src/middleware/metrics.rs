//! Counts each request by the pattern of its route, and measures how long it took.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::telemetry::metrics::{Held, are_gathered};

/// What stands for the pattern where no route matched: paths that anybody may make up are no label.
const NO_ROUTE: &str = "none";

/// The kinds of answers, and what is counted where nobody waited for one.
const CLASSES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "gone"];
const GONE: usize = 4;

/// The numbers of all routes that were asked for, by method and pattern: looked up without putting a key together.
static ROUTES: LazyLock<Routes> = LazyLock::new(Routes::default);
static IN_FLIGHT: LazyLock<Gauge> = LazyLock::new(|| gauge!("otrace_http_requests_in_flight"));

#[derive(Default)]
struct Routes(RwLock<HashMap<&'static str, HashMap<String, Arc<Route>>>>);

/// The numbers of one route.
struct Route {
    duration: Histogram,
    answers: [Counter; CLASSES.len()],
}

/// A request whose answer has not begun. Dropped before, its client went away.
struct Underway {
    route: Arc<Route>,
    began: Instant,
    class: usize,
    _held: Held,
}

/// Counts the request once its answer begins.
pub async fn count(request: Request, next: Next) -> Response {
    if !are_gathered() {
        return next.run(request).await;
    }
    let pattern = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str);
    let mut underway = Underway {
        route: ROUTES.find(method_name(request.method()), pattern),
        began: Instant::now(),
        class: GONE,
        _held: Held::in_gauge(IN_FLIGHT.clone()),
    };
    let response = next.run(request).await;
    underway.class = class_of(response.status());
    response
}

impl Routes {
    fn find(&self, method: &'static str, pattern: &str) -> Arc<Route> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known.get(method).and_then(|routes| routes.get(pattern)) {
            return Arc::clone(route);
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let routes = known.entry(method).or_default();
        Arc::clone(routes.entry(pattern.to_owned()).or_insert_with(|| Arc::new(Route::new(method, pattern))))
    }
}

impl Route {
    fn new(method: &'static str, pattern: &str) -> Self {
        let pattern: Arc<str> = pattern.into();
        let answers = CLASSES.map(|class| {
            let route = Arc::clone(&pattern);
            counter!("otrace_http_requests_total", "method" => method, "route" => route, "status" => class)
        });
        let duration = histogram!("otrace_http_request_duration_seconds", "method" => method, "route" => pattern);
        Self { duration, answers }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.route.answers[self.class].increment(1);
        if self.class != GONE {
            self.route.duration.record(self.began.elapsed());
        }
    }
}

/// The methods that there are; whatever else somebody writes there is one more.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn class_of(status: StatusCode) -> usize {
    match status.as_u16() {
        ..300 => 0,
        300..400 => 1,
        400..500 => 2,
        500.. => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_their_class_and_made_up_methods_as_one() {
        let classes = [101, 200, 303, 404, 503].map(|code| CLASSES[class_of(StatusCode::from_u16(code).unwrap())]);
        assert_eq!(classes, ["2xx", "2xx", "3xx", "4xx", "5xx"]);
        assert_eq!(method_name(&Method::from_bytes(b"BREW").unwrap()), "other");
    }
}
