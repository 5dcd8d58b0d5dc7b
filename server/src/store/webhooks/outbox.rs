//! The table `webhook_deliveries`: what is to be told, written in the transaction that does what it tells of.
//!
//! Where a project has no webhook that tells it, nothing is written.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::webhook::Event;
use crate::domain::{ProjectId, RunId};

/// Writes down, for all webhooks that tell it, what happened now with each of these runs.
pub async fn queue(
    connection: &mut PgConnection,
    runs: &[(ProjectId, RunId)],
    event: Event,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let (projects, runs): (Vec<ProjectId>, Vec<RunId>) = runs.iter().copied().unzip();
    sqlx::query!(
        "
        INSERT INTO webhook_deliveries (webhook_id, project_id, run_id, event, occurred_at, created_at, next_attempt_at)
        SELECT w.id, r.project_id, r.run_id, $3::text, $4::timestamptz, $4, $4
        FROM unnest($1::uuid[], $2::uuid[]) AS r (project_id, run_id)
        JOIN webhooks w ON w.project_id = r.project_id AND w.turned_off_at IS NULL AND $3 = ANY (w.events)
        ",
        &projects as &[ProjectId],
        &runs as &[RunId],
        event.as_str(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes down that a run's machine is heard of again: where it was told that it was silent, and where only returns are
/// told.
pub async fn queue_return(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO webhook_deliveries (webhook_id, project_id, run_id, event, occurred_at, created_at, next_attempt_at)
        SELECT w.id, w.project_id, $2::uuid, 'run.back_in_contact', $3::timestamptz, $3, $3
        FROM webhooks w
        WHERE w.project_id = $1 AND w.turned_off_at IS NULL AND 'run.back_in_contact' = ANY (w.events)
          AND (NOT 'run.out_of_contact' = ANY (w.events) OR (
              SELECT d.event
              FROM webhook_deliveries d
              WHERE d.run_id = $2 AND d.webhook_id = w.id
              ORDER BY d.place DESC
              LIMIT 1
          ) IN ('run.out_of_contact', 'run.capture_failed'))
        ",
        project_id as ProjectId,
        run_id as RunId,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes down which runs that should go on were last heard of between these times. A silence is told once.
pub async fn queue_silences(
    connection: &mut PgConnection,
    after: OffsetDateTime,
    until: OffsetDateTime,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO webhook_deliveries (webhook_id, project_id, run_id, event, occurred_at, created_at, next_attempt_at)
        SELECT w.id, r.project_id, r.id, 'run.out_of_contact', r.last_contact_at, $3::timestamptz, $3
        FROM runs r
        JOIN webhooks w ON w.project_id = r.project_id AND w.turned_off_at IS NULL
                       AND 'run.out_of_contact' = ANY (w.events)
                       -- Made before it fell silent.
                       AND w.created_at <= r.last_contact_at + interval '90 seconds'
        JOIN projects p ON p.id = r.project_id AND p.deleted_at IS NULL
        WHERE r.status IN ('created', 'running') AND r.last_contact_at IS NOT NULL
          AND r.last_contact_at > $1 AND r.last_contact_at <= $2 AND r.deleted_at IS NULL
        ON CONFLICT (webhook_id, run_id, occurred_at) WHERE event = 'run.out_of_contact' DO NOTHING
        ",
        after,
        until,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}
