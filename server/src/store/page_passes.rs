//! What a page pass opens: the project of a live key in `api_keys`.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{ApiKeyId, Project, ProjectId};

/// The project, if it is not deleted, this key of it neither revoked nor expired, and the key's maker not disabled.
pub async fn find_project(
    connection: &mut PgConnection,
    project_id: ProjectId,
    key_id: ApiKeyId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Project>> {
    sqlx::query_as!(
        Project,
        r#"
        SELECT p.id AS "id: ProjectId", p.slug, p.name, p.description, p.created_at
        FROM api_keys k
        JOIN projects p ON p.id = k.project_id
        JOIN accounts a ON a.id = k.created_by
        WHERE k.project_id = $1 AND k.id = $2
          AND k.revoked_at IS NULL
          AND (k.expires_at IS NULL OR k.expires_at > $3)
          AND a.disabled_at IS NULL
          AND p.deleted_at IS NULL
        "#,
        project_id as ProjectId,
        key_id as ApiKeyId,
        now,
    )
    .fetch_optional(connection)
    .await
}
