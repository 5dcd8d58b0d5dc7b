//! Who did what: of a project, for its owners, and of the server, for those who run it.

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::format::{self, Moment};
use super::shell::{ServerPage, SettingsPage, Shell, project_url};
use super::{Look, page, terminal};
use crate::app::AppState;
use crate::auth::{Admin, ProjectMember};
use crate::domain::audit::{Action, Chain, to_hex};
use crate::domain::{Actor, AuditEvent, Role};
use crate::error::{AppError, Result};
use crate::extract::Query;
use crate::services;

#[derive(Template)]
#[template(path = "audit/list.html")]
struct AuditPage {
    shell: Shell,
    /// What ends the title.
    of: String,
    /// Whose deeds they are.
    about: String,
    export: String,
    events: Vec<Row>,
    range: String,
    newest: Option<String>,
    older: Option<String>,
}

/// An event in the list.
struct Row {
    number: String,
    at: Moment,
    actor: String,
    /// What kind of actor it is, where that is no person who was signed in.
    actor_kind: Option<&'static str>,
    what: String,
    target: String,
    details: String,
    address: Option<String>,
}

impl Row {
    fn new(event: AuditEvent, now: OffsetDateTime) -> Self {
        let detail = |(name, value): (String, String)| format!("{} {value}", name.replace('_', " "));
        let details: Vec<String> = event.details.into_iter().map(detail).collect();
        let is_about_itself =
            [Action::SignedIn, Action::SignedOut].iter().any(|action| action.as_str() == event.action);
        let known = Action::ALL.iter().find(|action| action.as_str() == event.action);
        Self {
            number: format::count(event.number),
            at: Moment::new(event.at, now),
            actor: terminal::clean(&event.actor),
            actor_kind: kind_in_words(&event.actor_kind),
            what: known.map_or_else(|| terminal::clean(&event.action), |action| in_words(*action).to_owned()),
            // Nobody signs in to another account than their own.
            target: if is_about_itself { String::new() } else { terminal::clean(&event.target) },
            details: terminal::clean(&details.join(", ")),
            address: event.address,
        }
    }
}

/// What kind of actor it was; nothing is said of people who were signed in.
fn kind_in_words(kind: &str) -> Option<&'static str> {
    match kind {
        "account" => None,
        "key" => Some("with a key"),
        "command" => Some("on the server itself"),
        _ => Some("not signed in"),
    }
}

/// What was done, as it stands between who did it and to what.
const fn in_words(action: Action) -> &'static str {
    match action {
        Action::AccountCreated => "created the account",
        Action::SignedIn => "signed in",
        Action::SignedOut => "signed out",
        Action::SessionsEnded => "ended sessions of",
        Action::PasswordChanged => "changed the password of",
        Action::PasswordReset => "chose a new password for",
        Action::ResetLinkMade => "made a password link for",
        Action::EmailChanged => "moved the account to",
        Action::IdentityLinked => "linked a provider to",
        Action::IdentityUnlinked => "unlinked a provider from",
        Action::AccountDisabled => "closed the account",
        Action::AccountEnabled => "opened the account",
        Action::AdminGranted => "made an admin of",
        Action::AdminRevoked => "took the admin's rights from",
        Action::SignUpPolicyChanged => "set the sign-up rule to",
        Action::ProjectCreated => "created the project",
        Action::ProjectChanged => "changed the settings of",
        Action::ProjectDeleted => "deleted the project",
        Action::ProjectRestored => "brought back the project",
        Action::ProjectRemoved => "removed for good the project",
        Action::AdminEntered => "entered, as an admin, the project",
        Action::InvitationMade => "invited",
        Action::InvitationRevoked => "took back the invitation of",
        Action::MemberJoined => "joined as",
        Action::MemberRoleChanged => "changed the role of",
        Action::MemberRemoved => "removed",
        Action::MemberLeft => "left, being",
        Action::OwnershipTransferred => "made the owner",
        Action::KeyCreated => "created the key",
        Action::KeyRotated => "replaced the key",
        Action::KeyRevoked => "revoked the key",
        Action::WebhookCreated => "created the webhook",
        Action::WebhookChanged => "changed the webhook",
        Action::WebhookSecretReplaced => "replaced the secret of the webhook",
        Action::WebhookDeleted => "deleted the webhook",
        Action::RunDeleted => "deleted the run",
        Action::RunRestored => "brought back the run",
        Action::AllRunsDeleted => "deleted all runs of",
        Action::RunsImported => "imported runs into",
        Action::AuditExported => "exported this log",
    }
}

