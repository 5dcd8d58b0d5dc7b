//! One's signed-in browsers: the list of them, and ending them.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use time::OffsetDateTime;

use crate::app::AppState;
use crate::auth::{SignedIn, ended_session_cookie};
use crate::domain::SessionId;
use crate::error::{AppError, Result};
use crate::extract::Path;
use crate::services;
use crate::services::sign_in::SessionView;
use crate::web::format::Moment;
use crate::web::terminal;

/// A signed-in browser in the list.
pub(super) struct Row {
    pub(super) id: String,
    /// Which browser on which system.
    pub(super) browser: String,
    pub(super) address: String,
    pub(super) since: Moment,
    pub(super) last_seen: Moment,
    pub(super) is_current: bool,
}

impl Row {
    pub(super) fn new(session: SessionView, now: OffsetDateTime) -> Self {
        Self {
            id: session.id.to_string(),
            browser: browser_in_words(session.user_agent.as_deref().unwrap_or_default()),
            address: session.address.map_or_else(|| "unknown".to_owned(), |address| terminal::clean(&address)),
            since: Moment::new(session.created_at, now),
            last_seen: Moment::new(session.last_seen_at, now),
            is_current: session.is_current,
        }
    }
}

/// `Firefox on Linux`, from what a browser calls itself. Anybody can call themselves anything, so only words of
/// ours are shown.
fn browser_in_words(user_agent: &str) -> String {
    // Each names those that it descends from as well: the youngest comes first.
    const BROWSERS: [(&str, &str); 12] = [
        ("Edg/", "Edge"),
        ("EdgA/", "Edge"),
        ("EdgiOS/", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("FxiOS/", "Firefox"),
        ("Firefox/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Chromium/", "Chromium"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [(&str, &str); 8] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("CrOS", "ChromeOS"),
        ("Windows", "Windows"),
        ("Macintosh", "macOS"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => format!("A browser on {system}"),
        (None, None) => "Unknown browser".to_owned(),
    }
}

/// `POST /account/sessions/{session}/end`
pub async fn end(State(app): State<AppState>, signed_in: SignedIn, Path(session): Path<String>) -> Result<Response> {
    let id = session.parse().map(SessionId).map_err(|_| AppError::NotFound("Session"))?;
    services::sign_in::end_session(&app, &signed_in, id).await?;
    Ok(Redirect::to("/account?notice=session").into_response())
}

/// `POST /account/sessions/end-all`
pub async fn end_all(State(app): State<AppState>, signed_in: SignedIn) -> Result<Response> {
    services::sign_in::end_all_sessions(&app, &signed_in).await?;
    Ok((CookieJar::new().add(ended_session_cookie(&app)), Redirect::to("/signin?notice=ended")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_told_by_its_own_name_and_its_system() {
        for (user_agent, words) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
                "Chrome on macOS",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/139.0.0.0 Mobile/15E148 Safari/604.1",
                "Chrome on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.14.1", "curl"),
            ("Mozilla/5.0 (X11; Linux x86_64)", "A browser on Linux"),
        ] {
            assert_eq!(browser_in_words(user_agent), words);
        }
    }

    #[test]
    fn what_calls_itself_something_else_is_unknown() {
        for user_agent in ["", "<script>alert(1)</script>", "Your account was closed, call 555", "\u{202e}\u{1b}[31m"] {
            assert_eq!(browser_in_words(user_agent), "Unknown browser");
        }
    }
}
