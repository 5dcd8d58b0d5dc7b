//! The table `results`: where values stand among those of the other runs. Nothing here reads all of a long list.

use sqlx::PgConnection;

use crate::domain::{ProjectId, RunId};

/// A value, and where those that are better lie: above one number and below another.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What the result measures.
    pub name: String,
    /// Better values are higher than this.
    pub above: f64,
    /// Better values are lower than this; `NaN` is higher than all that is a number.
    pub below: f64,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many runs have a better one, up to the limit.
    pub better: i64,
    /// How many runs have one at all, up to the limit.
    pub all: i64,
}

/// Where values stand, in their order. Each is counted up to `limit` runs.
pub async fn of(
    connection: &mut PgConnection,
    project_id: ProjectId,
    asked: &[Asked],
    limit: i64,
) -> sqlx::Result<Vec<Standing>> {
    let rows = sqlx::query!(
        r#"
        SELECT better.runs AS "better!", everything.runs AS "all!"
        FROM unnest($2::text[], $3::float8[], $4::float8[]) WITH ORDINALITY AS mine (name, above, below, place)
        CROSS JOIN LATERAL (
            SELECT count(DISTINCT found.run_id) AS runs
            FROM (
                SELECT s.run_id
                FROM results s
                JOIN runs r ON r.id = s.run_id
                WHERE s.project_id = $1 AND s.name_key = hashtextextended(mine.name, 0) AND s.name = mine.name
                  AND s.number > mine.above AND s.number < mine.below AND r.deleted_at IS NULL
                LIMIT $5
            ) AS found
        ) AS better
        CROSS JOIN LATERAL (
            SELECT count(DISTINCT found.run_id) AS runs
            FROM (
                SELECT s.run_id
                FROM results s
                JOIN runs r ON r.id = s.run_id
                WHERE s.project_id = $1 AND s.name_key = hashtextextended(mine.name, 0) AND s.name = mine.name
                  AND s.number IS NOT NULL AND r.deleted_at IS NULL
                LIMIT $5
            ) AS found
        ) AS everything
        ORDER BY mine.place
        "#,
        project_id as ProjectId,
        &asked.iter().map(|asked| asked.name.clone()).collect::<Vec<_>>(),
        &asked.iter().map(|asked| asked.above).collect::<Vec<_>>(),
        &asked.iter().map(|asked| asked.below).collect::<Vec<_>>(),
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| Standing { better: row.better, all: row.all }).collect())
}

/// What these runs have of one result; a run may have it more than once.
pub async fn values(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
    name: &str,
) -> sqlx::Result<Vec<(RunId, f64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT run_id AS "run_id: RunId", number AS "number!"
        FROM results
        WHERE project_id = $1 AND run_id = ANY($2) AND name = $3 AND number IS NOT NULL
        ORDER BY run_id, position
        "#,
        project_id as ProjectId,
        runs as &[RunId],
        name,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.run_id, row.number)).collect())
}
