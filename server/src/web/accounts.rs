//! Signing up, in and out, and one's own account.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use serde::Deserialize;

use askama::Template;

use super::format::{self, Moment};
use super::shell::{Shell, THEME_COOKIE, Theme};
use super::{Look, form_again, page, terminal, with_status};
use crate::app::AppState;
use crate::auth::{Client, MaybeSignedIn, SignedIn, ended_session_cookie, session_cookie};
use crate::domain::account::{check_password, normalize_email};
use crate::domain::text::normalize_name;
use crate::error::{AppError, Result};
use crate::extract::{Form, Query};
use crate::services;
use crate::services::accounts::{SignUp, SignUpPolicy};

const THEME_MAX_AGE: time::Duration = time::Duration::days(365);

#[derive(Template)]
#[template(path = "accounts/sign_in.html")]
struct SignInPage {
    shell: Shell,
    email: String,
    next: String,
    /// What was wrong with the two fields.
    error: Option<String>,
    /// What stood in the way beside them.
    alert: Option<String>,
}

/// Where to go after signing in.
#[derive(Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /signin`
pub async fn sign_in_form(
    State(app): State<AppState>,
    look: Look,
    MaybeSignedIn(signed_in): MaybeSignedIn,
    Query(Next { next }): Query<Next>,
) -> Response {
    if signed_in.is_some() {
        return Redirect::to(local_path(&next)).into_response();
    }
    let shell = Shell::new(&app, look, None);
    page(&SignInPage { shell, email: String::new(), next, error: None, alert: None })
}

