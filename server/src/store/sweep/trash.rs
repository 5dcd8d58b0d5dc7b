//! Removing runs and projects for good, a part at a time.

use otrace_wire::Sha256Digest;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::super::digest;
use crate::domain::{ProjectId, RunId};

/// Gives the statements of this transaction more time: a run may have very much that goes with it.
pub async fn take_time(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("SELECT set_config('statement_timeout', '120s', true) AS was").fetch_one(connection).await?;
    Ok(())
}

/// How many runs of the project were deleted before this moment.
pub async fn count(
    connection: &mut PgConnection,
    project_id: ProjectId,
    deleted_before: OffsetDateTime,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM runs WHERE project_id = $1 AND deleted_at < $2"#,
        project_id as ProjectId,
        deleted_before,
    )
    .fetch_one(connection)
    .await
}

/// At most `limit` runs of the project that were deleted before this moment, the first deleted first. Locked until the
/// transaction ends: none of them can be brought back. One that is being brought back is passed over.
pub async fn lock_runs(
    connection: &mut PgConnection,
    project_id: ProjectId,
    deleted_before: OffsetDateTime,
    limit: i64,
) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar!(
        r#"
        SELECT id AS "id: RunId"
        FROM runs
        WHERE project_id = $1 AND deleted_at < $2
        ORDER BY deleted_at
        LIMIT $3
        FOR UPDATE SKIP LOCKED
        "#,
        project_id as ProjectId,
        deleted_before,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Whether the project was deleted before this moment. If so, nobody brings it back until the transaction ends.
pub async fn lock_project(
    connection: &mut PgConnection,
    project_id: ProjectId,
    deleted_before: OffsetDateTime,
) -> sqlx::Result<bool> {
    let found = sqlx::query!(
        "SELECT id FROM projects WHERE id = $1 AND deleted_at < $2 FOR UPDATE",
        project_id as ProjectId,
        deleted_before,
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
}

/// At most `limit` runs of a project that goes as a whole.
pub async fn any_runs(connection: &mut PgConnection, project_id: ProjectId, limit: i64) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: RunId" FROM runs WHERE project_id = $1 ORDER BY number LIMIT $2 FOR UPDATE"#,
        project_id as ProjectId,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// The contents that these runs name, each once. The caller has found the runs by their project's id: asked for here
/// too, it could lead PostgreSQL through all that the project has.
pub async fn contents_of(connection: &mut PgConnection, runs: &[RunId]) -> sqlx::Result<Vec<Sha256Digest>> {
    let rows =
        sqlx::query_scalar!("SELECT DISTINCT sha256 FROM content_references WHERE run_id = ANY($1)", runs as &[RunId],)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().filter_map(digest).collect())
}

/// Removes these runs with all that belongs to them. Runs that went on from them began nowhere afterwards.
pub async fn remove_runs(connection: &mut PgConnection, project_id: ProjectId, runs: &[RunId]) -> sqlx::Result<u64> {
    sqlx::query!(
        "UPDATE runs SET parent_id = NULL WHERE project_id = $1 AND parent_id = ANY($2) AND id <> ALL($2)",
        project_id as ProjectId,
        runs as &[RunId],
    )
    .execute(&mut *connection)
    .await?;
    let done = sqlx::query!(
        "DELETE FROM runs WHERE project_id = $1 AND id = ANY($2)",
        project_id as ProjectId,
        runs as &[RunId]
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Removes at most `limit` rows that say of what parts a project's contents are made. Returns how many there were.
pub async fn remove_parts(connection: &mut PgConnection, project_id: ProjectId, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "
        DELETE FROM blob_parts
        WHERE (project_id, sha256, position) IN (
            SELECT project_id, sha256, position FROM blob_parts WHERE project_id = $1 LIMIT $2
        )
        ",
        project_id as ProjectId,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Removes at most `limit` of a project's contents, which nothing refers to any more. Returns how many there were.
pub async fn remove_contents(connection: &mut PgConnection, project_id: ProjectId, limit: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "
        DELETE FROM blobs
        WHERE project_id = $1 AND sha256 = ANY (ARRAY(SELECT sha256 FROM blobs WHERE project_id = $1 LIMIT $2))
        ",
        project_id as ProjectId,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Removes a project that was deleted before this moment, with what is left of it. `false`: there is none.
pub async fn remove_project(
    connection: &mut PgConnection,
    project_id: ProjectId,
    deleted_before: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM projects WHERE id = $1 AND deleted_at < $2",
        project_id as ProjectId,
        deleted_before,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
