//! A forgotten password: asking for a link, and choosing a new one behind it.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::new_password::NewPasswordPage;
use super::sign_up::MailSentPage;
use super::{DeadLink, Noticed, PasswordForm, dead_link, form_refused, look_at_link};
use crate::app::AppState;
use crate::auth::Client;
use crate::domain::one_time_link::Purpose;
use crate::error::{AppError, Result};
use crate::extract::{Form, Path, Query};
use crate::services;
use crate::web::shell::Shell;
use crate::web::{Look, form_again, page};

#[derive(Template)]
#[template(path = "accounts/forgot.html")]
struct ForgotPage {
    shell: Shell,
    /// Whether the server can send mail.
    sends_mail: bool,
    email: String,
    email_error: Option<String>,
    alert: Option<String>,
}

impl ForgotPage {
    fn new(app: &AppState, look: Look, email: String) -> Self {
        let shell = Shell::new(app, look, None);
        Self { shell, sends_mail: app.mailer.is_configured(), email, email_error: None, alert: None }
    }
}

/// `GET /forgot`
pub async fn ask_form(State(app): State<AppState>, look: Look, Query(Noticed { notice }): Query<Noticed>) -> Response {
    if notice == "sent" {
        let sentence = "If the address that you entered has an account here, a letter with a link is on its way to \
            it. The link works for half an hour.";
        return page(&MailSentPage { shell: Shell::new(&app, look, None), sentence });
    }
    page(&ForgotPage::new(&app, look, String::new()))
}

/// What the form for a link sends.
#[derive(Deserialize)]
pub struct ForgotForm {
    #[serde(default)]
    email: String,
}

/// `POST /forgot`: the same answer whether the address has an account or not.
pub async fn ask(
    State(app): State<AppState>,
    look: Look,
    client: Client,
    Form(ForgotForm { email }): Form<ForgotForm>,
) -> Result<Response> {
    if !app.mailer.is_configured() {
        return Ok(form_again(&ForgotPage::new(&app, look, email)));
    }
    let refused = match services::links::ask_for_reset(&app, &email, &client).await {
        Ok(()) => return Ok(Redirect::to("/forgot?notice=sent").into_response()),
        Err(refused) => refused,
    };
    let again = ForgotPage::new(&app, look, email);
    match refused {
        AppError::Invalid(_) => Ok(form_again(&ForgotPage { email_error: Some(refused.message()), ..again })),
        _ => form_refused(refused, |message| ForgotPage { alert: Some(message), ..again }),
    }
}

/// `GET /reset/{token}`
pub async fn form(State(app): State<AppState>, look: Look, Path(token): Path<String>) -> Result<Response> {
    Ok(match look_at_link(&app, &token, Purpose::PasswordReset).await? {
        Some(link) => NewPasswordPage::to_reset(&app, look, &link.email).show(&app),
        None => dead_link(&app, look, DeadLink::RESET),
    })
}

/// `POST /reset/{token}`
pub async fn submit(
    State(app): State<AppState>,
    look: Look,
    client: Client,
    Path(token): Path<String>,
    Form(PasswordForm { password }): Form<PasswordForm>,
) -> Result<Response> {
    let refused = match services::links::reset_password(&app, &token, &password, &client).await {
        Ok(()) => return Ok(Redirect::to("/signin?notice=reset").into_response()),
        Err(refused) => refused,
    };
    match look_at_link(&app, &token, Purpose::PasswordReset).await? {
        Some(link) => NewPasswordPage::to_reset(&app, look, &link.email).refuse(&app, refused),
        None => Ok(dead_link(&app, look, DeadLink::RESET)),
    }
}
