//! `otrace login` in the browser: a person compares the short code of a machine, and lets it into a project.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::accounts::form_refused;
use super::format::Moment;
use super::shell::Shell;
use super::{Look, form_again, page, terminal};
use crate::app::AppState;
use crate::auth::SignedIn;
use crate::domain::DeviceLogin;
use crate::domain::device_login::shown;
use crate::error::{AppError, Result};
use crate::extract::{Form, Query};
use crate::services;

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    shell: Shell,
    /// The code as it was typed.
    code: String,
    code_error: Option<String>,
    /// The machine that waits with this code.
    machine: Option<Machine>,
    /// What became of it.
    outcome: Option<Outcome>,
    alert: Option<String>,
}

/// A machine that asks for a key.
struct Machine {
    program: String,
    name: String,
    address: Option<String>,
    asked: Moment,
    /// The code as the terminal shows it.
    code: String,
    choices: Vec<Choice>,
    project_error: Option<String>,
}

/// A project that a machine can be let into.
struct Choice {
    slug: String,
    name: String,
    is_chosen: bool,
}

/// How it ended.
struct Outcome {
    title: &'static str,
    sentence: &'static str,
}

impl Outcome {
    fn named(name: &str) -> Option<Self> {
        let (title, sentence) = match name {
            "approved" => ("Approved", "Go back to your terminal: it has its key in a moment."),
            "denied" => ("Turned down", "The machine gets no key. Its terminal says so."),
            _ => return None,
        };
        Some(Self { title, sentence })
    }
}

impl DevicePage {
    fn new(app: &AppState, look: Look, who: &SignedIn, code: String) -> Self {
        let shell = Shell::new(app, look, Some(&who.account));
        Self { shell, code, code_error: None, machine: None, outcome: None, alert: None }
    }

    /// The page with the machine; `chosen` is the slug of a project.
    async fn with_machine(self, app: &AppState, who: &SignedIn, login: &DeviceLogin, chosen: &str) -> Result<Self> {
        let choices = services::device_logins::choices(app, who).await?;
        let choices = choices.into_iter().map(|project| Choice {
            is_chosen: project.slug == chosen,
            name: terminal::clean(&project.name),
            slug: project.slug,
        });
        let machine = Machine {
            program: terminal::clean(&login.client),
            name: terminal::clean(&login.machine),
            address: login.address.as_deref().map(terminal::clean),
            asked: Moment::new(login.created_at, app.clock.now()),
            code: shown(&login.user_code),
            choices: choices.collect(),
            project_error: None,
        };
        Ok(Self { machine: Some(machine), ..self })
    }

    /// The page with what was wrong with the code.
    fn refuse_code(self, refused: AppError) -> Result<Response> {
        match refused {
            AppError::Invalid(_) => Ok(form_again(&Self { code_error: Some(refused.message()), ..self })),
            _ => form_refused(refused, |message| Self { alert: Some(message), ..self }),
        }
    }
}

/// What stands behind the `?` of the page.
#[derive(Default, Deserialize)]
pub struct DeviceQuery {
    #[serde(default)]
    code: String,
    /// What became of the machine.
    #[serde(default)]
    done: String,
}

/// `GET /device`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    who: SignedIn,
    Query(DeviceQuery { code, done }): Query<DeviceQuery>,
) -> Result<Response> {
    let empty = DevicePage::new(&app, look, &who, code);
    if let Some(outcome) = Outcome::named(&done) {
        return Ok(page(&DevicePage { outcome: Some(outcome), ..empty }));
    }
    if empty.code.trim().is_empty() {
        return Ok(page(&empty));
    }
    match services::device_logins::find(&app, &who, &empty.code).await {
        Ok(login) => Ok(page(&empty.with_machine(&app, &who, &login, "").await?)),
        Err(refused) => empty.refuse_code(refused),
    }
}

/// What the form sends.
#[derive(Deserialize)]
pub struct DecideForm {
    #[serde(default)]
    code: String,
    /// The slug of the project that the machine is let into.
    #[serde(default)]
    project: String,
    /// `approve` or `deny`.
    #[serde(default)]
    decision: String,
}

/// `POST /device`
pub async fn decide(
    State(app): State<AppState>,
    look: Look,
    who: SignedIn,
    Form(DecideForm { code, project, decision }): Form<DecideForm>,
) -> Result<Response> {
    let empty = DevicePage::new(&app, look, &who, code);
    // Looked for first, so that tries of codes are counted here as well.
    let login = match services::device_logins::find(&app, &who, &empty.code).await {
        Ok(login) => login,
        Err(refused) => return empty.refuse_code(refused),
    };
    let done = match decision.as_str() {
        "approve" => services::device_logins::approve(&app, &who, &empty.code, &project).await.map(|_| "approved"),
        "deny" => services::device_logins::deny(&app, &empty.code).await.map(|()| "denied"),
        _ => Err(AppError::invalid("Choose whether to approve it or to turn it down.")),
    };
    let refused = match done {
        Ok(done) => return Ok(Redirect::to(&format!("/device?done={done}")).into_response()),
        Err(refused) => refused,
    };
    let mut again = empty.with_machine(&app, &who, &login, &project).await?;
    if matches!(refused, AppError::Invalid(_))
        && let Some(machine) = &mut again.machine
        && !machine.choices.is_empty()
    {
        machine.project_error = Some(refused.message());
        return Ok(form_again(&again));
    }
    form_refused(refused, |message| DevicePage { alert: Some(message), ..again })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_of_ours_say_how_it_ended() {
        assert_eq!(Outcome::named("approved").map(|outcome| outcome.title), Some("Approved"));
        assert_eq!(Outcome::named("denied").map(|outcome| outcome.title), Some("Turned down"));
        assert!(Outcome::named("").is_none() && Outcome::named("<b>").is_none());
    }
}