/// `?before=`. What can't be read is not asked for.
#[derive(Deserialize)]
pub struct Before {
    #[serde(default)]
    before: String,
}

impl Before {
    fn number(&self) -> Option<i64> {
        self.before.parse().ok()
    }
}

impl AuditPage {
    fn new(shell: Shell, url: &str, before: Option<i64>, events: Vec<AuditEvent>, now: OffsetDateTime) -> Self {
        let count = i64::try_from(events.len()).unwrap_or_default();
        let oldest = events.last().map(|event| event.number).filter(|number| *number > 1);
        Self {
            shell,
            of: String::new(),
            about: String::new(),
            export: format!("{url}.json"),
            range: format::counted(count, "event", "events"),
            newest: before.map(|_| url.to_owned()),
            older: oldest.filter(|_| count == services::audit::PAGE).map(|number| format!("{url}?before={number}")),
            events: events.into_iter().map(|event| Row::new(event, now)).collect(),
        }
    }
}

/// `GET /projects/{slug}/audit`
pub async fn of_project(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Query(before): Query<Before>,
) -> Result<Response> {
    let before = before.number();
    let events = services::audit::of_project(&app, &member, before).await?;
    let shell = Shell::of_settings(&app, look, &member, SettingsPage::Audit).await?;
    let url = format!("{}/audit", project_url(&member.project));
    let project = terminal::clean(&member.project.name);
    Ok(page(&AuditPage {
        about: format!("Who did what in {project}, the newest first."),
        of: format!("{project} · Trace"),
        ..AuditPage::new(shell, &url, before, events, app.clock.now())
    }))
}

/// `GET /admin/audit`
pub async fn of_server(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Query(before): Query<Before>,
) -> Result<Response> {
    let before = before.number();
    let events = services::audit::of_server(&app, &admin, before).await?;
    let shell = Shell::of_server(&app, look, &admin.account, ServerPage::Audit);
    Ok(page(&AuditPage {
        about: format!(
            "Who did what to {} itself, the newest first. Projects have logs of their own.",
            shell.instance_name
        ),
        of: shell.site.clone(),
        ..AuditPage::new(shell, "/admin/audit", before, events, app.clock.now())
    }))
}

/// `GET /projects/{slug}/audit.json`
pub async fn export_of_project(State(app): State<AppState>, member: ProjectMember) -> Result<Response> {
    member.require(Role::Owner)?;
    let name = format!("{}-audit.json", member.project.slug);
    export(app, Chain::Project(member.project.id), &member.actor(), &name).await
}

/// `GET /admin/audit.json`
pub async fn export_of_server(State(app): State<AppState>, Admin(admin): Admin) -> Result<Response> {
    export(app, Chain::Server, &admin.actor(), "server-audit.json").await
}

/// An event as it is exported: what its hash is made of, and the hash.
#[derive(Serialize)]
struct Exported<'a> {
    #[serde(flatten)]
    event: &'a AuditEvent,
    hash: String,
}

/// An export on its way: however long a chain is, one piece of it is in memory.
struct Export {
    app: AppState,
    chain: Chain,
    /// What stands before the next event.
    lead: String,
    /// The last event that was sent.
    after: i64,
    has_ended: bool,
}

