//! A project's webhooks: their list, a new one, and each with its messages.

pub mod one;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use time::OffsetDateTime;

use super::settings::refused_here;
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::text::normalize_name;
use crate::domain::webhook::{DeliveryState, Event, Format, Webhook};
use crate::domain::{Project, Role};
use crate::error::{AppError, Result};
use crate::extract::Form;
use crate::services;
use crate::services::webhooks::{ListedWebhook, NewSecret, WebhookInput};
use crate::web::format::Moment;
use crate::web::shell::{Choice, Look, SettingsPage, Shell, project_url};
use crate::web::{page, page_with_secret, terminal};

#[derive(Template)]
#[template(path = "projects/webhooks/list.html")]
struct ListPage {
    shell: Shell,
    project: String,
    /// Where the form goes.
    base: String,
    webhooks: Vec<Row>,
    form: Fields,
    /// What stood in the way beside the fields.
    alert: Option<String>,
}

/// A webhook in the list.
struct Row {
    url: String,
    name: String,
    host: String,
    format: &'static str,
    events: String,
    last: Option<Last>,
    is_on: bool,
    /// Why the server turned it off.
    off_reason: Option<String>,
}

/// What became of a webhook's last message.
struct Last {
    at: Moment,
    state: &'static str,
    /// The class of its colour.
    class: &'static str,
}

/// The fields of a webhook's form, as they are or as they were typed.
struct Fields {
    name: String,
    name_error: Option<String>,
    url: String,
    url_error: Option<String>,
    formats: Vec<Choice>,
    events: Vec<Choice>,
    events_error: Option<String>,
}

/// What the form of a webhook sends.
#[derive(Default)]
struct WebhookForm {
    name: String,
    url: String,
    format: String,
    events: Vec<String>,
    is_on: bool,
}

/// What is told unless its owner says otherwise.
const USUAL_EVENTS: [Event; 4] = [Event::Completed, Event::Failed, Event::CaptureFailed, Event::OutOfContact];

/// What an event is called beside a checkbox.
const fn in_words(event: Event) -> &'static str {
    match event {
        Event::Completed => "Run finished",
        Event::Failed => "Run failed",
        Event::CaptureFailed => "Capture failed",
        Event::OutOfContact => "Out of contact",
        Event::BackInContact => "Back in contact",
        Event::Test => "Test",
    }
}

const fn format_in_words(format: Format) -> &'static str {
    match format {
        Format::Trace => "JSON",
        Format::Slack => "Slack",
    }
}

impl Fields {
    fn new(name: &str, url: &str, format: Format, events: &[Event]) -> Self {
        let format_choice = |this: Format| Choice {
            value: this.as_str().to_owned(),
            label: match this {
                Format::Trace => "JSON: everything, for programs",
                Format::Slack => "Slack, and what takes the same",
            }
            .to_owned(),
            is_chosen: this == format,
        };
        let event_choice = |this: Event| Choice {
            value: this.as_str().to_owned(),
            label: in_words(this).to_owned(),
            is_chosen: events.contains(&this),
        };
        Self {
            name: name.to_owned(),
            name_error: None,
            url: url.to_owned(),
            url_error: None,
            formats: Format::ALL.map(format_choice).into(),
            events: Event::CHOICES.map(event_choice).into(),
            events_error: None,
        }
    }

    fn of(webhook: &Webhook) -> Self {
        Self::new(&webhook.name, &webhook.url, webhook.format, &webhook.events)
    }
}

impl WebhookForm {
    fn read(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "name" => form.name = value,
                "url" => form.url = value,
                "format" => form.format = value,
                "event" => form.events.push(value),
                "on" => form.is_on = true,
                _ => {}
            }
        }
        form
    }

    fn input(&self) -> Result<WebhookInput> {
        let format = self.format.parse().map_err(|_| AppError::invalid("Choose one of the formats."))?;
        Ok(WebhookInput { name: self.name.clone(), url: self.url.clone(), format, events: self.events() })
    }

    /// What was chosen, each once; what nobody can choose is left out.
    fn events(&self) -> Vec<Event> {
        Event::CHOICES.into_iter().filter(|event| self.events.iter().any(|word| word == event.as_str())).collect()
    }

    /// The fields as they were typed, with what was refused at its field; what is about none comes beside.
    fn refused(&self, refused: &AppError) -> (Fields, Option<String>) {
        let fields = Fields::new(&self.name, &self.url, self.format.parse().unwrap_or_default(), &self.events());
        let message = Some(refused.message());
        match refused {
            AppError::Invalid(_) if normalize_name(&self.name).is_err() => {
                (Fields { name_error: message, ..fields }, None)
            }
            AppError::Invalid(_) if self.events().is_empty() => (Fields { events_error: message, ..fields }, None),
            AppError::Invalid(_) if self.format.parse::<Format>().is_ok() => {
                (Fields { url_error: message, ..fields }, None)
            }
            _ => (fields, message),
        }
    }
}

/// Where a project's webhooks are.
fn webhooks_url(project: &Project) -> String {
    format!("{}/settings/webhooks", project_url(project))
}

