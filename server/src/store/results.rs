//! The table `results`.

use serde_json::Value;
use sqlx::PgConnection;

use super::object;
use crate::domain::{ProjectId, RunId, RunResult};

/// Replaces a run's results.
pub async fn replace(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    results: &[RunResult],
) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM results WHERE run_id = $1 AND project_id = $2", run_id as RunId, project_id as ProjectId)
        .execute(&mut *connection)
        .await?;
    if results.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&RunResult) -> Option<i64>| results.iter().map(of).collect::<Vec<_>>();
    sqlx::query!(
        "
        INSERT INTO results (run_id, project_id, position, kind, name, value, number, source_path, line, row_index,
                             column_name, table_index, metadata)
        SELECT $1, $2, r.position - 1, r.kind, r.name, r.value, r.number, r.source_path, r.line, r.row_index,
               r.column_name, r.table_index, r.metadata
        FROM unnest($3::text[], $4::text[], $5::jsonb[], $6::float8[], $7::text[], $8::bigint[], $9::bigint[],
                    $10::text[], $11::bigint[], $12::jsonb[])
             WITH ORDINALITY AS r (kind, name, value, number, source_path, line, row_index, column_name, table_index,
                                   metadata, position)
        ",
        run_id as RunId,
        project_id as ProjectId,
        &results.iter().map(|result| result.kind.clone()).collect::<Vec<_>>(),
        &results.iter().map(|result| result.name.clone()).collect::<Vec<_>>(),
        &results.iter().map(|result| result.value.clone()).collect::<Vec<_>>(),
        &results.iter().map(|result| result.number).collect::<Vec<_>>() as &[Option<f64>],
        &results.iter().map(|result| result.source_path.clone()).collect::<Vec<_>>() as &[Option<String>],
        &column(|result| result.line) as &[Option<i64>],
        &column(|result| result.row_index) as &[Option<i64>],
        &results.iter().map(|result| result.column_name.clone()).collect::<Vec<_>>() as &[Option<String>],
        &column(|result| result.table_index) as &[Option<i64>],
        &results.iter().map(|result| Value::Object(result.metadata.clone())).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The results of these runs, each run's in the order in which the client told them.
pub async fn list(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<(RunId, RunResult)>> {
    let rows = sqlx::query!(
        r#"
        SELECT run_id AS "run_id: RunId", kind, name, value, number, source_path, line, row_index, column_name,
               table_index, metadata
        FROM results
        WHERE project_id = $1 AND run_id = ANY($2)
        ORDER BY run_id, position
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await?;
    let result = rows.into_iter().map(|row| {
        let result = RunResult {
            kind: row.kind,
            name: row.name,
            value: row.value,
            number: row.number,
            source_path: row.source_path,
            line: row.line,
            row_index: row.row_index,
            column_name: row.column_name,
            table_index: row.table_index,
            metadata: object(row.metadata),
        };
        (row.run_id, result)
    });
    Ok(result.collect())
}

/// The names of numeric results that most of these runs have, the most frequent first.
pub async fn common_names(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "
        SELECT name
        FROM results
        WHERE project_id = $1 AND run_id = ANY($2) AND number IS NOT NULL
        GROUP BY name
        ORDER BY count(DISTINCT run_id) DESC, min(position), name
        LIMIT $3
        ",
        project_id as ProjectId,
        runs as &[RunId],
        limit,
    )
    .fetch_all(connection)
    .await
}

/// The lowest and the highest value that any run of the project has of this result.
pub async fn extremes(
    connection: &mut PgConnection,
    project_id: ProjectId,
    name: &str,
) -> sqlx::Result<Option<(f64, f64)>> {
    let row = sqlx::query!(
        "
        SELECT min(s.number) AS lowest, max(s.number) AS highest
        FROM results s
        JOIN runs r ON r.id = s.run_id
        WHERE s.project_id = $1 AND s.name_key = hashtextextended($2, 0) AND s.name = $2 AND s.number <> 'NaN' AND r.deleted_at IS NULL
        ",
        project_id as ProjectId,
        name,
    )
    .fetch_one(connection)
    .await?;
    Ok(row.lowest.zip(row.highest))
}