/// A chain as a JSON object. It is checked now, and the export itself is recorded first, as a part of it.
async fn export(app: AppState, chain: Chain, actor: &Actor, name: &str) -> Result<Response> {
    services::audit::note_export(&app, chain, actor).await?;
    let first_break = services::audit::check(&app, chain).await?;
    let first_break = first_break.map_or_else(|| "null".to_owned(), |number| number.to_string());
    let lead = format!("{{\"chain\":\"{}\",\"first_break\":{first_break},\"events\":[\n", chain.id());
    let begun = Export { app, chain, lead, after: 0, has_ended: false };

    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let disposition = format!("attachment; filename=\"{name}\"");
    headers.insert(CONTENT_DISPOSITION, HeaderValue::try_from(disposition).map_err(anyhow::Error::new)?);
    Ok((headers, Body::from_stream(stream::try_unfold(begun, next_part))).into_response())
}

/// The next part of an export, and what is left of it.
async fn next_part(mut export: Export) -> Result<Option<(String, Export)>> {
    if export.has_ended {
        return Ok(None);
    }
    let events = services::audit::piece(&export.app, export.chain, export.after).await?;
    let mut text = String::new();
    for (event, hash) in &events {
        text.push_str(&export.lead);
        text.push_str(&in_json(event, hash)?);
        ",\n".clone_into(&mut export.lead);
        export.after = event.number;
    }
    if events.is_empty() {
        let lead = if export.after == 0 { export.lead.as_str() } else { "" };
        text = format!("{lead}\n]}}\n");
        export.has_ended = true;
    }
    Ok(Some((text, export)))
}

fn in_json(event: &AuditEvent, hash: &[u8; 32]) -> Result<String> {
    let exported = Exported { event, hash: to_hex(hash) };
    serde_json::to_string(&exported).map_err(|error| AppError::Internal(error.into()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    fn event(action: &str) -> AuditEvent {
        AuditEvent {
            chain: Uuid::nil(),
            number: 1291,
            at: datetime!(2026-06-01 12:00 UTC),
            actor_kind: "key".to_owned(),
            actor_id: None,
            actor: "trc_5hQm\u{202e}…".to_owned(),
            action: action.to_owned(),
            target: "exp007".to_owned(),
            details: BTreeMap::from([("keys_revoked".to_owned(), "2".to_owned())]),
            address: Some("203.0.113.9".to_owned()),
            previous_hash: [7; 32],
        }
    }

    #[test]
    fn every_action_has_words_of_its_own() {
        let mut words: Vec<&str> = Action::ALL.iter().map(|action| in_words(*action)).collect();
        assert!(words.iter().all(|words| !words.is_empty()));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Action::ALL.len());
    }

    #[test]
    fn an_event_is_told_in_words_and_an_unknown_one_by_its_name() {
        let now = datetime!(2026-06-01 12:00 UTC);
        let row = Row::new(event("run.deleted"), now);
        assert_eq!((row.what.as_str(), row.target.as_str()), ("deleted the run", "exp007"));
        assert_eq!((row.actor.as_str(), row.actor_kind), ("trc_5hQm<U+202E>…", Some("with a key")));
        assert_eq!(row.details, "keys revoked 2");
        assert_eq!(Row::new(event("run.painted"), now).what, "run.painted");
    }

    #[test]
    fn an_exported_event_is_what_its_hash_is_made_of_and_the_hash() {
        let event = event("run.deleted");
        let exported = in_json(&event, &event.hash()).unwrap();
        let hashed = serde_json::to_string(&event).unwrap();
        let rest = exported.strip_prefix(hashed.trim_end_matches('}')).unwrap();
        assert_eq!(rest, format!(",\"hash\":\"{}\"}}", to_hex(&event.hash())));
        let read: Value = serde_json::from_str(&exported).unwrap();
        assert_eq!(read["hash"], to_hex(&event.hash()));
        assert_eq!(read["previous_hash"], "07".repeat(32));
    }
}