impl Row {
    fn new(base: &str, listed: ListedWebhook, now: OffsetDateTime) -> Self {
        let ListedWebhook { webhook, last } = listed;
        let events: Vec<&str> = webhook.events.iter().map(|event| in_words(*event)).collect();
        Self {
            url: format!("{base}/{}", webhook.id),
            name: terminal::clean(&webhook.name),
            host: terminal::clean(&webhook.host()),
            format: format_in_words(webhook.format),
            events: events.join(", "),
            last: last.map(|(at, state)| {
                let (class, state) = match state {
                    DeliveryState::Delivered => ("", "delivered"),
                    DeliveryState::Waiting(_) => ("warn", "waiting"),
                    DeliveryState::GivenUp => ("bad", "not delivered"),
                };
                Last { at: Moment::new(at, now), state, class }
            }),
            is_on: webhook.turned_off_at.is_none(),
            off_reason: webhook.off_reason,
        }
    }
}

impl ListPage {
    /// The page as it is. For owners.
    async fn load(app: &AppState, look: Look, member: &ProjectMember) -> Result<Self> {
        let listed = services::webhooks::list(app, member).await?;
        let base = webhooks_url(&member.project);
        let now = app.clock.now();
        Ok(Self {
            shell: Shell::of_settings(app, look, member, SettingsPage::Webhooks).await?,
            project: terminal::clean(&member.project.name),
            webhooks: listed.into_iter().map(|listed| Row::new(&base, listed, now)).collect(),
            form: Fields::new("", "", Format::Trace, &USUAL_EVENTS),
            alert: None,
            base,
        })
    }
}

/// `GET /projects/{slug}/settings/webhooks`
pub async fn list(State(app): State<AppState>, look: Look, member: ProjectMember) -> Result<Response> {
    Ok(page(&ListPage::load(&app, look, &member).await?))
}

/// `POST /projects/{slug}/settings/webhooks`: pairs of `name`, `url`, `format` and one `event` for each that is told.
pub async fn create(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let form = WebhookForm::read(pairs);
    let made = match form.input() {
        Ok(input) => services::webhooks::create(&app, &member, input).await,
        Err(refused) => member.require(Role::Owner).and(Err(refused)),
    };
    match made {
        Ok(made) => shown_once(&app, look, &member, &made, true).await,
        Err(refused) => {
            let list = ListPage::load(&app, look, &member);
            let again = |list: ListPage, refused: &AppError| {
                let (form, alert) = form.refused(refused);
                ListPage { form, alert, ..list }
            };
            refused_here(&member, Role::Owner, refused, list, again).await
        }
    }
}

#[derive(Template)]
#[template(path = "projects/webhooks/secret.html")]
struct SecretPage {
    shell: Shell,
    project: String,
    name: String,
    secret: String,
    /// The webhook's page.
    url: String,
    is_new: bool,
}

/// The page that shows a webhook's secret.
async fn shown_once(
    app: &AppState,
    look: Look,
    member: &ProjectMember,
    made: &NewSecret,
    is_new: bool,
) -> Result<Response> {
    let url = format!("{}/{}", webhooks_url(&member.project), made.webhook.id);
    let shell = Shell::of_settings(app, look, member, SettingsPage::Webhooks).await?;
    Ok(page_with_secret(&SecretPage {
        shell: Shell { here: url.clone(), ..shell },
        project: terminal::clean(&member.project.name),
        name: terminal::clean(&made.webhook.name),
        secret: made.secret.shown(),
        url,
        is_new,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> WebhookForm {
        WebhookForm::read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_form_chooses_each_event_once_and_only_those_on_offer() {
        let sent = form(&[
            ("event", "run.failed"),
            ("event", "run.completed"),
            ("event", "run.failed"),
            ("event", "test"),
            ("on", "1"),
        ]);
        assert_eq!(sent.events(), [Event::Completed, Event::Failed]);
        assert!(sent.is_on && !form(&[]).is_on);
        assert!(form(&[("format", "teams")]).input().is_err());
    }

    #[test]
    fn what_is_refused_stands_at_its_field() {
        let refused = AppError::invalid("no");
        let whole = [("name", "CI"), ("url", "x"), ("format", "slack"), ("event", "run.failed")];
        let at_field =
            |fields: &Fields| (fields.name_error.is_some(), fields.url_error.is_some(), fields.events_error.is_some());
        let without = |left_out: usize| {
            let mut some = whole.to_vec();
            some.remove(left_out);
            let (fields, alert) = form(&some).refused(&refused);
            (at_field(&fields), alert.is_some())
        };
        assert_eq!(without(0), ((true, false, false), false));
        assert_eq!(without(1), ((false, true, false), false));
        assert_eq!(without(2), ((false, false, false), true));
        assert_eq!(without(3), ((false, false, true), false));
        let (fields, alert) = form(&whole).refused(&AppError::Conflict("no".into()));
        assert_eq!((at_field(&fields), alert.as_deref()), ((false, false, false), Some("no")));
        assert!(fields.formats[1].is_chosen && fields.events[1].is_chosen && !fields.events[0].is_chosen);
    }
}
