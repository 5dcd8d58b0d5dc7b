//! The table `runs`: which runs belong together, and what there is in the place of one that is gone.

use otrace_wire::RunStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::unknown_word;
use crate::domain::{ProjectId, RunId};

/// A run as others point to it.
#[derive(Clone, Debug)]
pub struct RelatedRun {
    /// Its id.
    pub id: RunId,
    /// Its number in the project.
    pub number: i32,
    /// What to call it: its title, else the first line of its intent.
    pub heading: String,
    /// Where it stands.
    pub status: RunStatus,
}

/// A run that was deleted.
#[derive(Clone, Debug)]
pub struct DeletedRun {
    /// Its number in the project.
    pub number: i32,
    /// What to call it.
    pub heading: String,
    /// When it was deleted.
    pub deleted_at: OffsetDateTime,
}

/// The run that this one went on from, unless it is deleted.
pub async fn parent(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
) -> sqlx::Result<Option<RelatedRun>> {
    let row = sqlx::query_as!(
        Row,
        r#"
        SELECT p.id AS "id: RunId", p.number,
               COALESCE(NULLIF(p.title, ''), split_part(p.intent, E'\n', 1)) AS "heading!", p.status
        FROM runs r
        JOIN runs p ON p.id = r.parent_id
        WHERE r.project_id = $1 AND r.id = $2 AND p.project_id = $1 AND p.deleted_at IS NULL
        "#,
        project_id as ProjectId,
        run_id as RunId,
    )
    .fetch_optional(connection)
    .await?;
    row.map(RelatedRun::try_from).transpose()
}

/// The runs that went on from this one, the oldest first.
pub async fn children(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    limit: i64,
) -> sqlx::Result<Vec<RelatedRun>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT id AS "id: RunId", number,
               COALESCE(NULLIF(title, ''), split_part(intent, E'\n', 1)) AS "heading!", status
        FROM runs
        WHERE project_id = $1 AND parent_id = $2 AND deleted_at IS NULL
        ORDER BY number
        LIMIT $3
        "#,
        project_id as ProjectId,
        run_id as RunId,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(RelatedRun::try_from).collect()
}

/// The other runs with a note that says `name`, the newest first.
pub async fn mentioning(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    name: &str,
    limit: i64,
) -> sqlx::Result<Vec<RelatedRun>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT r.id AS "id: RunId", r.number,
               COALESCE(NULLIF(r.title, ''), split_part(r.intent, E'\n', 1)) AS "heading!", r.status
        FROM runs r
        WHERE r.project_id = $1 AND r.id <> $2 AND r.deleted_at IS NULL
          AND r.id IN (
              SELECT n.run_id FROM notes n WHERE n.project_id = $1 AND n.words @@ plainto_tsquery('simple', $3)
          )
        ORDER BY r.number DESC
        LIMIT $4
        "#,
        project_id as ProjectId,
        run_id as RunId,
        name,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(RelatedRun::try_from).collect()
}

/// The runs whose numbers are next to `number`, up to `limit` on each side.
pub async fn nearest(
    connection: &mut PgConnection,
    project_id: ProjectId,
    number: i32,
    limit: i64,
) -> sqlx::Result<Vec<RelatedRun>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT r.id AS "id: RunId", r.number,
               COALESCE(NULLIF(r.title, ''), split_part(r.intent, E'\n', 1)) AS "heading!", r.status
        FROM runs r
        WHERE r.project_id = $1
          AND r.id IN (
              (
                  SELECT id FROM runs
                  WHERE project_id = $1 AND deleted_at IS NULL AND number < $2
                  ORDER BY number DESC
                  LIMIT $3
              )
              UNION ALL
              (
                  SELECT id FROM runs
                  WHERE project_id = $1 AND deleted_at IS NULL AND number > $2
                  ORDER BY number
                  LIMIT $3
              )
          )
        ORDER BY r.number DESC
        "#,
        project_id as ProjectId,
        number,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(RelatedRun::try_from).collect()
}

/// The number of the run with this id, whether it is deleted or not.
pub async fn number(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        "SELECT number FROM runs WHERE project_id = $1 AND id = $2",
        project_id as ProjectId,
        run_id as RunId,
    )
    .fetch_optional(connection)
    .await
}

/// The run with this id, if it is deleted.
pub async fn deleted(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
) -> sqlx::Result<Option<DeletedRun>> {
    sqlx::query_as!(
        DeletedRun,
        r#"
        SELECT number, COALESCE(NULLIF(title, ''), split_part(intent, E'\n', 1)) AS "heading!",
               deleted_at AS "deleted_at!"
        FROM runs
        WHERE project_id = $1 AND id = $2 AND deleted_at IS NOT NULL
        "#,
        project_id as ProjectId,
        run_id as RunId,
    )
    .fetch_optional(connection)
    .await
}

struct Row {
    id: RunId,
    number: i32,
    heading: String,
    status: String,
}

impl TryFrom<Row> for RelatedRun {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let status = row.status.parse().map_err(unknown_word)?;
        Ok(Self { id: row.id, number: row.number, heading: row.heading, status })
    }
}
