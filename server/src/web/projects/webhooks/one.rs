//! One webhook: what was chosen, a test, its last messages, another secret, and its end.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::OffsetDateTime;

use super::super::settings::refused_here;
use super::{Fields, WebhookForm, in_words, shown_once, webhooks_url};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::webhook::{Delivery, DeliveryState, Event, message_id};
use crate::domain::{DeliveryId, Role, WebhookId};
use crate::error::{AppError, Result};
use crate::extract::{Form, Path, Query};
use crate::services;
use crate::web::format::{self, Moment};
use crate::web::shell::{Look, SettingsPage, Shell, project_url};
use crate::web::{page, terminal};

#[derive(Template)]
#[template(path = "projects/webhooks/show.html")]
struct WebhookPage {
    shell: Shell,
    project: String,
    /// Where the webhook's forms go.
    url: String,
    id: String,
    name: String,
    host: String,
    made: String,
    /// What the last form did.
    notice: Option<String>,
    /// Why the last test did not get through.
    failure: Option<String>,
    is_on: bool,
    off_reason: Option<String>,
    /// Until when the secret before its present one is good.
    former_until: Option<Moment>,
    form: Fields,
    alert: Option<String>,
    messages: Vec<Message>,
}

/// A message in the list.
struct Message {
    /// Where "send again" goes, if it can.
    again: Option<String>,
    what: &'static str,
    at: Moment,
    run: Option<RunLink>,
    /// `msg_…`, as its receiver knows it.
    id: String,
    state: String,
    /// The class of its colour.
    class: &'static str,
    attempts: String,
    /// When it was last tried.
    tried: Option<Moment>,
    /// `200, after 84 ms`.
    answered: Option<String>,
    error: Option<String>,
    answer: Option<String>,
}

/// The run that a message tells of.
struct RunLink {
    href: String,
    /// `exp042`.
    experiment: String,
}

impl Message {
    fn new(project: &str, url: &str, delivery: &Delivery, now: OffsetDateTime) -> Self {
        let (class, state) = match delivery.state {
            DeliveryState::Delivered => ("", "delivered".to_owned()),
            DeliveryState::Waiting(at) if at <= now => ("", "going out".to_owned()),
            DeliveryState::Waiting(at) => ("warn", format!("next try {}", Moment::new(at, now).exact)),
            DeliveryState::GivenUp => ("bad", "not delivered".to_owned()),
        };
        let run = delivery.run_number.map(|number| {
            let experiment = otrace_wire::ExperimentId::new(number).to_string();
            RunLink { href: format!("{project}/runs/{experiment}"), experiment }
        });
        Self {
            again: (delivery.event != Event::Test && run.is_some())
                .then(|| format!("{url}/messages/{}/again", delivery.id)),
            what: in_words(delivery.event),
            at: Moment::new(delivery.created_at, now),
            run,
            id: message_id(delivery.id),
            state,
            class,
            attempts: format::counted(delivery.attempts.into(), "try", "tries"),
            tried: delivery.attempted_at.map(|at| Moment::new(at, now)),
            answered: answered(delivery),
            error: delivery.error.as_deref().map(terminal::clean),
            answer: delivery.answer.as_deref().filter(|answer| !answer.trim().is_empty()).map(terminal::clean),
        }
    }
}

/// `200, after 84 ms`.
fn answered(delivery: &Delivery) -> Option<String> {
    let status = delivery.status?;
    let took = delivery.took_ms.map(|ms| format!(", after {}\u{a0}ms", format::count(ms.into())));
    Some(format!("{status}{}", took.unwrap_or_default()))
}

/// `?done=saved`, `?tested={message}`: what was done by the form that led here.
#[derive(Default, Deserialize)]
pub struct Done {
    #[serde(default)]
    done: String,
    #[serde(default)]
    tested: String,
}

impl WebhookPage {
    /// The page as it is. For owners.
    async fn load(app: &AppState, look: Look, member: &ProjectMember, id: WebhookId, done: &Done) -> Result<Self> {
        let webhook = services::webhooks::find(app, member, id).await?;
        let deliveries = services::webhooks::deliveries(app, member, id).await?;
        let now = app.clock.now();
        let url = format!("{}/{id}", webhooks_url(&member.project));
        let (mut notice, mut failure) = (None, None);
        if let Some(test) = deliveries.iter().find(|delivery| delivery.id.to_string() == done.tested) {
            match (test.state, answered(test)) {
                (DeliveryState::Delivered, Some(answered)) => {
                    notice = Some(format!("The test arrived. It was answered {answered}."));
                }
                (_, Some(answered)) => failure = Some(format!("The test was answered {answered}.")),
                (_, None) => failure = test.error.as_deref().map(terminal::clean),
            }
        }
        match done.done.as_str() {
            "saved" => notice = Some("The webhook is saved.".to_owned()),
            "again" => notice = Some("The message goes out in a moment.".to_owned()),
            _ => {}
        }
        let by = webhook.created_by.as_deref().map(|name| format!(" by {}", terminal::clean(name)));
        let shell = Shell::of_settings(app, look, member, SettingsPage::Webhooks).await?;
        let base = project_url(&member.project);
        Ok(Self {
            shell: Shell { here: url.clone(), ..shell },
            project: terminal::clean(&member.project.name),
            id: id.to_string(),
            name: terminal::clean(&webhook.name),
            host: terminal::clean(&webhook.host()),
            made: format!("made {}{}", format::date(webhook.created_at), by.unwrap_or_default()),
            notice,
            failure,
            is_on: webhook.turned_off_at.is_none(),
            former_until: webhook.former_secret_until.filter(|at| *at > now).map(|at| Moment::new(at, now)),
            form: Fields::of(&webhook),
            off_reason: webhook.off_reason,
            alert: None,
            messages: deliveries.iter().map(|delivery| Message::new(&base, &url, delivery, now)).collect(),
            url,
        })
    }
}