/// What the sign-in form sends.
#[derive(Deserialize)]
pub struct SignInForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /signin`
pub async fn sign_in(
    State(app): State<AppState>,
    look: Look,
    client: Client,
    Form(form): Form<SignInForm>,
) -> Result<Response> {
    let refused = match services::sign_in::with_password(&app, &form.email, &form.password, &client).await {
        Ok(session) => return Ok(signed_in(&app, &session.token, local_path(&form.next))),
        Err(refused) => refused,
    };
    let shell = Shell::new(&app, look, None);
    let again = SignInPage { shell, email: form.email, next: form.next, error: None, alert: None };
    match refused {
        AppError::Invalid(_) => Ok(form_again(&SignInPage { error: Some(refused.message()), ..again })),
        AppError::RateLimited { .. } | AppError::Unavailable(_) => {
            Ok(with_status(refused.status(), &SignInPage { alert: Some(refused.message()), ..again }))
        }
        _ => Err(refused),
    }
}

#[derive(Template)]
#[template(path = "accounts/sign_up.html")]
struct SignUpPage {
    shell: Shell,
    /// Whether an account can be made here.
    is_open: bool,
    name: String,
    email: String,
    name_error: Option<String>,
    email_error: Option<String>,
    password_error: Option<String>,
    alert: Option<String>,
}

impl SignUpPage {
    fn new(shell: Shell, is_open: bool, form: SignUpForm) -> Self {
        Self {
            shell,
            is_open,
            name: form.name,
            email: form.email,
            name_error: None,
            email_error: None,
            password_error: None,
            alert: None,
        }
    }

    fn has_errors(&self) -> bool {
        self.name_error.is_some() || self.email_error.is_some() || self.password_error.is_some()
    }
}

/// What the sign-up form sends.
#[derive(Default, Deserialize)]
pub struct SignUpForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

/// `GET /signup`
pub async fn sign_up_form(
    State(app): State<AppState>,
    look: Look,
    MaybeSignedIn(signed_in): MaybeSignedIn,
) -> Result<Response> {
    if signed_in.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    let is_open = matches!(services::accounts::is_sign_up_open(&app).await?, SignUpPolicy::Open);
    let shell = Shell::new(&app, look, None);
    Ok(page(&SignUpPage::new(shell, is_open, SignUpForm::default())))
}

/// `POST /signup`
pub async fn sign_up(
    State(app): State<AppState>,
    look: Look,
    client: Client,
    Form(form): Form<SignUpForm>,
) -> Result<Response> {
    let sentence = |invalid: crate::domain::text::Invalid| invalid.0.to_owned();
    let name_error = normalize_name(&form.name).err().map(sentence);
    let email_error = normalize_email(&form.email).err().map(sentence);
    let password_error = check_password(&form.password).err().map(sentence);
    let new = SignUp { email: form.email.clone(), name: form.name.clone(), password: form.password.clone() };
    let shell = Shell::new(&app, look, None);
    let again = SignUpPage { name_error, email_error, password_error, ..SignUpPage::new(shell, true, form) };
    if again.has_errors() {
        return Ok(form_again(&again));
    }
    let refused = match services::accounts::sign_up(&app, new, &client).await {
        Ok(session) => return Ok(signed_in(&app, &session.token, "/")),
        Err(refused) => refused,
    };
    let message = Some(refused.message());
    match refused {
        AppError::Conflict(_) => Ok(form_again(&SignUpPage { email_error: message, ..again })),
        AppError::Invalid(_) => Ok(form_again(&SignUpPage { alert: message, ..again })),
        AppError::RateLimited { .. } | AppError::Unavailable(_) => {
            Ok(with_status(refused.status(), &SignUpPage { alert: message, ..again }))
        }
        _ => Err(refused),
    }
}

/// `POST /signout`
pub async fn sign_out(State(app): State<AppState>, signed_in: SignedIn) -> Result<Response> {
    services::sign_in::sign_out(&app, &signed_in).await?;
    Ok((CookieJar::new().add(ended_session_cookie(&app)), Redirect::to("/signin")).into_response())
}

#[derive(Template)]
#[template(path = "accounts/show.html")]
struct AccountPage {
    shell: Shell,
    is_admin: bool,
    since: Moment,
    projects: Vec<Membership>,
    themes: Vec<ThemeChoice>,
}

/// A project, as one's account lists it.
struct Membership {
    slug: String,
    name: String,
    role: &'static str,
    runs: String,
}

/// A theme to choose.
struct ThemeChoice {
    name: &'static str,
    label: &'static str,
    is_current: bool,
}

/// `GET /account`
pub async fn show(State(app): State<AppState>, look: Look, SignedIn { account, .. }: SignedIn) -> Result<Response> {
    let projects = services::projects::list(&app, &account).await?;
    let shell = Shell::new(&app, look, Some(&account));
    let choices = [(Theme::System, "Follow system"), (Theme::Light, "Light"), (Theme::Dark, "Dark")];
    let themes = choices.map(|(theme, label)| ThemeChoice {
        name: theme.name(),
        label,
        is_current: theme.name() == shell.theme,
    });
    let memberships = projects.into_iter().map(|summary| Membership {
        runs: format::counted(summary.run_count, "run", "runs"),
        role: summary.role.as_str(),
        name: terminal::clean(&summary.project.name),
        slug: summary.project.slug,
    });
    Ok(page(&AccountPage {
        is_admin: account.is_admin,
        since: Moment::new(account.created_at, app.clock.now()),
        projects: memberships.collect(),
        themes: Vec::from(themes),
        shell,
    }))
}

/// What the theme's forms send.
#[derive(Deserialize)]
pub struct ThemeForm {
    #[serde(default)]
    theme: String,
    #[serde(default)]
    next: String,
}

/// `POST /theme`
pub async fn set_theme(State(app): State<AppState>, Form(form): Form<ThemeForm>) -> Response {
    let cookie = Cookie::build((THEME_COOKIE, Theme::named(&form.theme).name()))
        .path("/")
        .max_age(THEME_MAX_AGE)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(app.config.is_https());
    (CookieJar::new().add(cookie), Redirect::to(local_path(&form.next))).into_response()
}

fn signed_in(app: &AppState, token: &str, next: &str) -> Response {
    (CookieJar::new().add(session_cookie(app, token)), Redirect::to(next)).into_response()
}

/// `next` where it stays on this server, else `/`.
///
/// Browsers read `//host` and `/\host` as another server, and drop tabs and line breaks before they
/// do; what is not plain ASCII can't stand in a header.
fn local_path(next: &str) -> &str {
    let is_local = next.starts_with('/')
        && !next[1..].starts_with(['/', '\\'])
        && next.bytes().all(|byte| byte.is_ascii_graphic());
    if is_local { next } else { "/" }
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
}
