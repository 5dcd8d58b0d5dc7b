//! The columns of `runs` that tell when a run's machine was last heard of.

use otrace_wire::RunStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::unknown_word;
use crate::domain::{ProjectId, RunId, RunRef};

/// A run whose machine fell silent.
#[derive(Clone, Copy, Debug)]
pub struct SilentRun {
    /// The run.
    pub id: RunId,
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// Its number there.
    pub number: i32,
    /// Where it stands now.
    pub status: RunStatus,
    /// When that was written down.
    pub updated_at: OffsetDateTime,
}

/// A run that was heard of just now.
#[derive(Clone, Copy, Debug)]
pub struct HeardRun {
    /// The run.
    pub id: RunId,
    /// Its number in the project.
    pub number: i32,
    /// Where it stands now.
    pub status: RunStatus,
    /// Whether it is back from a silence.
    pub was_away: bool,
}

/// Notes that the machine of a run was heard of. Back from a silence in which the server gave it up, a run goes on.
/// `None`: the project has no such run. Holds the run's row until the transaction ends.
///
/// To within five seconds, because the row lies in many indexes: a busy run would write to all of them with each
/// request.
pub async fn note(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run: RunRef,
    now: OffsetDateTime,
) -> sqlx::Result<Option<HeardRun>> {
    let (id, number) = match run {
        RunRef::Id(id) => (Some(id), None),
        RunRef::Experiment(experiment) => (None, Some(experiment.number())),
    };
    let row = sqlx::query!(
        r#"
        WITH found AS (
            SELECT id, number, status, silenced_at IS NOT NULL AS is_given_up,
                   silenced_at IS NOT NULL OR last_contact_at < $4::timestamptz - interval '90 seconds' AS was_away,
                   silenced_at IS NOT NULL OR last_contact_at IS NULL
                       OR last_contact_at < $4::timestamptz - interval '5 seconds' AS is_due
            FROM runs
            -- The primary key alone answers: see `super::runs`.
            WHERE id = COALESCE(
                $2::uuid,
                (SELECT named.id FROM runs named WHERE named.project_id = $1 AND named.number = $3::integer)
            )
              AND (project_id = $1 AND deleted_at IS NULL) IS TRUE
            FOR NO KEY UPDATE
        ),
        noted AS (
            UPDATE runs r
            SET last_contact_at = $4,
                status          = CASE WHEN r.silenced_at IS NULL THEN r.status ELSE 'running' END,
                finished_at     = CASE WHEN r.silenced_at IS NULL THEN r.finished_at END,
                updated_at      = CASE WHEN found.was_away THEN $4 ELSE r.updated_at END,
                silenced_at     = NULL
            FROM found
            WHERE r.id = found.id AND (r.project_id = $1) IS TRUE AND found.is_due
        )
        SELECT id AS "id!: RunId", number AS "number!",
               CASE WHEN is_given_up THEN 'running' ELSE status END AS "status!",
               COALESCE(was_away, false) AS "was_away!"
        FROM found
        "#,
        project_id as ProjectId,
        id as Option<RunId>,
        number,
        now,
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        let status = row.status.parse().map_err(unknown_word)?;
        Ok(HeardRun { id: row.id, number: row.number, status, was_away: row.was_away })
    })
    .transpose()
}

/// Runs that were last heard of between these times, and are expected to go on.
pub async fn last_heard_between(
    connection: &mut PgConnection,
    after: OffsetDateTime,
    until: OffsetDateTime,
) -> sqlx::Result<Vec<SilentRun>> {
    let rows = sqlx::query!(
        r#"
        SELECT id AS "id: RunId", project_id AS "project_id: ProjectId", number, status, updated_at
        FROM runs
        WHERE status IN ('created', 'running') AND last_contact_at IS NOT NULL
          AND last_contact_at > $1 AND last_contact_at <= $2 AND deleted_at IS NULL
        "#,
        after,
        until,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = row.status.parse().map_err(unknown_word)?;
            Ok(SilentRun {
                id: row.id,
                project_id: row.project_id,
                number: row.number,
                status,
                updated_at: row.updated_at,
            })
        })
        .collect()
}

/// Gives up runs that were not heard of since `heard_before`.
pub async fn give_up(
    connection: &mut PgConnection,
    heard_before: OffsetDateTime,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<SilentRun>> {
    let rows = sqlx::query!(
        r#"
        UPDATE runs
        SET status = 'capture_failed', silenced_at = $2, finished_at = COALESCE(finished_at, last_contact_at),
            updated_at = $2
        WHERE status IN ('created', 'running') AND last_contact_at IS NOT NULL
          AND last_contact_at < $1 AND deleted_at IS NULL
        RETURNING id AS "id: RunId", project_id AS "project_id: ProjectId", number, status
        "#,
        heard_before,
        now,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = row.status.parse().map_err(unknown_word)?;
            Ok(SilentRun { id: row.id, project_id: row.project_id, number: row.number, status, updated_at: now })
        })
        .collect()
}
