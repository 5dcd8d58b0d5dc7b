//! The cookies of sign-in: the session's token, and what a browser is known by.

use std::sync::{Arc, OnceLock};

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use time::Duration;

use crate::app::App;
use crate::config::Config;
use crate::domain::secret_token;
use crate::services::sign_in::NewSession;

/// A session ends when it was not used for this long.
pub const IDLE_LIFETIME: Duration = Duration::days(7);
/// A session ends this long after signing in, however much it is used.
pub const ABSOLUTE_LIFETIME: Duration = Duration::days(30);
/// The characters of a token: 256 bits.
pub const TOKEN_CHARS: usize = 43;

const SESSION_COOKIE: &str = "otrace_session";
/// The cookie of a browser in which somebody has signed in before.
pub(super) const KNOWN_BROWSER_COOKIE: &str = "otrace_device";
/// The cookie that binds a sign-in through a provider to its browser.
pub(super) const PROVIDER_COOKIE: &str = "otrace_oauth";
const KNOWN_BROWSER_LIFETIME: Duration = Duration::days(180);
const PROVIDER_LIFETIME: Duration = Duration::minutes(20);

/// What the database knows of a session's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionHash(pub [u8; 32]);

/// Where a request that renews its session's token leaves the new one for the answer.
#[derive(Clone, Debug, Default)]
pub struct RenewedToken(Arc<OnceLock<String>>);

impl RenewedToken {
    /// Leaves a token.
    pub(super) fn set(&self, token: String) {
        // Only one request can renew a token, and it does so once.
        let _ = self.0.set(token);
    }

    /// Sets the cookie of a token that was left, unless the answer sets that cookie already.
    pub fn bring(&self, app: &App, headers: &mut HeaderMap) {
        let Some(token) = self.0.get() else { return };
        let cookie = session_cookie(app, token);
        let is_set =
            |value: &HeaderValue| value.to_str().is_ok_and(|text| text.split('=').next() == Some(cookie.name()));
        if headers.get_all(SET_COOKIE).iter().any(is_set) {
            return;
        }
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            headers.append(SET_COOKIE, value);
        }
    }
}

/// A cookie's full name. The prefix `__Host-` binds it to this host and to TLS; plain HTTP, which only
/// makes sense on one's own machine, can't have it.
pub(super) fn cookie_name(config: &Config, name: &str) -> String {
    if config.is_https() { format!("__Host-{name}") } else { name.to_owned() }
}

/// The cookie that signs a browser in.
pub fn session_cookie(app: &App, token: &str) -> Cookie<'static> {
    cookie(&app.config, SESSION_COOKIE, token.to_owned(), ABSOLUTE_LIFETIME, SameSite::Lax)
}

/// The cookies that a browser gets when somebody signs in there.
pub fn signed_in_cookies(app: &App, session: &NewSession) -> CookieJar {
    let known = session.known_browser.clone();
    // It only ever goes along with our own forms, so it may be stricter than the session.
    let known = cookie(&app.config, KNOWN_BROWSER_COOKIE, known, KNOWN_BROWSER_LIFETIME, SameSite::Strict);
    CookieJar::new().add(session_cookie(app, &session.token)).add(known)
}

/// The cookie that signs a browser out.
pub fn ended_session_cookie(app: &App) -> Cookie<'static> {
    cookie(&app.config, SESSION_COOKIE, String::new(), Duration::ZERO, SameSite::Lax)
}

/// The cookie that binds a sign-in through a provider to its browser. The provider's answer comes from
/// another site, so it can't be stricter than `Lax`.
pub fn provider_cookie(app: &App, secret: &str) -> Cookie<'static> {
    cookie(&app.config, PROVIDER_COOKIE, secret.to_owned(), PROVIDER_LIFETIME, SameSite::Lax)
}

fn cookie(config: &Config, name: &str, value: String, max_age: Duration, same_site: SameSite) -> Cookie<'static> {
    Cookie::build((cookie_name(config, name), value))
        .path("/")
        .http_only(true)
        .same_site(same_site)
        .secure(config.is_https())
        .max_age(max_age)
        .build()
}

/// The hash of the token in a request's cookie.
pub fn session_hash(config: &Config, headers: &HeaderMap) -> Option<SessionHash> {
    let jar = CookieJar::from_headers(headers);
    let token = jar.get(&cookie_name(config, SESSION_COOKIE))?.value();
    (token.len() == TOKEN_CHARS).then(|| SessionHash(secret_token::hash(token)))
}
