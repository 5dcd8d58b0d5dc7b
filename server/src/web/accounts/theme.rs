//! How the reader wants pages to look.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use serde::Deserialize;

use super::local_path;
use crate::app::AppState;
use crate::extract::Form;
use crate::web::shell::{THEME_COOKIE, Theme};

const THEME_MAX_AGE: time::Duration = time::Duration::days(365);

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
    let cookie = Cookie::build((THEME_COOKIE, Theme::named(&form.theme).name()))
        .path("/")
        .max_age(THEME_MAX_AGE)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.config.is_https());
    (CookieJar::new().add(cookie), Redirect::to(local_path(&form.next))).into_response()
}
