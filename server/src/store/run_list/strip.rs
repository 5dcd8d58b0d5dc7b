//! What the strip above a list is drawn of: one result of each run, and when anything may have changed.

use otrace_wire::RunStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{ProjectId, RunId};
use crate::store::unknown_word;

/// A run that has a number for the result.
#[derive(Clone, Debug)]
pub struct StripRun {
    /// Its number in the project.
    pub number: i32,
    /// A short name to show.
    pub title: Option<String>,
    /// The beginning of why it was run.
    pub intent: String,
    /// Where it stands.
    pub status: RunStatus,
    /// When its command started; where that is not known, when it was recorded.
    pub started_at: OffsetDateTime,
    /// The first number that it has of the result, which may be infinite.
    pub value: f64,
}

/// Those of these runs that have a number for a result, the first to start first.
pub async fn runs(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
    name: &str,
) -> sqlx::Result<Vec<StripRun>> {
    let rows = sqlx::query!(
        r#"
        SELECT r.number, r.title, left(r.intent, 200) AS "intent!", r.status,
               COALESCE(r.started_at, r.created_at) AS "started_at!", v.number AS "value!"
        FROM (
            SELECT DISTINCT ON (s.run_id) s.run_id, s.number
            FROM results s
            WHERE s.project_id = $1 AND s.run_id = ANY($2) AND s.name_key = hashtextextended($3, 0) AND s.name = $3
              AND s.number IS NOT NULL
            ORDER BY s.run_id, s.position
        ) AS v
        JOIN runs r ON r.id = v.run_id
        WHERE r.project_id = $1 AND r.deleted_at IS NULL
        ORDER BY COALESCE(r.started_at, r.created_at), r.number
        "#,
        project_id as ProjectId,
        runs as &[RunId],
        name,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StripRun {
                number: row.number,
                title: row.title,
                intent: row.intent,
                status: row.status.parse().map_err(unknown_word)?,
                started_at: row.started_at,
                value: row.value,
            })
        })
        .collect()
}

/// When a run of the project last changed, and when one was last deleted.
pub async fn changed_at(
    connection: &mut PgConnection,
    project_id: ProjectId,
) -> sqlx::Result<(Option<OffsetDateTime>, Option<OffsetDateTime>)> {
    let row = sqlx::query!(
        "
        SELECT (SELECT max(updated_at) FROM runs WHERE project_id = $1) AS changed_at,
               (SELECT max(deleted_at) FROM runs WHERE project_id = $1 AND deleted_at IS NOT NULL) AS deleted_at
        ",
        project_id as ProjectId,
    )
    .fetch_one(connection)
    .await?;
    Ok((row.changed_at, row.deleted_at))
}
