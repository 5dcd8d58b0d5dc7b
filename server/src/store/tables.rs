//! The table `result_tables`: tables parsed from a run's outputs.

use otrace_wire::Sha256Digest;
use serde_json::Value;
use sqlx::PgConnection;

use super::{array, digest, object};
use crate::domain::{ProjectId, RunId, Table};

/// Removes a run's tables.
pub async fn clear(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM result_tables WHERE run_id = $1 AND project_id = $2",
        run_id as RunId,
        project_id as ProjectId
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds one table to a run.
pub async fn insert(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    table: &Table,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO result_tables (run_id, project_id, position, source_path, table_index, title, columns, row_count,
                                   column_count, metadata, first_rows, sha256)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ",
        run_id as RunId,
        project_id as ProjectId,
        table.position,
        table.source_path,
        table.table_index,
        table.title,
        &table.columns,
        table.row_count,
        table.column_count,
        Value::Object(table.metadata.clone()),
        Value::Array(table.first_rows.clone()),
        table.sha256.as_ref().map(Sha256Digest::as_bytes) as Option<&[u8; 32]>,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The tables of these runs, each run's in the order in which the client told them.
pub async fn list(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<(RunId, Table)>> {
    select(connection, project_id, runs, true).await
}

/// The same without their rows, which are most of what is kept of a table.
pub async fn list_without_rows(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<(RunId, Table)>> {
    select(connection, project_id, runs, false).await
}

async fn select(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
    with_rows: bool,
) -> sqlx::Result<Vec<(RunId, Table)>> {
    let rows = sqlx::query!(
        r#"
        SELECT run_id AS "run_id: RunId", position, source_path, table_index, title, columns, row_count, column_count,
               metadata, CASE WHEN $3 THEN first_rows ELSE '[]' END AS "first_rows!", CASE WHEN $3 THEN sha256 END AS sha256
        FROM result_tables
        WHERE project_id = $1 AND run_id = ANY($2)
        ORDER BY run_id, position
        "#,
        project_id as ProjectId,
        runs as &[RunId],
        with_rows,
    )
    .fetch_all(connection)
    .await?;
    let table = rows.into_iter().map(|row| {
        let table = Table {
            position: row.position,
            source_path: row.source_path,
            table_index: row.table_index,
            title: row.title,
            columns: row.columns,
            row_count: row.row_count,
            column_count: row.column_count,
            metadata: object(row.metadata),
            first_rows: array(row.first_rows),
            sha256: digest(row.sha256),
        };
        (row.run_id, table)
    });
    Ok(table.collect())
}
