//! What the comparison of runs asks for: which runs are meant, and which series they share.

use sqlx::PgConnection;

use crate::domain::{ProjectId, RunId};

/// A run that was named by its number, whether it is still there or was deleted.
#[derive(Debug)]
pub struct NamedRun {
    /// The run's id.
    pub id: RunId,
    /// Its number in the project.
    pub number: i32,
    /// What to call it: its title, else the beginning of its intent.
    pub heading: String,
    /// Whether it was deleted.
    pub is_deleted: bool,
}

/// The runs with these numbers, also deleted ones.
pub async fn named_runs(
    connection: &mut PgConnection,
    project_id: ProjectId,
    numbers: &[i32],
) -> sqlx::Result<Vec<NamedRun>> {
    sqlx::query_as!(
        NamedRun,
        r#"
        SELECT id AS "id: RunId", number, COALESCE(NULLIF(title, ''), left(intent, 200)) AS "heading!",
               deleted_at IS NOT NULL AS "is_deleted!"
        FROM runs
        WHERE project_id = $1 AND number = ANY($2)
        "#,
        project_id as ProjectId,
        numbers,
    )
    .fetch_all(connection)
    .await
}

/// The names of the series that at least two of these runs have and that hold a text, which comes in lower case: those
/// that most runs have first, those of the machine last.
pub async fn shared_series(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
    text: &str,
    skip: i64,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "
        SELECT name
        FROM series
        WHERE project_id = $1 AND run_id = ANY($2) AND strpos(lower(name), $3) > 0
        GROUP BY name
        HAVING count(*) > 1
        ORDER BY name LIKE 'system/%', count(*) DESC, name
        OFFSET $4
        LIMIT $5
        ",
        project_id as ProjectId,
        runs as &[RunId],
        text,
        skip,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// The names of a run's series, at most `limit`, each with whether another run has one of the same name. Those of the
/// machine are left out.
pub async fn series_beside(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    other: Option<RunId>,
    limit: i64,
) -> sqlx::Result<Vec<(String, bool)>> {
    let rows = sqlx::query!(
        r#"
        SELECT s.name,
               EXISTS (
                   SELECT FROM series o WHERE o.project_id = $1 AND o.run_id = $3 AND o.name = s.name
               ) AS "is_shared!"
        FROM series s
        WHERE s.project_id = $1 AND s.run_id = $2 AND s.name NOT LIKE 'system/%'
        ORDER BY s.name COLLATE "C"
        LIMIT $4
        "#,
        project_id as ProjectId,
        run_id as RunId,
        other as Option<RunId>,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.is_shared)).collect())
}
