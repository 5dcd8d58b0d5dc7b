//! The runs of a project in the order of a notebook, the oldest first, and what was learned from them, the newest first.
//! Series and contents are never touched.

use otrace_wire::RunStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::unknown_word;
use crate::domain::{ProjectId, RunId};

/// A run's place in a notebook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunPlace {
    /// When it was recorded.
    pub created_at: OffsetDateTime,
    /// Its number in the project.
    pub number: i32,
}

/// A run's id, and its place.
#[derive(Clone, Copy, Debug)]
pub struct PlacedRun {
    /// The run's id.
    pub id: RunId,
    /// When it was recorded.
    pub created_at: OffsetDateTime,
    /// Its number in the project.
    pub number: i32,
}

/// A note's place among what was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotePlace {
    /// When it was written.
    pub created_at: OffsetDateTime,
    /// Its id.
    pub id: Uuid,
}

/// Something that was learned, and the run that it is about.
#[derive(Clone, Debug)]
pub struct Insight {
    /// The note's id.
    pub id: Uuid,
    /// Who wrote it, as shown to people.
    pub author: String,
    /// Markdown.
    pub body: String,
    /// When it was written.
    pub created_at: OffsetDateTime,
    /// The run's number in the project.
    pub number: i32,
    /// What to call the run: its title, else the beginning of its intent.
    pub heading: String,
    /// Where the run stands.
    pub status: RunStatus,
}

/// The first runs after a place.
pub async fn all(
    connection: &mut PgConnection,
    project_id: ProjectId,
    after: Option<RunPlace>,
    limit: i64,
) -> sqlx::Result<Vec<PlacedRun>> {
    sqlx::query_as!(
        PlacedRun,
        r#"
        SELECT id AS "id: RunId", created_at, number
        FROM runs
        WHERE project_id = $1 AND deleted_at IS NULL
          AND (created_at, number) > (COALESCE($2::timestamptz, '-infinity'), COALESCE($3::integer, 0))
        ORDER BY created_at, number
        LIMIT $4
        "#,
        project_id as ProjectId,
        after.map(|place| place.created_at),
        after.map(|place| place.number),
        limit,
    )
    .fetch_all(connection)
    .await
}

/// The same of those with something that was learned.
pub async fn with_insights(
    connection: &mut PgConnection,
    project_id: ProjectId,
    after: Option<RunPlace>,
    limit: i64,
) -> sqlx::Result<Vec<PlacedRun>> {
    sqlx::query_as!(
        PlacedRun,
        r#"
        SELECT id AS "id: RunId", created_at, number
        FROM runs
        WHERE project_id = $1 AND deleted_at IS NULL
          AND id IN (SELECT run_id FROM notes WHERE project_id = $1 AND is_insight)
          AND (created_at, number) > (COALESCE($2::timestamptz, '-infinity'), COALESCE($3::integer, 0))
        ORDER BY created_at, number
        LIMIT $4
        "#,
        project_id as ProjectId,
        after.map(|place| place.created_at),
        after.map(|place| place.number),
        limit,
    )
    .fetch_all(connection)
    .await
}

/// The same of a run, those that it goes on from, and those that go on from it. A deleted run parts the tree.
pub async fn branch(
    connection: &mut PgConnection,
    project_id: ProjectId,
    of: i32,
    after: Option<RunPlace>,
    limit: i64,
) -> sqlx::Result<Vec<PlacedRun>> {
    sqlx::query_as!(
        PlacedRun,
        r#"
        WITH RECURSIVE above AS (
            SELECT id, parent_id FROM runs WHERE project_id = $1 AND number = $2 AND deleted_at IS NULL
            UNION
            SELECT r.id, r.parent_id
            FROM above a JOIN runs r ON r.id = a.parent_id
            WHERE r.project_id = $1 AND r.deleted_at IS NULL
        ), below AS (
            SELECT id FROM runs WHERE project_id = $1 AND number = $2 AND deleted_at IS NULL
            UNION
            SELECT r.id
            FROM below b JOIN runs r ON r.parent_id = b.id
            WHERE r.project_id = $1 AND r.deleted_at IS NULL
        )
        SELECT r.id AS "id: RunId", r.created_at, r.number
        FROM runs r
        WHERE r.project_id = $1 AND r.id IN (SELECT id FROM above UNION SELECT id FROM below)
          AND (r.created_at, r.number) > (COALESCE($3::timestamptz, '-infinity'), COALESCE($4::integer, 0))
        ORDER BY r.created_at, r.number
        LIMIT $5
        "#,
        project_id as ProjectId,
        of,
        after.map(|place| place.created_at),
        after.map(|place| place.number),
        limit,
    )
    .fetch_all(connection)
    .await
}

/// The number of the project's newest run.
pub async fn newest(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        "SELECT max(number) FROM runs WHERE project_id = $1 AND deleted_at IS NULL",
        project_id as ProjectId
    )
    .fetch_one(connection)
    .await
}

/// The ids of the runs that these go on from, each once; deleted ones are left out.
pub async fn parents(connection: &mut PgConnection, project_id: ProjectId, runs: &[RunId]) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar!(
        r#"
        SELECT DISTINCT p.id AS "id!: RunId"
        FROM runs r JOIN runs p ON p.id = r.parent_id
        WHERE r.project_id = $1 AND r.id = ANY($2) AND p.project_id = $1 AND p.deleted_at IS NULL
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await
}

/// How much was learned, in all.
pub async fn count_insights(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM notes n JOIN runs r ON r.id = n.run_id AND r.project_id = n.project_id
        WHERE n.project_id = $1 AND n.is_insight AND r.deleted_at IS NULL
        "#,
        project_id as ProjectId,
    )
    .fetch_one(connection)
    .await
}

/// What was learned before a place, the newest first.
pub async fn insights(
    connection: &mut PgConnection,
    project_id: ProjectId,
    before: Option<NotePlace>,
    limit: i64,
) -> sqlx::Result<Vec<Insight>> {
    let rows = sqlx::query!(
        r#"
        SELECT n.id, COALESCE(a.name, k.name, n.author, 'somebody') AS "author!", n.body, n.created_at, r.number,
               COALESCE(NULLIF(r.title, ''), left(split_part(r.intent, E'\n', 1), 200)) AS "heading!", r.status
        FROM notes n
        JOIN runs r ON r.id = n.run_id AND r.project_id = n.project_id
        LEFT JOIN accounts a ON a.id = n.account_id
        LEFT JOIN api_keys k ON k.id = n.api_key_id
        WHERE n.project_id = $1 AND n.is_insight AND r.deleted_at IS NULL
          AND (n.created_at, n.id) < (COALESCE($2::timestamptz, 'infinity'), COALESCE($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
        ORDER BY n.created_at DESC, n.id DESC
        LIMIT $4
        "#,
        project_id as ProjectId,
        before.map(|place| place.created_at),
        before.map(|place| place.id),
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Insight {
                id: row.id,
                author: row.author,
                body: row.body,
                created_at: row.created_at,
                number: row.number,
                heading: row.heading,
                status: row.status.parse().map_err(unknown_word)?,
            })
        })
        .collect()
}
