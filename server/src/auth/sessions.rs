//! The cookie that holds a session's token.

use axum::http::HeaderMap;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use time::Duration;

use crate::app::App;
use crate::config::Config;
use crate::domain::secret_token;

/// A session ends when it was not used for this long.
pub const IDLE_LIFETIME: Duration = Duration::days(7);
/// A session ends this long after signing in, however much it is used.
pub const ABSOLUTE_LIFETIME: Duration = Duration::days(30);
/// The characters of a token: 256 bits.
pub const TOKEN_CHARS: usize = 43;

/// What the database knows of a session's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionHash(pub [u8; 32]);

/// The cookie's name. The prefix `__Host-` binds it to this host and to TLS; plain HTTP, which only
/// makes sense on one's own machine, can't have it.
const fn cookie_name(is_https: bool) -> &'static str {
    if is_https { "__Host-otrace_session" } else { "otrace_session" }
}

/// The cookie that signs a browser in.
pub fn session_cookie(app: &App, token: &str) -> Cookie<'static> {
    cookie(&app.config, token.to_owned(), ABSOLUTE_LIFETIME)
}

/// The cookie that signs a browser out.
pub fn ended_session_cookie(app: &App) -> Cookie<'static> {
    cookie(&app.config, String::new(), Duration::ZERO)
}

fn cookie(config: &Config, value: String, max_age: Duration) -> Cookie<'static> {
    Cookie::build((cookie_name(config.is_https()), value))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(config.is_https())
        .max_age(max_age)
        .build()
}

/// The hash of the token in a request's cookie.
pub fn session_hash(config: &Config, headers: &HeaderMap) -> Option<SessionHash> {
    let jar = CookieJar::from_headers(headers);
    let token = jar.get(cookie_name(config.is_https()))?.value();
    (token.len() == TOKEN_CHARS).then(|| SessionHash(secret_token::hash(token)))
}
