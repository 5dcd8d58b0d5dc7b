//! The table `runs`: single runs. Lists are in [`super::run_list`].
//!
//! Where a run is named by its id, the other conditions stand together as `(…) IS TRUE`: no index knows them so, and the
//! primary key answers. While the table is new, PostgreSQL takes it for tiny and any index for as good; it would take
//! one that begins with the project, and read all of the project's runs.

use otrace_wire::RunStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::unknown_word;
use crate::domain::{ProjectId, Run, RunId, RunRef};

/// The id of the run that people or machines name so; in a deleted project there is none.
pub async fn resolve(connection: &mut PgConnection, project_id: ProjectId, run: RunRef) -> sqlx::Result<Option<RunId>> {
    match run {
        RunRef::Experiment(experiment) => {
            sqlx::query_scalar!(
                r#"
                SELECT id AS "id: RunId" FROM runs
                WHERE project_id = $1 AND number = $2 AND deleted_at IS NULL
                  AND EXISTS (SELECT FROM projects p WHERE p.id = $1 AND p.deleted_at IS NULL)
                "#,
                project_id as ProjectId,
                experiment.number(),
            )
            .fetch_optional(connection)
            .await
        }
        RunRef::Id(id) => {
            sqlx::query_scalar!(
                r#"
                SELECT id AS "id: RunId" FROM runs
                WHERE id = $2 AND (project_id = $1 AND deleted_at IS NULL) IS TRUE
                  AND EXISTS (SELECT FROM projects p WHERE p.id = $1 AND p.deleted_at IS NULL)
                "#,
                project_id as ProjectId,
                id as RunId,
            )
            .fetch_optional(connection)
            .await
        }
    }
}

/// The same, and whether any webhook of the project is on.
pub async fn resolve_with_webhooks(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run: RunRef,
) -> sqlx::Result<Option<(RunId, bool)>> {
    let (id, number) = match run {
        RunRef::Id(id) => (Some(id), None),
        RunRef::Experiment(experiment) => (None, Some(experiment.number())),
    };
    let row = sqlx::query!(
        r#"
        SELECT r.id AS "id: RunId",
               EXISTS (SELECT FROM webhooks w WHERE w.project_id = $1 AND w.turned_off_at IS NULL) AS "has_webhooks!"
        FROM runs r
        WHERE r.id = COALESCE(
            $2::uuid,
            (SELECT named.id FROM runs named WHERE named.project_id = $1 AND named.number = $3::integer)
        )
          AND (r.project_id = $1 AND r.deleted_at IS NULL) IS TRUE
          AND EXISTS (SELECT FROM projects p WHERE p.id = $1 AND p.deleted_at IS NULL)
        "#,
        project_id as ProjectId,
        id as Option<RunId>,
        number,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.id, row.has_webhooks)))
}

/// Where a run stands, which nobody changes until the transaction ends.
pub async fn hold_status(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: RunId,
) -> sqlx::Result<Option<RunStatus>> {
    let status = sqlx::query_scalar!(
        "
        SELECT status FROM runs WHERE id = $2 AND (project_id = $1 AND deleted_at IS NULL) IS TRUE
        FOR NO KEY UPDATE
        ",
        project_id as ProjectId,
        id as RunId,
    )
    .fetch_optional(connection)
    .await?;
    status.map(|status| status.parse().map_err(unknown_word)).transpose()
}

/// These runs of the project, the newest first; those that are gone are left out.
pub async fn load(connection: &mut PgConnection, project_id: ProjectId, ids: &[RunId]) -> sqlx::Result<Vec<Run>> {
    let rows = sqlx::query!(
        r#"
        -- Materialised, so that the primary key answers, whatever is known of the table yet.
        WITH wanted AS MATERIALIZED (SELECT * FROM runs WHERE id = ANY($2))
        SELECT r.id AS "id: RunId", r.project_id AS "project_id: ProjectId", r.number,
               p.number AS "parent_number?", r.title, r.intent, r.setup, r.command, r.working_directory, r.status,
               r.tags, r.expected_artifact_paths, r.expected_log_paths, r.exit_code, r.signal, r.duration_seconds,
               r.created_at, r.updated_at, r.started_at, r.finished_at, r.last_contact_at, r.recorder,
               k.name AS "key_name?", a.name AS "author?"
        FROM wanted r
        LEFT JOIN runs p ON p.id = r.parent_id
        LEFT JOIN api_keys k ON k.id = r.api_key_id
        LEFT JOIN accounts a ON a.id = k.created_by
        WHERE r.project_id = $1 AND r.deleted_at IS NULL
        ORDER BY r.number DESC
        "#,
        project_id as ProjectId,
        ids as &[RunId],
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Run {
                id: row.id,
                project_id: row.project_id,
                number: row.number,
                parent_number: row.parent_number,
                title: row.title,
                intent: row.intent,
                setup: row.setup,
                command: row.command,
                working_directory: row.working_directory,
                status: row.status.parse().map_err(unknown_word)?,
                tags: row.tags,
                expected_artifact_paths: row.expected_artifact_paths,
                expected_log_paths: row.expected_log_paths,
                exit_code: row.exit_code,
                signal: row.signal,
                duration_seconds: row.duration_seconds,
                created_at: row.created_at,
                updated_at: row.updated_at,
                started_at: row.started_at,
                finished_at: row.finished_at,
                last_contact_at: row.last_contact_at,
                recorder: row.recorder,
                key_name: row.key_name,
                author: row.author,
            })
        })
        .collect()
}

/// What changes when a run starts or ends; `None` leaves a field as it is.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Where it stands now.
    pub status: Option<RunStatus>,
    /// The command's exit code.
    pub exit_code: Option<i32>,
    /// What the signal is called that ended it.
    pub signal: Option<String>,
    /// How long it ran, in seconds.
    pub duration_seconds: Option<f64>,
    /// When it started.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

/// Writes down how a run goes. `false`: the project has no such run.
///
/// A run that has ended does not run again: its starting and its end may arrive in either order.
pub async fn update_outcome(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: RunId,
    outcome: &Outcome,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        UPDATE runs
        SET status           = CASE WHEN $3 IN ('created', 'running') AND status IN ('completed', 'failed', 'capture_failed')
                                    THEN status ELSE COALESCE($3, status) END,
            exit_code        = COALESCE($4, exit_code),
            duration_seconds = COALESCE($5, duration_seconds),
            started_at       = COALESCE($6, started_at),
            finished_at      = COALESCE($7, finished_at),
            signal           = COALESCE($9, signal),
            updated_at       = $8
        WHERE id = $2 AND (project_id = $1 AND deleted_at IS NULL) IS TRUE
        ",
        project_id as ProjectId,
        id as RunId,
        outcome.status.map(RunStatus::as_str),
        outcome.exit_code,
        outcome.duration_seconds,
        outcome.started_at,
        outcome.finished_at,
        now,
        outcome.signal.as_deref(),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Locks a run until the transaction ends, so that its details are replaced by one request at a
/// time, and notes the change. `false`: the project has no such run.
pub async fn lock(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: RunId,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE runs SET updated_at = $3 WHERE id = $2 AND (project_id = $1 AND deleted_at IS NULL) IS TRUE",
        project_id as ProjectId,
        id as RunId,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Hides one run, or all of the project's. Returns how many were there.
pub async fn delete(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: Option<RunId>,
    now: OffsetDateTime,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "
        UPDATE runs
        SET deleted_at = $3
        WHERE project_id = $1 AND deleted_at IS NULL AND ($2::uuid IS NULL OR id = $2)
        ",
        project_id as ProjectId,
        id as Option<RunId>,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
