//! The table `notes`.

use sqlx::PgConnection;

use crate::domain::{Note, ProjectId, RunId};

/// The notes of these runs, each run's oldest first.
pub async fn list(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<(RunId, Note)>> {
    let rows = sqlx::query!(
        r#"
        SELECT n.run_id AS "run_id: RunId", n.id, COALESCE(a.name, k.name, 'somebody') AS "author!", n.body, n.created_at
        FROM notes n
        LEFT JOIN accounts a ON a.id = n.account_id
        LEFT JOIN api_keys k ON k.id = n.api_key_id
        WHERE n.project_id = $1 AND n.run_id = ANY($2)
        ORDER BY n.run_id, n.created_at
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await?;
    let note = rows
        .into_iter()
        .map(|row| (row.run_id, Note { id: row.id, author: row.author, body: row.body, created_at: row.created_at }));
    Ok(note.collect())
}