fn webhook_id(text: &str) -> Result<WebhookId> {
    text.parse().map(WebhookId).map_err(|_| AppError::NotFound("Webhook"))
}

/// The id in the address, for an owner: to others no webhook is told apart from another.
fn asked(member: &ProjectMember, text: &str) -> Result<WebhookId> {
    member.require(Role::Owner).and_then(|()| webhook_id(text))
}

/// The webhook's page again, with what stood against what was asked.
async fn with_alert(
    app: &AppState,
    look: Look,
    member: &ProjectMember,
    id: WebhookId,
    refused: AppError,
) -> Result<Response> {
    let again = |here, refused: &AppError| WebhookPage { alert: Some(refused.message()), ..here };
    let nothing = Done::default();
    let here = WebhookPage::load(app, look, member, id, &nothing);
    refused_here(member, Role::Owner, refused, here, again).await
}

/// `GET /projects/{slug}/settings/webhooks/{webhook}`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, webhook)): Path<(String, String)>,
    Query(done): Query<Done>,
) -> Result<Response> {
    let id = asked(&member, &webhook)?;
    Ok(page(&WebhookPage::load(&app, look, &member, id, &done).await?))
}

/// `POST /projects/{slug}/settings/webhooks/{webhook}`: the same pairs as for a new one, and `on`.
pub async fn save(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, webhook)): Path<(String, String)>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let id = asked(&member, &webhook)?;
    let form = WebhookForm::read(pairs);
    let saved = match form.input() {
        Ok(input) => services::webhooks::change(&app, &member, id, input, form.is_on).await,
        Err(refused) => Err(refused),
    };
    match saved {
        Ok(()) => Ok(to_page(&member, id, "done=saved")),
        Err(refused) => {
            let nothing = Done::default();
            let here = WebhookPage::load(&app, look, &member, id, &nothing);
            let again = |here, refused: &AppError| {
                let (fields, alert) = form.refused(refused);
                WebhookPage { form: fields, is_on: form.is_on, alert, ..here }
            };
            refused_here(&member, Role::Owner, refused, here, again).await
        }
    }
}

fn to_page(member: &ProjectMember, id: WebhookId, done: &str) -> Response {
    Redirect::to(&format!("{}/{id}?{done}", webhooks_url(&member.project))).into_response()
}

/// `POST /projects/{slug}/settings/webhooks/{webhook}/test`
pub async fn test(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, webhook)): Path<(String, String)>,
) -> Result<Response> {
    let id = asked(&member, &webhook)?;
    match services::webhooks::test(&app, &member, id).await {
        Ok(message) => Ok(to_page(&member, id, &format!("tested={message}"))),
        Err(refused) => with_alert(&app, look, &member, id, refused).await,
    }
}

/// `POST /projects/{slug}/settings/webhooks/{webhook}/secret`
pub async fn replace_secret(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, webhook)): Path<(String, String)>,
) -> Result<Response> {
    let id = asked(&member, &webhook)?;
    let made = services::webhooks::replace_secret(&app, &member, id).await?;
    shown_once(&app, look, &member, &made, false).await
}

/// `POST /projects/{slug}/settings/webhooks/{webhook}/delete`
pub async fn delete(
    State(app): State<AppState>,
    member: ProjectMember,
    Path((_slug, webhook)): Path<(String, String)>,
) -> Result<Response> {
    let id = asked(&member, &webhook)?;
    services::webhooks::delete(&app, &member, id).await?;
    Ok(Redirect::to(&webhooks_url(&member.project)).into_response())
}

/// `POST /projects/{slug}/settings/webhooks/{webhook}/messages/{message}/again`
pub async fn send_again(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, webhook, message)): Path<(String, String, String)>,
) -> Result<Response> {
    let id = asked(&member, &webhook)?;
    let message = message.parse().map(DeliveryId).map_err(|_| AppError::NotFound("Message"))?;
    match services::webhooks::send_again(&app, &member, id, message).await {
        Ok(()) => Ok(to_page(&member, id, "done=again")),
        Err(refused) => with_alert(&app, look, &member, id, refused).await,
    }
}
