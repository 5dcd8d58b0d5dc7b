//! One project, as an archive takes it out and brings it in.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use otrace_wire::Sha256Digest;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{ProjectId, RunId};
use crate::store::digest;

/// The highest run number that a project has given out, and the columns of its list of runs.
pub async fn about(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<(i32, Vec<String>)> {
    let row = sqlx::query!("SELECT last_run_number, list_columns FROM projects WHERE id = $1", project_id as ProjectId)
        .fetch_one(connection)
        .await?;
    Ok((row.last_run_number, row.list_columns))
}

/// The next `limit` runs behind a number, the deleted ones not, with their numbers.
pub async fn runs(
    connection: &mut PgConnection,
    project_id: ProjectId,
    after: i32,
    limit: i64,
) -> sqlx::Result<Vec<(RunId, i32)>> {
    let rows = sqlx::query!(
        r#"
        SELECT id AS "id: RunId", number
        FROM runs
        WHERE project_id = $1 AND number > $2 AND deleted_at IS NULL
        ORDER BY number
        LIMIT $3
        "#,
        project_id as ProjectId,
        after,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.number)).collect())
}

/// Those of the runs that have logs in pieces.
pub async fn with_pieces(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar!(
        r#"SELECT DISTINCT run_id AS "id: RunId" FROM log_chunks WHERE project_id = $1 AND run_id = ANY($2)"#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await
}

/// Those of the runs that have series.
pub async fn with_series(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar!(
        r#"SELECT run_id AS "id: RunId" FROM run_series WHERE project_id = $1 AND run_id = ANY($2)"#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await
}

/// What a run's points were read from, and how many of each source's are here.
pub async fn sources(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        "SELECT source, next_index FROM series_sources WHERE run_id = $1 AND project_id = $2 ORDER BY source",
        run_id as RunId,
        project_id as ProjectId,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source, row.next_index)).collect())
}

/// The contents that the project's runs name, the deleted ones not, each once, with their sizes in bytes.
pub fn contents(
    connection: &mut PgConnection,
    project_id: ProjectId,
) -> BoxStream<'_, sqlx::Result<(Sha256Digest, u64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT b.sha256, b.size_bytes
        FROM blobs b
        WHERE b.project_id = $1 AND EXISTS (
            SELECT FROM runs r
            WHERE r.project_id = $1 AND r.deleted_at IS NULL AND r.id IN (
                SELECT run_id FROM artifacts WHERE project_id = $1 AND sha256 = b.sha256
                UNION ALL
                SELECT run_id FROM logs WHERE project_id = $1 AND sha256 = b.sha256
                UNION ALL
                SELECT run_id FROM result_tables WHERE project_id = $1 AND sha256 = b.sha256
                UNION ALL
                SELECT run_id FROM snapshot_files WHERE project_id = $1 AND sha256 = b.sha256
            )
        )
        ORDER BY b.sha256
        "#,
        project_id as ProjectId,
    )
    .fetch(connection);
    let content = rows.map(|row| {
        let row = row?;
        let sha256 = digest(Some(row.sha256)).ok_or(sqlx::Error::RowNotFound)?;
        Ok((sha256, row.size_bytes.cast_unsigned()))
    });
    content.boxed()
}

/// Whether a project is called so in URLs, also a deleted one.
pub async fn is_slug_taken(connection: &mut PgConnection, slug: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM projects WHERE slug = $1) AS "is_taken!""#, slug)
        .fetch_one(connection)
        .await
}

/// Writes down what [`about`] told of a project elsewhere.
pub async fn settle(
    connection: &mut PgConnection,
    project_id: ProjectId,
    last_run_number: i32,
    list_columns: &[String],
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE projects SET last_run_number = $2, list_columns = $3 WHERE id = $1",
        project_id as ProjectId,
        last_run_number,
        list_columns,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives runs that were just placed their numbers, and the times of their last changes.
pub async fn number(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[(RunId, i32, OffsetDateTime)],
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE runs
        SET number = n.number, updated_at = n.updated_at
        FROM unnest($2::uuid[], $3::integer[], $4::timestamptz[]) AS n (id, number, updated_at)
        WHERE runs.project_id = $1 AND runs.id = n.id
        ",
        project_id as ProjectId,
        &runs.iter().map(|(id, ..)| id.0).collect::<Vec<_>>(),
        &runs.iter().map(|(_, number, _)| *number).collect::<Vec<_>>(),
        &runs.iter().map(|(.., updated_at)| *updated_at).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Says from which numbers runs went on. Where there is no run of that number, nothing is said.
pub async fn set_parents(
    connection: &mut PgConnection,
    project_id: ProjectId,
    children: &[(RunId, i32)],
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE runs
        SET parent_id = parent.id
        FROM unnest($2::uuid[], $3::integer[]) AS n (id, parent_number)
        JOIN runs parent ON parent.project_id = $1 AND parent.number = n.parent_number
        WHERE runs.project_id = $1 AND runs.id = n.id
        ",
        project_id as ProjectId,
        &children.iter().map(|(id, _)| id.0).collect::<Vec<_>>(),
        &children.iter().map(|(_, number)| *number).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
