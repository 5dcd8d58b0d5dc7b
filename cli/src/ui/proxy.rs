//! The server's pages, passed on to the browser as they are.
//!
//! Only what is named here goes either way: no cookie, no key and nothing about the connection does. Bodies are
//! streamed. What a page pass does not open is the server's own, and the browser is led there.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{COOKIE, LOCATION};
use axum::http::uri::PathAndQuery;
use axum::http::{self, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::{App, lender, pages};
use crate::error::{Error, Result};

/// What the server is told of the browser's wishes.
const ASKED: [&str; 8] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "range",
    "if-range",
    "if-none-match",
    "if-modified-since",
    "last-event-id",
];
/// What the browser is told of the answer.
const ANSWERED: [&str; 21] = [
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "etag",
    "last-modified",
    "permissions-policy",
    "referrer-policy",
    "retry-after",
    "vary",
    "x-content-type-options",
    "x-frame-options",
    "x-request-id",
    "x-robots-tag",
];
/// The one cookie that is no secret: how the reader wants pages to look. Cookies don't know ports, so it is there
/// where the server's own pages have set it.
const THEME: &str = "theme";
const THEMES: [&str; 3] = ["system", "light", "dark"];

/// Whatever is not the local app's own.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    let (method, headers) = (request.method().clone(), request.headers().clone());
    if !matches!(method, Method::GET | Method::HEAD) {
        let error = Error::new("Here pages are only read")
            .with_hint(format!("Open {} to change something.", app.lender.server()));
        return pages::notice(&app, StatusCode::METHOD_NOT_ALLOWED, "This page only reads", &error, &headers);
    }
    passed_on(&app, &method, &path, &headers).await.unwrap_or_else(|error| {
        pages::notice(&app, StatusCode::BAD_GATEWAY, "The server's pages can't be shown", &error, &headers)
    })
}

/// `GET /local/fonts/{file}`: the style's fonts, which are the server's. Without it others take their place.
pub async fn font(State(app): State<Arc<App>>, request: Request) -> Response {
    let file = request.uri().path().trim_start_matches("/local/fonts/");
    let path = format!("/static/fonts/{file}");
    let asked = passed_on(&app, request.method(), &path, request.headers()).await;
    asked.unwrap_or_else(|_| StatusCode::NOT_FOUND.into_response())
}

async fn passed_on(app: &App, method: &Method, path: &str, headers: &HeaderMap) -> Result<Response> {
    let server = app.lender.server();
    let to_the_server = || Ok(Redirect::to(&format!("{server}{path}")).into_response());
    if path.starts_with("/projects/") {
        let slug = app.lender.project().await?.slug;
        // As published clients print it.
        if let Some(rest) = path.strip_prefix("/projects/current").filter(|rest| is_below(rest)) {
            return Ok(Redirect::to(&format!("/projects/{slug}{rest}")).into_response());
        }
        if !path.strip_prefix(&format!("/projects/{slug}")).is_some_and(is_below) {
            return to_the_server();
        }
    } else if !path.starts_with("/static/") {
        return to_the_server();
    }
    match app.lender.page(method, path, &asked(headers)).await? {
        Some(response) => Ok(answered(response.into(), path, server)),
        None => to_the_server(),
    }
}

/// Whether what follows a project's name begins another part of the path.
fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(['/', '?'])
}

fn asked(headers: &HeaderMap) -> HeaderMap {
    let mut asked = HeaderMap::new();
    for name in ASKED {
        for value in headers.get_all(name) {
            asked.append(HeaderName::from_static(name), value.clone());
        }
    }
    let theme = theme(headers).and_then(|theme| HeaderValue::from_str(&format!("{THEME}={theme}")).ok());
    if let Some(theme) = theme {
        asked.insert(COOKIE, theme);
    }
    asked
}

/// How the reader wants pages to look, if that was ever said.
pub fn theme(headers: &HeaderMap) -> Option<&'static str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let (_, value) = cookies.find(|(name, _)| *name == THEME)?;
    THEMES.into_iter().find(|theme| *theme == value)
}

fn answered(response: http::Response<reqwest::Body>, path: &str, server: &str) -> Response {
    let (parts, body) = response.into_parts();
    let mut answer = Response::new(Body::new(body));
    *answer.status_mut() = parts.status;
    let headers = answer.headers_mut();
    for name in ANSWERED {
        for value in parts.headers.get_all(name) {
            headers.append(HeaderName::from_static(name), value.clone());
        }
    }
    let location = parts.headers.get(LOCATION).and_then(|to| to.to_str().ok());
    let location = location.and_then(|to| HeaderValue::from_str(&lender::here(to, path, server)).ok());
    if let Some(location) = location {
        headers.insert(LOCATION, location);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        all.iter().map(pair).collect()
    }

    #[test]
    fn the_server_hears_no_cookie_but_the_theme_and_no_word_of_who_asks() {
        let browser = headers(&[
            ("cookie", "otrace_session=secret; theme=dark; otrace_ui_1=secret"),
            ("authorization", "Bearer secret"),
            ("host", "localhost:1"),
            ("connection", "keep-alive"),
            ("range", "bytes=0-9"),
        ]);
        assert_eq!(asked(&browser), headers(&[("range", "bytes=0-9"), ("cookie", "theme=dark")]));
        assert_eq!(asked(&headers(&[("cookie", "theme=dark\"evil")])), HeaderMap::new());
    }

    #[test]
    fn the_browser_gets_what_protects_a_page_and_nothing_that_binds_it_to_the_server() {
        let mut response = http::Response::new(reqwest::Body::from("x"));
        *response.headers_mut() = headers(&[
            ("set-cookie", "otrace_session=secret"),
            ("strict-transport-security", "max-age=1"),
            ("access-control-allow-origin", "*"),
            ("transfer-encoding", "chunked"),
            ("content-security-policy", "default-src 'none'"),
            ("location", "http://localhost:8000/projects/a"),
        ]);
        let answer = answered(response, "/projects/a/b", "http://localhost:8000");
        let expected = headers(&[("content-security-policy", "default-src 'none'"), ("location", "/projects/a")]);
        assert_eq!(*answer.headers(), expected);
    }

    #[test]
    fn a_project_is_known_by_its_whole_name() {
        assert!(is_below("") && is_below("/runs") && is_below("?a=b"));
        assert!(!is_below("-2/runs") && !is_below("%2f"));
    }
}
