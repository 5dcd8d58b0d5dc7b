//! The table `webhook_deliveries`: trying what waits, and what became of it. Messages get there by [`super::outbox`].
//!
//! Servers claim what is due for a minute, passing over what another is at; who dies meanwhile leaves it to the next.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Target, unknown_word};
use crate::domain::webhook::{Delivery, DeliveryState, Event};
use crate::domain::{DeliveryId, ProjectId, RunId, WebhookId};

/// So many messages of a webhook are under way at once, or a few more where several servers are at it: a receiver that
/// answers slowly does not hold up others.
const UNDER_WAY_MAX: i64 = 4;
/// What follows a message of the same run waits for so many tries of it.
const TRIES_IN_ORDER: i32 = 3;

/// A message that this server tries now, and nobody else until its lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// What the receiver knows it by.
    pub id: DeliveryId,
    /// Whose message it is.
    pub webhook_id: WebhookId,
    /// That webhook's name.
    pub webhook_name: String,
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// The run that it tells of.
    pub run_id: Option<RunId>,
    /// What it tells.
    pub event: Event,
    /// When that happened.
    pub occurred_at: OffsetDateTime,
    /// What is sent, if it was tried before.
    pub body: Option<String>,
    /// How often it was tried, with this time.
    pub attempts: i32,
    /// Until when nobody else tries it.
    pub leased_until: OffsetDateTime,
    /// Where it goes.
    pub target: Target,
}

/// Takes up to `limit` messages that are due, of each webhook a few.
///
/// Goes from webhook to webhook along the index of what waits: one that has very much waiting costs no more.
pub async fn claim(
    connection: &mut PgConnection,
    now: OffsetDateTime,
    leased_until: OffsetDateTime,
    limit: i64,
) -> sqlx::Result<Vec<Claimed>> {
    let rows = sqlx::query!(
        r#"
        WITH RECURSIVE waiting AS (
            (
                SELECT webhook_id FROM webhook_deliveries
                WHERE next_attempt_at IS NOT NULL
                ORDER BY webhook_id, next_attempt_at
                LIMIT 1
            )
            UNION ALL
            SELECT further.webhook_id
            FROM waiting CROSS JOIN LATERAL (
                SELECT webhook_id FROM webhook_deliveries
                WHERE next_attempt_at IS NOT NULL AND webhook_id > waiting.webhook_id
                ORDER BY webhook_id, next_attempt_at
                LIMIT 1
            ) further
        ),
        -- None is always the first: whoever has much that waits must not keep all others waiting.
        shuffled AS MATERIALIZED (
            SELECT w.id
            FROM waiting
            JOIN webhooks w ON w.id = waiting.webhook_id AND w.turned_off_at IS NULL
            JOIN projects p ON p.id = w.project_id AND p.deleted_at IS NULL
            ORDER BY random()
        ),
        due AS (
            SELECT picked.id, w.id AS webhook_id
            FROM shuffled w
            CROSS JOIN LATERAL (
                SELECT count(*) AS underway
                FROM webhook_deliveries u
                WHERE u.webhook_id = w.id AND u.leased_until IS NOT NULL AND u.leased_until > $1
            ) busy
            CROSS JOIN LATERAL (
                SELECT d.id
                FROM webhook_deliveries d
                WHERE d.webhook_id = w.id AND d.next_attempt_at <= $1
                  -- The first of its run that waits, or of none.
                  AND COALESCE((
                      SELECT min(e.place)
                      FROM webhook_deliveries e
                      WHERE e.run_id = d.run_id AND e.webhook_id = d.webhook_id AND e.next_attempt_at IS NOT NULL
                        AND (e.attempts < $4 OR e.leased_until > $1)
                  ), d.place) >= d.place
                ORDER BY d.next_attempt_at, d.place
                LIMIT GREATEST($5 - busy.underway, 0)
                FOR UPDATE SKIP LOCKED
            ) picked
            LIMIT $3
        )
        UPDATE webhook_deliveries d
        SET attempts = d.attempts + 1, next_attempt_at = $2, leased_until = $2
        FROM due
        JOIN webhooks w ON w.id = due.webhook_id
        WHERE d.id = due.id
        RETURNING d.id AS "id: DeliveryId", d.webhook_id AS "webhook_id: WebhookId", w.name,
                  d.project_id AS "project_id: ProjectId", d.run_id AS "run_id: RunId", d.event, d.occurred_at, d.body,
                  d.attempts, w.url, w.format, w.secret,
                  CASE WHEN w.former_secret_until > $1 THEN w.former_secret END AS "former_secret?"
        "#,
        now,
        leased_until,
        limit,
        TRIES_IN_ORDER,
        UNDER_WAY_MAX,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Claimed {
                id: row.id,
                webhook_id: row.webhook_id,
                webhook_name: row.name,
                project_id: row.project_id,
                run_id: row.run_id,
                event: row.event.parse().map_err(unknown_word)?,
                occurred_at: row.occurred_at,
                body: row.body,
                attempts: row.attempts,
                leased_until,
                target: Target::new(row.url, &row.format, row.secret, row.former_secret)?,
            })
        })
        .collect()
}

