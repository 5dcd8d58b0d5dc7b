//! The runs of a project as a tree: which one goes on from which. Contents and series are never touched.

use otrace_wire::RunStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::unknown_word;
use crate::domain::{ProjectId, RunId};

/// A run as the tree shows it.
#[derive(Debug)]
pub struct LineageRun {
    /// The run's id.
    pub id: RunId,
    /// Its number in the project.
    pub number: i32,
    /// The number of the run that it goes on from, also of a deleted one.
    pub parent: Option<i32>,
    /// A short name to show.
    pub title: Option<String>,
    /// The beginning of why it was run.
    pub intent: String,
    /// Where it stands.
    pub status: RunStatus,
    /// When it was recorded.
    pub created_at: OffsetDateTime,
}

/// The newest runs of a project, the newest first.
pub async fn newest(connection: &mut PgConnection, project_id: ProjectId, limit: i64) -> sqlx::Result<Vec<LineageRun>> {
    let rows = sqlx::query!(
        r#"
        SELECT r.id AS "id: RunId", r.number, p.number AS "parent?", r.title, left(r.intent, 200) AS "intent!", r.status,
               r.created_at
        FROM runs r
        LEFT JOIN runs p ON p.id = r.parent_id
        WHERE r.project_id = $1 AND r.deleted_at IS NULL
        ORDER BY r.number DESC
        LIMIT $2
        "#,
        project_id as ProjectId,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(LineageRun {
                id: row.id,
                number: row.number,
                parent: row.parent,
                title: row.title,
                intent: row.intent,
                status: row.status.parse().map_err(unknown_word)?,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// The first number that each of these runs has of a result.
pub async fn values(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
    name: &str,
) -> sqlx::Result<Vec<(RunId, f64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT DISTINCT ON (run_id) run_id AS "run_id: RunId", number AS "number!"
        FROM results
        WHERE project_id = $1 AND run_id = ANY($2) AND name_key = hashtextextended($3, 0) AND name = $3
          AND number IS NOT NULL
        ORDER BY run_id, position
        "#,
        project_id as ProjectId,
        runs as &[RunId],
        name,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.run_id, row.number)).collect())
}
