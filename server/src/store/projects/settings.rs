//! What owners settle for their project.

use sqlx::PgConnection;

use crate::domain::ProjectId;

/// Gives a project another name and description. Its slug stays, so that links go on working.
pub async fn rename(
    connection: &mut PgConnection,
    project_id: ProjectId,
    name: &str,
    description: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE projects SET name = $2, description = $3 WHERE id = $1",
        project_id as ProjectId,
        name,
        description,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The columns of the list of runs, for who has chosen none; empty: the usual ones.
pub async fn list_columns(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Vec<String>> {
    let columns = sqlx::query_scalar!("SELECT list_columns FROM projects WHERE id = $1", project_id as ProjectId)
        .fetch_optional(connection)
        .await?;
    Ok(columns.unwrap_or_default())
}

/// Chooses those columns.
pub async fn set_list_columns(
    connection: &mut PgConnection,
    project_id: ProjectId,
    columns: &[String],
) -> sqlx::Result<()> {
    sqlx::query!("UPDATE projects SET list_columns = $2 WHERE id = $1", project_id as ProjectId, columns)
        .execute(connection)
        .await?;
    Ok(())
}
