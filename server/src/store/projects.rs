//! The table `projects`.

use sqlx::PgConnection;

use crate::domain::{AccountId, Project, ProjectId};

/// Adds a project. `false`: its slug is taken.
pub async fn insert(connection: &mut PgConnection, project: &Project, created_by: AccountId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        INSERT INTO projects (id, slug, name, description, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (slug) DO NOTHING
        ",
        project.id as ProjectId,
        project.slug,
        project.name,
        project.description,
        created_by as AccountId,
        project.created_at,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The project with this id.
pub async fn find(connection: &mut PgConnection, id: ProjectId) -> sqlx::Result<Option<Project>> {
    sqlx::query_as!(
        Project,
        r#"SELECT id AS "id: ProjectId", slug, name, description, created_at FROM projects WHERE id = $1"#,
        id as ProjectId,
    )
    .fetch_optional(connection)
    .await
}
