//! Projects that are hidden, and can be brought back.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{AccountId, Project, ProjectId};

/// A project that was deleted.
#[derive(Clone, Debug)]
pub struct DeletedProject {
    /// Its name in URLs.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// How many runs it has, deleted ones not; counted up to the limit.
    pub run_count: i64,
    /// When it was deleted.
    pub deleted_at: OffsetDateTime,
    /// Who deleted it, as shown to people; `None`: their account is gone.
    pub deleted_by: Option<String>,
}

/// Hides a project. `false`: it was hidden before.
pub async fn hide(
    connection: &mut PgConnection,
    project_id: ProjectId,
    by: AccountId,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE projects SET deleted_at = $3, deleted_by = $2 WHERE id = $1 AND deleted_at IS NULL",
        project_id as ProjectId,
        by as AccountId,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The project with this slug that was deleted after `since`, if the account is an owner of it. Locks it until the
/// transaction ends.
pub async fn lock_deleted(
    connection: &mut PgConnection,
    account_id: AccountId,
    slug: &str,
    since: OffsetDateTime,
) -> sqlx::Result<Option<Project>> {
    sqlx::query_as!(
        Project,
        r#"
        SELECT p.id AS "id: ProjectId", p.slug, p.name, p.description, p.created_at
        FROM projects p
        JOIN members m ON m.project_id = p.id
        WHERE p.slug = $2 AND m.account_id = $1 AND m.role = 'owner' AND p.deleted_at > $3
        FOR UPDATE OF p
        "#,
        account_id as AccountId,
        slug,
        since,
    )
    .fetch_optional(connection)
    .await
}

/// Shows a project again.
pub async fn show(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE projects SET deleted_at = NULL, deleted_by = NULL WHERE id = $1", project_id as ProjectId)
        .execute(connection)
        .await?;
    Ok(())
}

/// The projects that were deleted after `since` and that the account is an owner of, the last deleted first. Of each,
/// `at_most` runs are counted.
pub async fn list(
    connection: &mut PgConnection,
    account_id: AccountId,
    since: OffsetDateTime,
    at_most: i64,
) -> sqlx::Result<Vec<DeletedProject>> {
    sqlx::query_as!(
        DeletedProject,
        r#"
        SELECT p.slug, p.name, p.deleted_at AS "deleted_at!", a.name AS "deleted_by?", (
            SELECT count(*) FROM (
                SELECT r.number FROM runs r WHERE r.project_id = p.id AND r.deleted_at IS NULL LIMIT $3
            ) AS counted
        ) AS "run_count!"
        FROM members m
        JOIN projects p ON p.id = m.project_id
        LEFT JOIN accounts a ON a.id = p.deleted_by
        WHERE m.account_id = $1 AND m.role = 'owner' AND p.deleted_at > $2
        ORDER BY p.deleted_at DESC, p.slug
        "#,
        account_id as AccountId,
        since,
        at_most,
    )
    .fetch_all(connection)
    .await
}
