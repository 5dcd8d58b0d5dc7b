//! One's own account: profile, password, linked providers, sessions, projects, theme.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::sessions::Row;
use super::{Noticed, ProviderLink, form_refused, signed_in};
use crate::app::AppState;
use crate::auth::SignedIn;
use crate::domain::account::check_new_password;
use crate::error::{AppError, Result};
use crate::extract::{Form, Query};
use crate::services;
use crate::services::projects::ProjectSummary;
use crate::store::identities::LinkedIdentity;
use crate::web::format::{self, Moment};
use crate::web::shell::{Shell, Theme};
use crate::web::{Look, form_again, page, terminal};

#[derive(Template)]
#[template(path = "accounts/show.html")]
pub(super) struct AccountPage {
    shell: Shell,
    is_admin: bool,
    since: Moment,
    profile: Profile,
    /// `None`: passwords are switched off.
    password: Option<Password>,
    linked: Vec<Linked>,
    others: Vec<ProviderLink>,
    sessions: Vec<Row>,
    projects: Vec<Membership>,
    themes: Vec<ThemeChoice>,
    notice: Option<&'static str>,
    alert: Option<String>,
}

/// Name and address.
struct Profile {
    /// The name in its field.
    name: String,
    name_error: Option<String>,
    email: String,
    /// Whether the address is known to be theirs.
    is_confirmed: bool,
    /// Whether the server can send the link that changes it.
    may_move: bool,
    /// The address in the field for another one.
    new_email: String,
    email_error: Option<String>,
}

/// The form for a password.
struct Password {
    /// Whether there is one already.
    is_set: bool,
    current_error: Option<String>,
    new_error: Option<String>,
}

/// A linked identity.
struct Linked {
    id: String,
    label: String,
    email: Option<String>,
    since: Moment,
}

/// A project, as one's account lists it.
struct Membership {
    slug: String,
    name: String,
    role: &'static str,
    runs: String,
}

impl Membership {
    fn new(summary: ProjectSummary) -> Self {
        Self {
            runs: format::counted(summary.run_count, "run", "runs"),
            role: summary.role.as_str(),
            name: terminal::clean(&summary.project.name),
            slug: summary.project.slug,
        }
    }
}

/// A theme to choose.
struct ThemeChoice {
    name: &'static str,
    label: &'static str,
    is_current: bool,
}

impl AccountPage {
    /// The page as it is.
    pub(super) async fn load(app: &AppState, look: Look, who: &SignedIn) -> Result<Self> {
        let account = &who.account;
        let now = app.clock.now();
        let credentials = services::accounts::credentials(app, who).await?;
        let identities = services::provider_sign_in::linked(app, who).await?;
        let sessions = services::sign_in::sessions(app, who).await?;
        let projects = services::projects::list(app, account).await?;
        let shell = Shell::new(app, look, Some(account));
        let password = Password { is_set: credentials.password_hash.is_some(), current_error: None, new_error: None };
        Ok(Self {
            is_admin: account.is_admin,
            since: Moment::new(account.created_at, now),
            profile: Profile {
                name: account.name.clone(),
                name_error: None,
                email: terminal::clean(&account.email),
                is_confirmed: credentials.email_verified_at.is_some(),
                may_move: app.mailer.is_configured(),
                new_email: String::new(),
                email_error: None,
            },
            password: app.config.sign_in.password_sign_in.then_some(password),
            others: not_linked(app, &identities),
            linked: identities
                .into_iter()
                .map(|identity| Linked {
                    id: identity.id.to_string(),
                    label: terminal::clean(&services::provider_sign_in::label_of(app, &identity.issuer)),
                    email: identity.email.as_deref().map(terminal::clean),
                    since: Moment::new(identity.created_at, now),
                })
                .collect(),
            sessions: sessions.into_iter().map(|session| Row::new(session, now)).collect(),
            projects: projects.into_iter().map(Membership::new).collect(),
            themes: themes(shell.theme),
            notice: None,
            alert: None,
            shell,
        })
    }

    /// The page with what stood in the way.
    pub(super) fn with_alert(self, alert: String) -> Self {
        Self { alert: Some(alert), ..self }
    }

    fn with_password_errors(mut self, current_error: Option<String>, new_error: Option<String>) -> Self {
        self.password = self.password.map(|form| Password { current_error, new_error, ..form });
        self
    }
}

/// The providers that could be linked besides.
fn not_linked(app: &AppState, identities: &[LinkedIdentity]) -> Vec<ProviderLink> {
    let is_linked = |issuer: &str| identities.iter().any(|identity| identity.issuer == issuer);
    let others = app.providers.all().iter().filter(|provider| !is_linked(provider.issuer()));
    others
        .map(|provider| ProviderLink {
            href: format!("/account/identities/link/{}", provider.name()),
            label: provider.label().to_owned(),
        })
        .collect()
}

