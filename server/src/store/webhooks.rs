//! The table `webhooks`. What they tell is written by [`outbox`] and sent by way of [`deliveries`].

pub mod deliveries;
pub mod outbox;

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::unknown_word;
use crate::domain::webhook::{DeliveryState, Event, Format, SigningSecret, Webhook};
use crate::domain::{AccountId, ProjectId, WebhookId};

/// What is written of a new webhook.
#[derive(Debug)]
pub struct NewWebhook<'a> {
    /// Its id.
    pub id: WebhookId,
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// What it says, where, and how.
    pub settings: &'a WebhookSettings,
    /// What it signs with.
    pub secret: &'a SigningSecret,
    /// Who made it.
    pub created_by: AccountId,
    /// Now.
    pub created_at: OffsetDateTime,
}

/// What people choose for a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// What it is called.
    pub name: String,
    /// Where it goes.
    pub url: String,
    /// How what it says is written.
    pub format: Format,
    /// What it tells.
    pub events: Vec<Event>,
}

impl WebhookSettings {
    fn event_words(&self) -> Vec<String> {
        self.events.iter().map(|event| event.as_str().to_owned()).collect()
    }
}

/// Adds a webhook.
pub async fn insert(connection: &mut PgConnection, webhook: &NewWebhook<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO webhooks (id, project_id, name, url, format, events, secret, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ",
        webhook.id as WebhookId,
        webhook.project_id as ProjectId,
        webhook.settings.name,
        webhook.settings.url,
        webhook.settings.format.as_str(),
        &webhook.settings.event_words(),
        webhook.secret.as_bytes(),
        webhook.created_by as AccountId,
        webhook.created_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A webhook, and what became of its last message.
#[derive(Clone, Debug)]
pub struct ListedWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// When its last message was written down, and how far it is.
    pub last: Option<(OffsetDateTime, DeliveryState)>,
}

/// The project's webhooks, the oldest first.
pub async fn list(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Vec<ListedWebhook>> {
    select(connection, project_id, None).await
}

/// One webhook of the project.
pub async fn find(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: WebhookId,
) -> sqlx::Result<Option<Webhook>> {
    Ok(select(connection, project_id, Some(id)).await?.pop().map(|listed| listed.webhook))
}

async fn select(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: Option<WebhookId>,
) -> sqlx::Result<Vec<ListedWebhook>> {
    let rows = sqlx::query!(
        r#"
        SELECT w.id AS "id: WebhookId", w.name, w.url, w.format, w.events, w.created_at, w.former_secret_until,
               w.turned_off_at, w.off_reason, a.name AS "created_by?",
               last.created_at AS "last_at?", last.next_attempt_at AS "last_next_attempt_at?",
               last.delivered_at AS "last_delivered_at?"
        FROM webhooks w
        LEFT JOIN accounts a ON a.id = w.created_by
        LEFT JOIN LATERAL (
            SELECT d.created_at, d.next_attempt_at, d.delivered_at
            FROM webhook_deliveries d
            WHERE d.webhook_id = w.id
            ORDER BY d.place DESC
            LIMIT 1
        ) last ON true
        WHERE w.project_id = $1 AND ($2::uuid IS NULL OR w.id = $2)
        ORDER BY w.created_at, w.id
        "#,
        project_id as ProjectId,
        id as Option<WebhookId>,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let state = DeliveryState::new(row.last_delivered_at, row.last_next_attempt_at);
            let webhook = Webhook {
                id: row.id,
                project_id,
                name: row.name,
                url: row.url,
                format: row.format.parse().map_err(unknown_word)?,
                events: events(&row.events)?,
                created_by: row.created_by,
                created_at: row.created_at,
                former_secret_until: row.former_secret_until,
                turned_off_at: row.turned_off_at,
                off_reason: row.off_reason,
            };
            Ok(ListedWebhook { webhook, last: row.last_at.map(|at| (at, state)) })
        })
        .collect()
}

fn events(words: &[String]) -> sqlx::Result<Vec<Event>> {
    words.iter().map(|word| word.parse().map_err(unknown_word)).collect()
}

/// Changes what was chosen for a webhook. `false`: the project has no such webhook.
///
/// One that is on already stays on since when it was, and so does one that is off.
pub async fn change(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: WebhookId,
    settings: &WebhookSettings,
    is_on: bool,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        UPDATE webhooks
        SET name = $3, url = $4, format = $5, events = $6,
            turned_off_at = CASE WHEN $7::boolean THEN NULL ELSE COALESCE(turned_off_at, $8::timestamptz) END,
            off_reason    = CASE WHEN $7::boolean THEN NULL ELSE off_reason END
        WHERE project_id = $1 AND id = $2
        ",
        project_id as ProjectId,
        id as WebhookId,
        settings.name,
        settings.url,
        settings.format.as_str(),
        &settings.event_words(),
        is_on,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Turns a webhook off. `false`: it is off, or gone, already.
pub async fn turn_off(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: WebhookId,
    reason: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        UPDATE webhooks
        SET turned_off_at = $3, off_reason = $4
        WHERE project_id = $1 AND id = $2 AND turned_off_at IS NULL
        ",
        project_id as ProjectId,
        id as WebhookId,
        now,
        reason,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a webhook another secret; the one before signs along until `former_until`. `false`: there is no such webhook.
pub async fn replace_secret(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: WebhookId,
    secret: &SigningSecret,
    former_until: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        UPDATE webhooks
        SET former_secret = secret, former_secret_until = $4, secret = $3
        WHERE project_id = $1 AND id = $2
        ",
        project_id as ProjectId,
        id as WebhookId,
        secret.as_bytes(),
        former_until,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes a webhook and its messages. `false`: the project has no such webhook.
pub async fn delete(connection: &mut PgConnection, project_id: ProjectId, id: WebhookId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM webhooks WHERE project_id = $1 AND id = $2",
        project_id as ProjectId,
        id as WebhookId,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What a try at a webhook needs.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it goes.
    pub url: String,
    /// How what it says is written.
    pub format: Format,
    /// What it signs with: its secret, and the one before while that is good.
    pub secrets: Vec<SigningSecret>,
}

impl Target {
    fn new(url: String, format: &str, secret: Vec<u8>, former_secret: Option<Vec<u8>>) -> sqlx::Result<Self> {
        let secrets = [Some(secret), former_secret].into_iter().flatten().map(SigningSecret::stored).collect();
        Ok(Self { url, format: format.parse().map_err(unknown_word)?, secrets })
    }
}

/// What a try at one webhook of the project needs.
pub async fn target(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: WebhookId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Target>> {
    let row = sqlx::query!(
        r#"
        SELECT url, format, secret, CASE WHEN former_secret_until > $3 THEN former_secret END AS "former_secret?"
        FROM webhooks
        WHERE project_id = $1 AND id = $2
        "#,
        project_id as ProjectId,
        id as WebhookId,
        now,
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| Target::new(row.url, &row.format, row.secret, row.former_secret)).transpose()
}
