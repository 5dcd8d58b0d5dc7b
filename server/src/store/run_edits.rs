//! The table `runs`: what people change of a run after it was recorded.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{ProjectId, RunId, RunRef};

/// The tags of a run, which nobody else changes until the transaction ends.
pub async fn lock_tags(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: RunId,
) -> sqlx::Result<Option<Vec<String>>> {
    sqlx::query_scalar!(
        "SELECT tags FROM runs WHERE project_id = $1 AND id = $2 AND deleted_at IS NULL FOR UPDATE",
        project_id as ProjectId,
        id as RunId,
    )
    .fetch_optional(connection)
    .await
}

/// Replaces a run's tags.
pub async fn set_tags(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: RunId,
    tags: &[String],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE runs SET tags = $3, updated_at = $4 WHERE project_id = $1 AND id = $2 AND deleted_at IS NULL",
        project_id as ProjectId,
        id as RunId,
        tags,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The id of the run that people or machines name so, also of a deleted one.
pub async fn resolve_also_deleted(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run: RunRef,
) -> sqlx::Result<Option<RunId>> {
    match run {
        RunRef::Experiment(experiment) => {
            sqlx::query_scalar!(
                r#"SELECT id AS "id: RunId" FROM runs WHERE project_id = $1 AND number = $2"#,
                project_id as ProjectId,
                experiment.number(),
            )
            .fetch_optional(connection)
            .await
        }
        RunRef::Id(id) => {
            sqlx::query_scalar!(
                r#"SELECT id AS "id: RunId" FROM runs WHERE project_id = $1 AND id = $2"#,
                project_id as ProjectId,
                id as RunId,
            )
            .fetch_optional(connection)
            .await
        }
    }
}

/// Shows a deleted run again. `false`: it was not deleted.
pub async fn restore(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: RunId,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        UPDATE runs
        SET deleted_at = NULL, updated_at = $3
        WHERE project_id = $1 AND id = $2 AND deleted_at IS NOT NULL
        ",
        project_id as ProjectId,
        id as RunId,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
