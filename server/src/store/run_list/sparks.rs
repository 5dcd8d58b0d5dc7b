//! The curves of a list: what the rows of `run_series` keep of each series. Chunks and tails are never touched.

use sqlx::PgConnection;

use crate::domain::{ProjectId, RunId};

/// The sparks of these runs, as bytes, where they have any.
pub async fn of(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<(RunId, Vec<u8>)>> {
    let rows = sqlx::query!(
        r#"
        SELECT run_id AS "run_id: RunId", sparks
        FROM run_series
        WHERE project_id = $1 AND run_id = ANY($2) AND sparks <> ''
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.run_id, row.sparks)).collect())
}
