//! How the reader wants pages to look, and whether single keys do anything.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use serde::Deserialize;

use super::local_path;
use crate::app::AppState;
use crate::extract::Form;
use crate::web::shell::{KEYS_COOKIE, THEME_COOKIE, Theme};

const MAX_AGE: time::Duration = time::Duration::days(365);

/// What the theme's forms send.
#[derive(Deserialize)]
pub struct ThemeForm {
    #[serde(default)]
    theme: String,
    #[serde(default)]
    next: String,
}

/// `POST /theme`
pub async fn set(State(app): State<AppState>, Form(form): Form<ThemeForm>) -> Response {
    remembered(&app, (THEME_COOKIE, Theme::named(&form.theme).name()), &form.next)
}

/// What the form of single keys sends.
#[derive(Deserialize)]
pub struct KeysForm {
    #[serde(default)]
    single: String,
    #[serde(default)]
    next: String,
}

/// `POST /shortcuts`. Who speaks to their computer, or whose hands slip, presses keys that they don't mean.
pub async fn set_keys(State(app): State<AppState>, Form(form): Form<KeysForm>) -> Response {
    let keys = if form.single == "off" { "off" } else { "on" };
    remembered(&app, (KEYS_COOKIE, keys), &form.next)
}

/// Leads back, with a cookie that this browser keeps.
fn remembered(app: &AppState, named: (&'static str, &'static str), next: &str) -> Response {
    let cookie = Cookie::build(named)
        .path("/")
        .max_age(MAX_AGE)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.config.is_https());
    (CookieJar::new().add(cookie), Redirect::to(local_path(next))).into_response()
}
