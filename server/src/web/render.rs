//! Around all pages: errors become pages, and every page carries the headers that protect it.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERER, VARY};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use tower_http::request_id::RequestId;
use url::form_urlencoded;

use super::signed_out::SentForm;
use super::{Look, error_page};
use crate::app::AppState;
use crate::auth::{MaybeSignedIn, RenewedToken};
use crate::error::{AppError, ResponseError};

/// Nothing but our own files may load, nothing inline may run, nobody may frame us.
pub const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types otrace";

/// Turns errors into pages; who is not signed in is led to sign in first, and comes back afterwards. What they had
/// typed meanwhile is given back.
pub async fn render(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let method = parts.method.clone();
    let look = Look::of(&parts);
    let mut asker = parts.clone();
    let renewed = RenewedToken::default();
    let (mut response, sent) = match SentForm::keep(Request::from_parts(parts, body)).await {
        Ok((mut request, sent)) => {
            request.extensions_mut().insert(renewed.clone());
            (next.run(request).await, sent)
        }
        Err(error) => (error.into_response(), None),
    };

    let status = response.status();
    if let Some(ResponseError(error)) = response.extensions().get::<ResponseError>().cloned() {
        let given_back = match &*error {
            AppError::SignedOut(_) => sent.and_then(|form| form.given_back(&app, look.clone())),
            _ => None,
        };
        response = match (&*error, given_back) {
            (_, Some(page)) => page,
            (AppError::SignedOut(_), None) if method == Method::GET => to_sign_in(&asker.uri.to_string()),
            (AppError::Unconfirmed, None) => to_confirm(&app, &asker),
            (_, None) => {
                let signed_in =
                    MaybeSignedIn::from_request_parts(&mut asker, &app).await.ok().and_then(|found| found.0);
                let id = asker.extensions.get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
                let account = signed_in.as_ref().map(|person| &person.account);
                let here = asker.uri.path_and_query().map(PathAndQuery::as_str).filter(|_| method == Method::GET);
                let mut page = error_page::render(&app, &error, look, account, id, here);
                // The error itself does not know of methods.
                if status == StatusCode::METHOD_NOT_ALLOWED {
                    *page.status_mut() = status;
                }
                page
            }
        };
        response.extensions_mut().insert(ResponseError(error));
    }
    renewed.bring(&app, response.headers_mut());
    protect(&app, &mut response);
    response
}

/// A cross-site form, refused by the CSRF layer around the pages.
pub fn refused_as_cross_site() -> Response<Body> {
    AppError::Forbidden("The form came from another site. Open the page here and send it again.".into()).into_response()
}

/// A page that takes forms and shows nothing, as it is when somebody loads it anew.
pub async fn method_not_allowed() -> Response {
    let refused =
        AppError::invalid("This address takes what a form sends and shows nothing. Go back to the page before.");
    let mut response = refused.into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// What is no page.
pub async fn not_found() -> AppError {
    AppError::NotFound("Page")
}

fn to_sign_in(here: &str) -> Response {
    let next: String = form_urlencoded::byte_serialize(here.as_bytes()).collect();
    Redirect::to(&format!("/signin?next={next}")).into_response()
}

/// Leads to the page that asks once more who it is, and back to the page that the form was on.
fn to_confirm(app: &AppState, asker: &Parts) -> Response {
    let referer = asker.headers.get(REFERER).and_then(|value| value.to_str().ok());
    let page =
        referer.and_then(|url| url.strip_prefix(app.config.public_url_str())).filter(|path| path.starts_with('/'));
    let page = match page {
        None if asker.method == Method::GET => asker.uri.path(),
        None => "/account",
        Some(page) => page,
    };
    let next: String = form_urlencoded::byte_serialize(page.as_bytes()).collect();
    Redirect::to(&format!("/confirm?next={next}")).into_response()
}

fn protect(app: &AppState, response: &mut Response) {
    let https = app.config.is_https();
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(PAGE_POLICY));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.append(VARY, HeaderValue::from_static("Cookie"));
    if https {
        let value = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(HeaderName::from_static("strict-transport-security"), value);
    }
}