fn themes(current: &str) -> Vec<ThemeChoice> {
    let choices = [(Theme::System, "Follow system"), (Theme::Light, "Light"), (Theme::Dark, "Dark")];
    let choice = |(theme, label): (Theme, &'static str)| ThemeChoice {
        name: theme.name(),
        label,
        is_current: theme.name() == current,
    };
    choices.into_iter().map(choice).collect()
}

/// What has just happened, in a sentence of ours.
fn notice(name: &str) -> Option<&'static str> {
    match name {
        "name" => Some("Your name is changed."),
        "password" => Some("Your password is changed. Your other sessions are ended."),
        "email-sent" => Some("A letter with a link is on its way to your new address. Open it within half an hour."),
        "email" => Some("Your address is changed."),
        "linked" => Some("The provider is linked. You can sign in through it from now on."),
        "unlinked" => Some("The provider is no longer linked."),
        "session" => Some("The session is ended."),
        _ => None,
    }
}

/// `GET /account`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    who: SignedIn,
    Query(query): Query<Noticed>,
) -> Result<Response> {
    let loaded = AccountPage::load(&app, look, &who).await?;
    Ok(page(&AccountPage { notice: notice(&query.notice), ..loaded }))
}

/// What the form for the name sends.
#[derive(Deserialize)]
pub struct NameForm {
    #[serde(default)]
    name: String,
}

/// `POST /account/name`
pub async fn rename(
    State(app): State<AppState>,
    look: Look,
    who: SignedIn,
    Form(NameForm { name }): Form<NameForm>,
) -> Result<Response> {
    let refused = match services::accounts::rename(&app, &who, &name).await {
        Ok(()) => return Ok(Redirect::to("/account?notice=name").into_response()),
        Err(refused) => refused,
    };
    let mut again = AccountPage::load(&app, look, &who).await?;
    again.profile.name = name;
    match refused {
        AppError::Invalid(_) => {
            again.profile.name_error = Some(refused.message());
            Ok(form_again(&again))
        }
        _ => form_refused(refused, |message| again.with_alert(message)),
    }
}

/// What the form for a password sends.
#[derive(Deserialize)]
pub struct ChangePasswordForm {
    /// The password so far; nothing where there is none.
    #[serde(default)]
    current: String,
    /// The one from now on.
    #[serde(default)]
    password: String,
}

/// `POST /account/password`
pub async fn change_password(
    State(app): State<AppState>,
    look: Look,
    who: SignedIn,
    Form(form): Form<ChangePasswordForm>,
) -> Result<Response> {
    if !app.config.sign_in.password_sign_in {
        return Err(AppError::Forbidden("Passwords are switched off on this server. Sign in another way.".into()));
    }
    let known = [who.account.email.as_str(), who.account.name.as_str()];
    if let Err(invalid) = check_new_password(&form.password, &known) {
        let again = AccountPage::load(&app, look, &who).await?;
        return Ok(form_again(&again.with_password_errors(None, Some(invalid.0.to_owned()))));
    }
    let refused = match services::accounts::change_password(&app, &who, &form.current, &form.password).await {
        Ok(session) => return Ok(signed_in(&app, &session, "/account?notice=password")),
        Err(refused) => refused,
    };
    let again = AccountPage::load(&app, look, &who).await?;
    match refused {
        // The new one is right, so it is about the one so far.
        AppError::Invalid(_) => Ok(form_again(&again.with_password_errors(Some(refused.message()), None))),
        _ => form_refused(refused, |message| again.with_alert(message)),
    }
}

/// What the form for another address sends.
#[derive(Deserialize)]
pub struct EmailForm {
    #[serde(default)]
    email: String,
}

/// `POST /account/email`
pub async fn change_email(
    State(app): State<AppState>,
    look: Look,
    who: SignedIn,
    Form(EmailForm { email }): Form<EmailForm>,
) -> Result<Response> {
    let refused = match services::links::ask_for_email_change(&app, &who, &email).await {
        Ok(()) => return Ok(Redirect::to("/account?notice=email-sent").into_response()),
        Err(refused) => refused,
    };
    let mut again = AccountPage::load(&app, look, &who).await?;
    // Where the server can't send mail there is no such field.
    let has_field = again.profile.may_move;
    again.profile.new_email = email;
    match refused {
        AppError::Invalid(_) if has_field => {
            again.profile.email_error = Some(refused.message());
            Ok(form_again(&again))
        }
        _ => form_refused(refused, |message| again.with_alert(message)),
    }
}
