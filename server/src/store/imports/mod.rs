//! The tables `imports` and `staged_runs`. [`staging`] fills the latter, [`placing`] makes runs of it.

mod placing;
mod staging;

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::import::{Import, Placed};
use crate::domain::{ProjectId, RunId};

pub use placing::{Placing, analyze_runs, number, place, take_numbers};
pub use staging::{StagedRun, stage};

/// Begins an import. One whose id is there already is left as it is.
pub async fn insert(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: Uuid,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO imports (id, project_id, created_at, last_run_number)
        SELECT $2, p.id, $3, p.last_run_number
        FROM projects p
        WHERE p.id = $1
        ON CONFLICT (id) DO NOTHING
        ",
        project_id as ProjectId,
        id,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A row, before it is an import.
struct Row {
    last_run_number: i32,
    first_number: Option<i32>,
    run_count: Option<i32>,
    deleted_count: Option<i32>,
}

impl From<Row> for Import {
    fn from(row: Row) -> Self {
        let counts = row.run_count.zip(row.deleted_count);
        let placed = row.first_number.zip(counts).map(|(first_number, (run_count, deleted_count))| Placed {
            first_number,
            run_count,
            deleted_count,
        });
        Self { last_run_number: row.last_run_number, placed }
    }
}

/// The project's import with this id.
pub async fn find(connection: &mut PgConnection, project_id: ProjectId, id: Uuid) -> sqlx::Result<Option<Import>> {
    let row = sqlx::query_as!(
        Row,
        "
        SELECT last_run_number, first_number, run_count, deleted_count
        FROM imports
        WHERE project_id = $1 AND id = $2
        ",
        project_id as ProjectId,
        id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Import::from))
}

/// The same, kept from being placed until the transaction ends. Others may stage runs meanwhile.
pub async fn hold(connection: &mut PgConnection, project_id: ProjectId, id: Uuid) -> sqlx::Result<Option<Import>> {
    let row = sqlx::query_as!(
        Row,
        "
        SELECT last_run_number, first_number, run_count, deleted_count
        FROM imports
        WHERE project_id = $1 AND id = $2
        FOR SHARE
        ",
        project_id as ProjectId,
        id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Import::from))
}

/// The same, for whoever places it. `None`: somebody else has it at this moment, or it is gone.
pub async fn lock(connection: &mut PgConnection, project_id: ProjectId, id: Uuid) -> sqlx::Result<Option<Import>> {
    let row = sqlx::query_as!(
        Row,
        "
        SELECT last_run_number, first_number, run_count, deleted_count
        FROM imports
        WHERE project_id = $1 AND id = $2
        FOR UPDATE SKIP LOCKED
        ",
        project_id as ProjectId,
        id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Import::from))
}

/// Whether this transaction is now the only one that places runs in the project.
pub async fn take_turn(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtextextended('import ' || $1::text, 0)) AS "is_ours!""#,
        project_id.to_string(),
    )
    .fetch_one(connection)
    .await
}

/// How many runs the project has, the deleted ones not, up to this number.
pub async fn count_existing(
    connection: &mut PgConnection,
    project_id: ProjectId,
    last_number: i32,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM runs
        WHERE project_id = $1 AND number <= $2 AND deleted_at IS NULL
        "#,
        project_id as ProjectId,
        last_number,
    )
    .fetch_one(connection)
    .await
}

/// Hides the project's runs up to this number. Returns how many there were.
pub async fn delete_existing(
    connection: &mut PgConnection,
    project_id: ProjectId,
    last_number: i32,
    now: OffsetDateTime,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "
        UPDATE runs
        SET deleted_at = $3
        WHERE project_id = $1 AND number <= $2 AND deleted_at IS NULL
        ",
        project_id as ProjectId,
        last_number,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Whether any run, of whichever project, has one of these ids.
pub async fn is_any_taken(connection: &mut PgConnection, ids: &[RunId]) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM runs WHERE id = ANY($1)) AS "is_taken!""#, ids as &[RunId],)
        .fetch_one(connection)
        .await
}

/// How long the staged runs of an import are, in bytes, by their position; `None`, if a position is missing.
pub async fn sizes(connection: &mut PgConnection, project_id: ProjectId, id: Uuid) -> sqlx::Result<Option<Vec<i64>>> {
    let rows = sqlx::query!(
        "
        SELECT position, size_bytes
        FROM staged_runs
        WHERE import_id = $2 AND project_id = $1
        ORDER BY position
        ",
        project_id as ProjectId,
        id,
    )
    .fetch_all(connection)
    .await?;
    let is_complete = rows.iter().zip(0..).all(|(row, position): (_, i32)| row.position == position);
    Ok(is_complete.then(|| rows.into_iter().map(|row| row.size_bytes).collect()))
}

/// Writes down what an import came to.
pub async fn end(connection: &mut PgConnection, project_id: ProjectId, id: Uuid, placed: Placed) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE imports
        SET first_number = $3, run_count = $4, deleted_count = $5
        WHERE project_id = $1 AND id = $2
        ",
        project_id as ProjectId,
        id,
        placed.first_number,
        placed.run_count,
        placed.deleted_count,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes an import whose runs have not taken their place, with these. `false`: there is none.
pub async fn abandon(connection: &mut PgConnection, project_id: ProjectId, id: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM imports WHERE project_id = $1 AND id = $2 AND first_number IS NULL",
        project_id as ProjectId,
        id,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes the project's imports that began before this time, but for those that are being placed.
pub async fn remove_older(
    connection: &mut PgConnection,
    project_id: ProjectId,
    than: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        DELETE FROM imports
        WHERE id = ANY (ARRAY(
            SELECT i.id FROM imports i
            WHERE i.project_id = $1 AND i.created_at < $2
            FOR UPDATE SKIP LOCKED
        ))
        ",
        project_id as ProjectId,
        than,
    )
    .execute(connection)
    .await?;
    Ok(())
}
