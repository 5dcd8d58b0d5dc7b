//! Deleted runs, which are only hidden.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::ProjectId;

/// A deleted run.
#[derive(Clone, Debug)]
pub struct DeletedRun {
    /// Its number in the project.
    pub number: i32,
    /// A short name to show.
    pub title: Option<String>,
    /// Why the command was run.
    pub intent: String,
    /// When it was recorded.
    pub created_at: OffsetDateTime,
    /// When it was deleted.
    pub deleted_at: OffsetDateTime,
}

/// The deleted runs of a project behind this one in the order, the last deleted first.
pub async fn page(
    connection: &mut PgConnection,
    project_id: ProjectId,
    after: Option<(OffsetDateTime, i32)>,
    limit: i64,
) -> sqlx::Result<Vec<DeletedRun>> {
    let (deleted_at, number) = after.unzip();
    sqlx::query_as!(
        DeletedRun,
        r#"
        SELECT number, title, intent, created_at, deleted_at AS "deleted_at!"
        FROM runs
        WHERE project_id = $1
          AND deleted_at IS NOT NULL
          AND ($2::timestamptz IS NULL OR (deleted_at, number) < ($2, $3::integer))
        ORDER BY deleted_at DESC, number DESC
        LIMIT $4
        "#,
        project_id as ProjectId,
        deleted_at,
        number,
        limit,
    )
    .fetch_all(connection)
    .await
}