/// Writes down a test that this server sends now, once.
pub async fn insert_test(
    connection: &mut PgConnection,
    project_id: ProjectId,
    webhook_id: WebhookId,
    leased_until: OffsetDateTime,
    now: OffsetDateTime,
) -> sqlx::Result<DeliveryId> {
    sqlx::query_scalar!(
        r#"
        INSERT INTO webhook_deliveries (webhook_id, project_id, event, occurred_at, created_at, attempts, leased_until)
        VALUES ($1, $2, 'test', $3, $3, 1, $4)
        RETURNING id AS "id: DeliveryId"
        "#,
        webhook_id as WebhookId,
        project_id as ProjectId,
        now,
        leased_until,
    )
    .fetch_one(connection)
    .await
}

/// What came of a try.
#[derive(Debug, Default)]
pub struct Tried<'a> {
    /// What was sent; `None`: nothing was.
    pub body: Option<&'a str>,
    /// How long it took, in milliseconds.
    pub took_ms: Option<i32>,
    /// The status that was answered.
    pub status: Option<i32>,
    /// The beginning of the answer.
    pub answer: Option<&'a str>,
    /// Why there was none, or why it is not tried again.
    pub error: Option<&'a str>,
    /// Whether it was taken.
    pub is_delivered: bool,
    /// When it is tried again.
    pub next_attempt_at: Option<OffsetDateTime>,
}

/// Writes down what came of a try, unless somebody else has taken the message up since.
pub async fn record(
    connection: &mut PgConnection,
    claimed: &Claimed,
    tried: &Tried<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE webhook_deliveries
        SET body = COALESCE(body, $4), attempted_at = $5, took_ms = $6, status = $7, answer = $8, error = $9,
            delivered_at = CASE WHEN $10::boolean THEN $5::timestamptz END, next_attempt_at = $11, leased_until = NULL
        WHERE project_id = $1 AND id = $2 AND leased_until = $3
        ",
        claimed.project_id as ProjectId,
        claimed.id as DeliveryId,
        claimed.leased_until,
        tried.body,
        now,
        tried.took_ms,
        tried.status,
        tried.answer,
        tried.error,
        tried.is_delivered,
        tried.next_attempt_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives up what waits of a webhook.
pub async fn give_up_waiting(
    connection: &mut PgConnection,
    project_id: ProjectId,
    webhook_id: WebhookId,
    reason: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE webhook_deliveries
        SET next_attempt_at = NULL, leased_until = NULL, error = $3
        WHERE project_id = $1 AND webhook_id = $2 AND next_attempt_at IS NOT NULL
        ",
        project_id as ProjectId,
        webhook_id as WebhookId,
        reason,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Has a message of a webhook that is on tried anew, from now on. `false`: there is none that one could, or it is under
/// way.
pub async fn send_again(
    connection: &mut PgConnection,
    project_id: ProjectId,
    webhook_id: WebhookId,
    id: DeliveryId,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        UPDATE webhook_deliveries d
        SET next_attempt_at = $4, attempts = 0, delivered_at = NULL, leased_until = NULL
        FROM webhooks w
        WHERE d.project_id = $1 AND d.webhook_id = $2 AND d.id = $3 AND d.event <> 'test'
          AND (d.leased_until IS NULL OR d.leased_until <= $4)
          AND w.id = d.webhook_id AND w.project_id = $1 AND w.turned_off_at IS NULL
        ",
        project_id as ProjectId,
        webhook_id as WebhookId,
        id as DeliveryId,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How many messages wait for a try, of all projects: a number for whoever runs the server.
pub async fn waiting(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "waiting!" FROM webhook_deliveries WHERE next_attempt_at IS NOT NULL"#)
        .fetch_one(connection)
        .await
}

/// The last messages of a webhook, the newest first.
pub async fn list(
    connection: &mut PgConnection,
    project_id: ProjectId,
    webhook_id: WebhookId,
    limit: i64,
) -> sqlx::Result<Vec<Delivery>> {
    let rows = sqlx::query!(
        r#"
        SELECT d.id AS "id: DeliveryId", d.event, r.number AS "number?", d.created_at,
               d.attempts, d.next_attempt_at, d.delivered_at, d.attempted_at, d.took_ms, d.status, d.answer, d.error
        FROM webhook_deliveries d
        LEFT JOIN runs r ON r.id = d.run_id AND r.project_id = $1 AND r.deleted_at IS NULL
        WHERE d.project_id = $1 AND d.webhook_id = $2
        ORDER BY d.place DESC
        LIMIT $3
        "#,
        project_id as ProjectId,
        webhook_id as WebhookId,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Delivery {
                id: row.id,
                event: row.event.parse().map_err(unknown_word)?,
                run_number: row.number,
                created_at: row.created_at,
                attempts: row.attempts,
                state: DeliveryState::new(row.delivered_at, row.next_attempt_at),
                attempted_at: row.attempted_at,
                took_ms: row.took_ms,
                status: row.status,
                answer: row.answer,
                error: row.error,
            })
        })
        .collect()
}

/// Removes up to `limit` messages that were written down before, and wait no more. Returns how many there were.
pub async fn delete_old(connection: &mut PgConnection, before: OffsetDateTime, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "
        DELETE FROM webhook_deliveries
        WHERE id IN (
            SELECT id FROM webhook_deliveries
            WHERE created_at < $1 AND next_attempt_at IS NULL
            ORDER BY created_at
            LIMIT $2
            FOR UPDATE SKIP LOCKED
        )
        ",
        before,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
