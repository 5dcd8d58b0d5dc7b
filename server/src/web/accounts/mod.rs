//! Signing up, in and out, and one's own account: one file per page.
//!
//! Here is what several of them share: the cookies of a new session, where a browser may be sent on to,
//! the ways to providers, and what a refused form and a dead link look like.

pub mod confirm;
pub mod email;
mod new_password;
mod newcomer;
pub mod providers;
pub mod reset;
pub mod sessions;
pub mod show;
pub mod sign_in;
pub mod sign_up;
pub mod theme;

use askama::Template;
use axum::http::header::REFERRER_POLICY;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::form_urlencoded;

use super::shell::Shell;
use super::{Look, is_told_in_place, refused_in_place, with_status};
use crate::app::AppState;
use crate::auth::{SignedIn, signed_in_cookies};
use crate::domain::one_time_link::Purpose;
use crate::error::{AppError, Result};
use crate::providers::Provider;
use crate::services;
use crate::services::sign_in::NewSession;
use crate::store::one_time_links::FoundLink;

pub(super) use newcomer::Newcomer;

/// Where to go afterwards.
#[derive(Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// What a form sends that only asks for a password.
#[derive(Deserialize)]
pub struct PasswordForm {
    #[serde(default)]
    password: String,
}

/// What has just happened, as one of our own words.
#[derive(Default, Deserialize)]
pub struct Noticed {
    #[serde(default)]
    notice: String,
}

/// Signs the browser in, and sends it on.
pub(super) fn signed_in(app: &AppState, session: &NewSession, next: &str) -> Response {
    (signed_in_cookies(app, session), Redirect::to(local_path(next))).into_response()
}

/// Ends the session that this browser had before it signed in anew: whoever else holds its token is out.
pub(super) async fn end_former(app: &AppState, former: Option<&SignedIn>) -> Result<()> {
    match former {
        Some(former) => services::sign_in::sign_out(app, former).await,
        None => Ok(()),
    }
}

/// `next` where it stays on this server, else `/`.
///
/// Browsers read `//host` and `/\host` as another server, and drop tabs and line breaks before they
/// do; what is not plain ASCII can't stand in a header.
pub(super) fn local_path(next: &str) -> &str {
    let is_local = next.starts_with('/')
        && !next[1..].starts_with(['/', '\\'])
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_local { next } else { "/" }
}

/// A form that comes back with the sentence that refuses it. What a form can't be refused for is passed on.
pub(super) fn form_refused<T: Template>(refused: AppError, again: impl FnOnce(String) -> T) -> Result<Response> {
    if is_told_in_place(&refused) {
        return Ok(refused_in_place(&refused, &again(refused.message())));
    }
    Err(refused)
}

/// For pages whose own address is a secret: nothing that is opened from there hears of it.
///
/// Of such a page, a form comes with `Origin: null`. Browsers that send `Sec-Fetch-Site` beside it, as
/// they do over TLS and on their own machine, are let in; on a server that others reach over plain HTTP
/// the form would be refused as another site's. There the policy of all pages stays, by which other
/// sites don't hear of the address either.
pub(super) fn with_secret_address(app: &AppState, mut response: Response) -> Response {
    if app.config.is_https() || app.config.is_local_only() {
        response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    response
}

/// A way to a provider.
#[derive(Clone, Debug)]
pub struct ProviderLink {
    /// Where it begins.
    pub href: String,
    /// What people call the provider.
    pub label: String,
}

impl ProviderLink {
    /// Signs in through `provider` and goes on to `next`; an invitation lets it bring an account along.
    fn through(provider: &Provider, next: &str, invitation: Option<&str>) -> Self {
        Self { href: way_through(provider.name(), next, invitation), label: provider.label().to_owned() }
    }
}

/// The ways to all providers.
pub(super) fn provider_links(app: &AppState, next: &str, invitation: Option<&str>) -> Vec<ProviderLink> {
    app.providers.all().iter().map(|provider| ProviderLink::through(provider, next, invitation)).collect()
}

fn way_through(provider: &str, next: &str, invitation: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", next);
    if let Some(token) = invitation {
        query.append_pair("invitation", token);
    }
    format!("/signin/with/{provider}?{}", query.finish())
}

/// What a link proves; `None`: it was used, has ended, or never was.
async fn look_at_link(app: &AppState, token: &str, purpose: Purpose) -> Result<Option<FoundLink>> {
    match services::links::look(app, token, purpose).await {
        Ok(found) => Ok(Some(found)),
        Err(AppError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A link that leads nowhere any more, and the way to a new one.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeadLink {
    title: &'static str,
    message: &'static str,
    href: &'static str,
    label: &'static str,
}

impl DeadLink {
    const SIGN_UP: Self = Self {
        title: "This link no longer works",
        message: "It was used, or its 24 hours are over. Sign up once more, and a new one is sent.",
        href: "/signup",
        label: "Sign up again",
    };
    const RESET: Self = Self {
        title: "This link no longer works",
        message: "It was used, or its half hour is over. Your password is as it was, unless you changed it.",
        href: "/forgot",
        label: "Ask for a new link",
    };
    const EMAIL: Self = Self {
        title: "This link no longer works",
        message: "It was used, its half hour is over, or it is for another account than the one that you are \
            signed in to. On your account's page you get a new one.",
        href: "/account",
        label: "Open your account",
    };
    pub(super) const INVITATION: Self = Self {
        title: "This invitation is not open",
        message: "It was accepted, taken back, or its time is over. Ask whoever sent it for a new one.",
        href: "/",
        label: "Go to the first page",
    };
}

#[derive(Template)]
#[template(path = "accounts/dead_link.html")]
struct DeadLinkPage {
    shell: Shell,
    link: DeadLink,
}

/// The page behind a link that leads nowhere any more.
pub(super) fn dead_link(app: &AppState, look: Look, link: DeadLink) -> Response {
    let shell = Shell::new(app, look, None);
    with_secret_address(app, with_status(StatusCode::NOT_FOUND, &DeadLinkPage { shell, link }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_stays_on_this_server() {
        for path in ["/", "/projects/kws-edge/runs?before=7", "/a/b#c", "/%C3%A9"] {
            assert_eq!(local_path(path), path);
        }
        for path in [
            "",
            "https://example.org",
            "//example.org",
            "/\\example.org",
            "\\\\a",
            "/\t/example.org",
            "/é",
            "javascript:1",
            "/a\r\nb",
        ] {
            assert_eq!(local_path(path), "/", "{path:?}");
        }
    }

    #[test]
    fn what_a_way_to_a_provider_carries_stays_in_its_place() {
        assert_eq!(way_through("google", "/", None), "/signin/with/google?next=%2F");
        assert_eq!(
            way_through("sso", "/a?b=c&invitation=x\"", Some("tri_7")),
            "/signin/with/sso?next=%2Fa%3Fb%3Dc%26invitation%3Dx%22&invitation=tri_7"
        );
    }
}
