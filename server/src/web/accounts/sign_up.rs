//! Signing up: with a password, or through a link that proves the address.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::new_password::NewPasswordPage;
use super::{
    DeadLink, Newcomer, Noticed, PasswordForm, ProviderLink, dead_link, form_refused, look_at_link, provider_links,
    signed_in,
};
use crate::app::AppState;
use crate::auth::{Client, MaybeSignedIn};
use crate::domain::one_time_link::Purpose;
use crate::error::{AppError, Result};
use crate::extract::{Form, Path, Query};
use crate::services;
use crate::services::accounts::{SignUp, SignUpDoor};
use crate::web::shell::Shell;
use crate::web::{Look, form_again, page};

#[derive(Template)]
#[template(path = "accounts/sign_up.html")]
struct SignUpPage {
    shell: Shell,
    newcomer: Newcomer,
    /// The domains whose addresses may sign up, where not all may.
    domains: Option<String>,
    providers: Vec<ProviderLink>,
    alert: Option<String>,
}

impl SignUpPage {
    /// The form behind this door; `None`: there is none.
    fn new(app: &AppState, look: Look, door: &SignUpDoor) -> Option<Self> {
        let (asks_password, domains) = match door {
            SignUpDoor::WithPassword => (true, None),
            SignUpDoor::ByMail(domains) => (false, (!domains.is_empty()).then(|| domains.join(" or "))),
            _ => return None,
        };
        Some(Self {
            shell: Shell::new(app, look, None),
            newcomer: Newcomer::empty(asks_password, None),
            domains,
            providers: provider_links(app, "/", None),
            alert: None,
        })
    }

    fn with_email_error(mut self, message: String) -> Self {
        self.newcomer.email_error = Some(message);
        self
    }
}

#[derive(Template)]
#[template(path = "accounts/no_sign_up.html")]
struct NoSignUpPage {
    shell: Shell,
    sentence: &'static str,
    /// Whether the first account is made on the server itself.
    is_first: bool,
    providers: Vec<ProviderLink>,
}

impl NoSignUpPage {
    fn new(app: &AppState, look: Look, door: &SignUpDoor) -> Self {
        let sentence = match door {
            SignUpDoor::ThroughProvider => "Who signs in through a provider for the first time gets an account:",
            SignUpDoor::FirstAccountOnServer => {
                "The first account runs this server, so it is made on the machine itself:"
            }
            SignUpDoor::ByInvitation => {
                "An account here comes with an invitation. Ask somebody who has one for an invitation link."
            }
            SignUpDoor::WithPassword | SignUpDoor::ByMail(_) | SignUpDoor::Closed => {
                "Sign-up is switched off. Ask whoever runs this server for an account."
            }
        };
        let is_through_provider = *door == SignUpDoor::ThroughProvider;
        Self {
            shell: Shell::new(app, look, None),
            sentence,
            is_first: *door == SignUpDoor::FirstAccountOnServer,
            providers: if is_through_provider { provider_links(app, "/", None) } else { Vec::new() },
        }
    }
}

#[derive(Template)]
#[template(path = "accounts/mail_sent.html")]
pub(super) struct MailSentPage {
    pub(super) shell: Shell,
    pub(super) sentence: &'static str,
}

/// `GET /signup`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    MaybeSignedIn(signed_in): MaybeSignedIn,
    Query(Noticed { notice }): Query<Noticed>,
) -> Result<Response> {
    if signed_in.is_some() {
        return Ok(Redirect::to("/").into_response());
    }
    if notice == "sent" {
        let sentence = "A letter with a link is on its way to the address that you entered. Open it within 24 hours, \
            and choose your password there.";
        return Ok(page(&MailSentPage { shell: Shell::new(&app, look, None), sentence }));
    }
    let door = services::accounts::sign_up_door(&app).await?;
    Ok(match SignUpPage::new(&app, look.clone(), &door) {
        Some(form) => page(&form),
        None => page(&NoSignUpPage::new(&app, look, &door)),
    })
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

/// `POST /signup`
pub async fn submit(
    State(app): State<AppState>,
    look: Look,
    client: Client,
    Form(SignUpForm { name, email, password }): Form<SignUpForm>,
) -> Result<Response> {
    let door = services::accounts::sign_up_door(&app).await?;
    let Some(mut again) = SignUpPage::new(&app, look.clone(), &door) else {
        return Ok(form_again(&NoSignUpPage::new(&app, look, &door)));
    };
    again.newcomer = again.newcomer.typed(&name, &email, &password);
    if !again.newcomer.is_right() {
        return Ok(form_again(&again));
    }
    let asks_password = again.newcomer.asks_password;
    let done = if asks_password {
        let session = services::accounts::sign_up(&app, SignUp { email, name, password }, &client).await;
        session.map(|session| signed_in(&app, &session, "/"))
    } else {
        let asked = services::accounts::ask_to_sign_up(&app, &email, &name, &client).await;
        asked.map(|()| Redirect::to("/signup?notice=sent").into_response())
    };
    match done {
        Ok(response) => Ok(response),
        Err(refused @ AppError::Conflict(_)) => Ok(form_again(&again.with_email_error(refused.message()))),
        Err(refused @ AppError::Invalid(_)) if !asks_password => {
            Ok(form_again(&again.with_email_error(refused.message())))
        }
        Err(refused) => form_refused(refused, |message| SignUpPage { alert: Some(message), ..again }),
    }
}

/// `GET /signup/{token}`
pub async fn finish_form(State(app): State<AppState>, look: Look, Path(token): Path<String>) -> Result<Response> {
    Ok(match look_at_link(&app, &token, Purpose::SignUp).await? {
        Some(link) => NewPasswordPage::to_sign_up(&app, look, &link.email).show(&app),
        None => dead_link(&app, look, DeadLink::SIGN_UP),
    })
}

/// `POST /signup/{token}`
pub async fn finish(
    State(app): State<AppState>,
    look: Look,
    client: Client,
    Path(token): Path<String>,
    Form(PasswordForm { password }): Form<PasswordForm>,
) -> Result<Response> {
    let refused = match services::accounts::finish_sign_up(&app, &token, &password, &client).await {
        Ok(session) => return Ok(signed_in(&app, &session, "/")),
        Err(refused) => refused,
    };
    match look_at_link(&app, &token, Purpose::SignUp).await? {
        Some(link) => NewPasswordPage::to_sign_up(&app, look, &link.email).refuse(&app, refused),
        None => Ok(dead_link(&app, look, DeadLink::SIGN_UP)),
    }
}
