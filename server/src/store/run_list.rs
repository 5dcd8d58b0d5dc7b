//! Lists of runs: ids first, by index; the rows themselves by [`super::runs::load`], and what lists show beside them
//! by `values` and `sparks`; `strip` is what stands above them. Points of series, tables and contents are never touched.

pub mod sparks;
pub mod strip;
pub mod trash;
pub mod values;
pub mod words;

use otrace_wire::RunStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{ProjectId, RunId};

/// The ids of the newest runs with a number below `before`, the newest first.
pub async fn page(
    connection: &mut PgConnection,
    project_id: ProjectId,
    before: Option<i32>,
    status: Option<RunStatus>,
    limit: i64,
) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar!(
        r#"
        SELECT id AS "id: RunId"
        FROM runs
        WHERE project_id = $1
          AND deleted_at IS NULL
          AND number < COALESCE($2, 2147483647)
          AND ($3::text IS NULL OR status = $3)
        ORDER BY number DESC
        LIMIT $4
        "#,
        project_id as ProjectId,
        before,
        status.map(RunStatus::as_str),
        limit,
    )
    .fetch_all(connection)
    .await
}

/// How many runs the project has, by status; of each status `at_most` are counted.
pub async fn count_by_status(
    connection: &mut PgConnection,
    project_id: ProjectId,
    at_most: i64,
) -> sqlx::Result<Vec<(String, i64)>> {
    let statuses = RunStatus::ALL.map(|status| status.as_str().to_owned()).to_vec();
    let rows = sqlx::query!(
        r#"
        SELECT s.status AS "status!", (
            SELECT count(*) FROM (
                SELECT r.number FROM runs r
                WHERE r.project_id = $1 AND r.status = s.status AND r.deleted_at IS NULL
                LIMIT $3
            ) AS counted
        ) AS "count!"
        FROM unnest($2::text[]) AS s (status)
        "#,
        project_id as ProjectId,
        &statuses,
        at_most,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.status, row.count)).collect())
}

/// How many runs the project has; `at_most` are counted.
pub async fn count_up_to(connection: &mut PgConnection, project_id: ProjectId, at_most: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM (SELECT number FROM runs WHERE project_id = $1 AND deleted_at IS NULL LIMIT $2) AS counted
        "#,
        project_id as ProjectId,
        at_most,
    )
    .fetch_one(connection)
    .await
}

/// The ids of the runs with these numbers.
pub async fn ids_of(connection: &mut PgConnection, project_id: ProjectId, numbers: &[i32]) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar!(
        r#"
        SELECT id AS "id: RunId" FROM runs
        WHERE project_id = $1 AND number = ANY($2) AND deleted_at IS NULL
        ORDER BY number DESC
        "#,
        project_id as ProjectId,
        numbers,
    )
    .fetch_all(connection)
    .await
}

/// The numbers of the runs next to number `number`: the newer one and the older one.
pub async fn neighbours(
    connection: &mut PgConnection,
    project_id: ProjectId,
    number: i32,
) -> sqlx::Result<(Option<i32>, Option<i32>)> {
    let row = sqlx::query!(
        "
        SELECT (SELECT min(number) FROM runs WHERE project_id = $1 AND deleted_at IS NULL AND number > $2) AS newer,
               (SELECT max(number) FROM runs WHERE project_id = $1 AND deleted_at IS NULL AND number < $2) AS older
        ",
        project_id as ProjectId,
        number,
    )
    .fetch_one(connection)
    .await?;
    Ok((row.newer, row.older))
}

/// How many runs each project has, and how many of them run now.
pub async fn count_by_project(
    connection: &mut PgConnection,
    projects: &[ProjectId],
) -> sqlx::Result<Vec<(ProjectId, i64, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT project_id AS "project_id: ProjectId",
               count(*) AS "all!",
               count(*) FILTER (WHERE status = 'running') AS "running!"
        FROM runs
        WHERE project_id = ANY($1) AND deleted_at IS NULL
        GROUP BY project_id
        "#,
        projects as &[ProjectId],
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project_id, row.all, row.running)).collect())
}

/// How many runs each project recorded on each day from `since` on, days counted from 0.
pub async fn activity(
    connection: &mut PgConnection,
    projects: &[ProjectId],
    since: OffsetDateTime,
) -> sqlx::Result<Vec<(ProjectId, i32, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT project_id AS "project_id: ProjectId",
               floor(EXTRACT(EPOCH FROM created_at - $2) / 86400)::integer AS "day!",
               count(*) AS "count!"
        FROM runs
        WHERE project_id = ANY($1) AND deleted_at IS NULL AND created_at >= $2
        GROUP BY 1, 2
        "#,
        projects as &[ProjectId],
        since,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project_id, row.day, row.count)).collect())
}

/// A run that was created or changed, as open pages are told it.
#[derive(Debug)]
pub struct ChangedRun {
    /// Its number in the project.
    pub number: i32,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether nothing happened to it since it was created.
    pub is_new: bool,
    /// Whether its machine was heard of, and nothing else changed.
    pub is_output: bool,
    /// When it changed, or was last heard of.
    pub changed_at: OffsetDateTime,
}

/// The runs that changed, or go on and were heard of, after `since`, the first change first; at most 100.
pub async fn changed_since(
    connection: &mut PgConnection,
    project_id: ProjectId,
    since: OffsetDateTime,
) -> sqlx::Result<Vec<ChangedRun>> {
    let rows = sqlx::query!(
        r#"
        SELECT number, status, status = 'created' AND updated_at > $2 AS "is_new!", updated_at <= $2 AS "is_output!",
               GREATEST(updated_at, last_contact_at) AS "changed_at!"
        FROM runs
        WHERE project_id = $1 AND deleted_at IS NULL
          AND (updated_at > $2 OR (status IN ('created', 'running') AND last_contact_at > $2))
        ORDER BY GREATEST(updated_at, last_contact_at)
        LIMIT 100
        "#,
        project_id as ProjectId,
        since,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = row.status.parse().map_err(super::unknown_word)?;
            Ok(ChangedRun {
                number: row.number,
                status,
                is_new: row.is_new,
                is_output: row.is_output,
                changed_at: row.changed_at,
            })
        })
        .collect()
}
