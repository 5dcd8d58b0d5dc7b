//! Signing in and out.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::cookie::CookieJar;
use serde::Deserialize;

use super::{ProviderLink, end_former, form_refused, local_path, provider_links, signed_in};
use crate::app::AppState;
use crate::auth::{Browser, Client, MaybeSignedIn, SignedIn, ended_session_cookie};
use crate::error::{AppError, Result};
use crate::extract::{Form, Query};
use crate::services;
use crate::services::accounts::SignUpDoor;
use crate::web::shell::Shell;
use crate::web::{Look, form_again, page};

#[derive(Template)]
#[template(path = "accounts/sign_in.html")]
pub(super) struct SignInPage {
    shell: Shell,
    /// Whether people sign in with a password here.
    asks_password: bool,
    email: String,
    next: String,
    providers: Vec<ProviderLink>,
    hint: Hint,
    /// What has just happened.
    notice: Option<String>,
    /// What was wrong with the two fields.
    error: Option<String>,
    /// What stood in the way beside them.
    alert: Option<String>,
}

impl SignInPage {
    /// The empty page.
    pub(super) async fn new(app: &AppState, look: Look, next: String) -> Result<Self> {
        Ok(Self {
            shell: Shell::new(app, look, None),
            asks_password: app.config.sign_in.password_sign_in,
            email: String::new(),
            providers: provider_links(app, &next, None),
            next,
            hint: Hint::of(&services::accounts::sign_up_door(app).await?),
            notice: None,
            error: None,
            alert: None,
        })
    }

    /// The page with what stood in the way.
    pub(super) fn with_alert(self, alert: String) -> Self {
        Self { alert: Some(alert), ..self }
    }
}

/// How somebody without an account gets one.
struct Hint {
    text: &'static str,
    /// What the link to the sign-up page says.
    link: Option<&'static str>,
}

impl Hint {
    const fn of(door: &SignUpDoor) -> Self {
        let (text, link) = match door {
            SignUpDoor::WithPassword | SignUpDoor::ByMail(_) | SignUpDoor::ThroughProvider => {
                ("No account yet?", Some("Sign up"))
            }
            SignUpDoor::ByInvitation => ("No account yet? Ask a member for an invitation link.", None),
            SignUpDoor::FirstAccountOnServer => ("Nobody has an account yet.", Some("Make the first one")),
            SignUpDoor::Closed => ("No account yet? Ask whoever runs this server.", None),
        };
        Self { text, link }
    }
}

/// What stands behind the `?` of the sign-in page.
#[derive(Default, Deserialize)]
pub struct SignInQuery {
    #[serde(default)]
    next: String,
    #[serde(default)]
    notice: String,
    /// Which provider the notice is about.
    #[serde(default)]
    provider: String,
}

/// What has just happened, in a sentence of ours: an address must not be able to put words into our mouth.
fn notice(app: &AppState, query: &SignInQuery) -> Option<String> {
    match query.notice.as_str() {
        "reset" => Some("Your password is changed. Sign in with it.".to_owned()),
        "ended" => Some("You are signed out everywhere.".to_owned()),
        "confirm" => {
            let provider = app.providers.find(&query.provider).map_or("the provider", |provider| provider.label());
            Some(format!(
                "An account here has the address that {provider} vouched for. Sign in to it, and the two are linked."
            ))
        }
        _ => None,
    }
}

/// `GET /signin`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    MaybeSignedIn(signed_in): MaybeSignedIn,
    Query(query): Query<SignInQuery>,
) -> Result<Response> {
    if signed_in.is_some() {
        return Ok(Redirect::to(local_path(&query.next)).into_response());
    }
    let notice = notice(&app, &query);
    Ok(page(&SignInPage { notice, ..SignInPage::new(&app, look, query.next).await? }))
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
pub async fn submit(
    State(app): State<AppState>,
    look: Look,
    client: Client,
    browser: Browser,
    MaybeSignedIn(former): MaybeSignedIn,
    Form(form): Form<SignInForm>,
) -> Result<Response> {
    let refused = match services::sign_in::with_password(&app, &form.email, &form.password, &client, &browser).await {
        Ok(session) => {
            end_former(&app, former.as_ref()).await?;
            return Ok(signed_in(&app, &session, &form.next));
        }
        Err(refused) => refused,
    };
    let again = SignInPage { email: form.email, ..SignInPage::new(&app, look, form.next).await? };
    match refused {
        AppError::Invalid(_) => Ok(form_again(&SignInPage { error: Some(refused.message()), ..again })),
        _ => form_refused(refused, |message| again.with_alert(message)),
    }
}

/// `POST /signout`
pub async fn sign_out(State(app): State<AppState>, signed_in: SignedIn) -> Result<Response> {
    services::sign_in::sign_out(&app, &signed_in).await?;
    Ok((CookieJar::new().add(ended_session_cookie(&app)), Redirect::to("/signin")).into_response())
}
