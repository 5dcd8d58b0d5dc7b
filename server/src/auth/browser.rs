//! What a browser brings along besides its session.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;

use super::sessions::{KNOWN_BROWSER_COOKIE, PROVIDER_COOKIE, cookie_name};
use crate::app::AppState;
use crate::domain::AccountId;

/// What a browser brings along besides its session.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// Says that an account has signed in here before: its owner is not held up when others guess.
    known: Option<String>,
    /// What binds a sign-in through a provider to the browser that began it.
    pub attempt: Option<String>,
}

impl Browser {
    /// Whether this account has signed in here before.
    pub fn has_signed_in(&self, app: &AppState, account: AccountId) -> bool {
        let known = self.known.as_deref().and_then(|token| app.tokens.check_known_browser(token, app.clock.now()));
        known == Some(account)
    }
}

impl FromRequestParts<AppState> for Browser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let jar = CookieJar::from_headers(&parts.headers);
        let value = |name| jar.get(&cookie_name(&app.config, name)).map(|cookie| cookie.value().to_owned());
        Ok(Self { known: value(KNOWN_BROWSER_COOKIE), attempt: value(PROVIDER_COOKIE) })
    }
}
