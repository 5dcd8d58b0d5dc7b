//! What a list of several projects shows of each, and of all together: one statement a kind, however many there are.

use otrace_wire::RunStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{ProjectId, RunId};
use crate::store::unknown_word;

/// How many runs a project has.
#[derive(Clone, Copy, Debug)]
pub struct RunCounts {
    /// The project.
    pub project_id: ProjectId,
    /// All of them, up to the limit.
    pub all: i64,
    /// Those that run now, up to the limit.
    pub running: i64,
}

/// How many runs each of these projects has; of each, `at_most` are counted.
pub async fn counts(
    connection: &mut PgConnection,
    projects: &[ProjectId],
    at_most: i64,
) -> sqlx::Result<Vec<RunCounts>> {
    sqlx::query_as!(
        RunCounts,
        r#"
        SELECT p.id AS "project_id!: ProjectId", (
                   SELECT count(*) FROM (
                       SELECT r.number FROM runs r WHERE r.project_id = p.id AND r.deleted_at IS NULL LIMIT $2
                   ) AS counted
               ) AS "all!", (
                   SELECT count(*) FROM (
                       SELECT r.number FROM runs r
                       WHERE r.project_id = p.id AND r.status = 'running' AND r.deleted_at IS NULL
                       LIMIT $2
                   ) AS counted
               ) AS "running!"
        FROM unnest($1::uuid[]) AS p (id)
        "#,
        projects as &[ProjectId],
        at_most,
    )
    .fetch_all(connection)
    .await
}

/// A run beside its project.
#[derive(Clone, Debug)]
pub struct ProjectRun {
    /// Its project.
    pub project_id: ProjectId,
    /// Its number there.
    pub number: i32,
    /// What to call it: its title, else the beginning of its intent.
    pub heading: String,
    /// Where it stands.
    pub status: RunStatus,
    /// When it was recorded.
    pub created_at: OffsetDateTime,
    /// When its command started.
    pub started_at: Option<OffsetDateTime>,
    /// Who recorded it, as shown to people.
    pub author: Option<String>,
}

/// A run as it is stored.
struct Row {
    project_id: ProjectId,
    number: i32,
    heading: String,
    status: String,
    created_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    author: Option<String>,
}

impl TryFrom<Row> for ProjectRun {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            project_id: row.project_id,
            number: row.number,
            heading: row.heading,
            status: row.status.parse().map_err(unknown_word)?,
            created_at: row.created_at,
            started_at: row.started_at,
            author: row.author,
        })
    }
}

/// The newest run of each of these projects.
pub async fn newest_runs(connection: &mut PgConnection, projects: &[ProjectId]) -> sqlx::Result<Vec<ProjectRun>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT p.id AS "project_id!: ProjectId", r.number AS "number!", r.heading AS "heading!", r.status AS "status!",
               r.created_at AS "created_at!", r.started_at AS "started_at?", a.name AS "author?"
        FROM unnest($1::uuid[]) AS p (id)
        CROSS JOIN LATERAL (
            SELECT n.number, COALESCE(NULLIF(n.title, ''), left(split_part(n.intent, E'\n', 1), 200)) AS heading,
                   n.status, n.created_at, n.started_at, n.api_key_id
            FROM runs n
            WHERE n.project_id = p.id AND n.deleted_at IS NULL
            ORDER BY n.number DESC
            LIMIT 1
        ) AS r
        LEFT JOIN api_keys k ON k.id = r.api_key_id
        LEFT JOIN accounts a ON a.id = k.created_by
        "#,
        projects as &[ProjectId],
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(ProjectRun::try_from).collect()
}

/// The runs of these projects that run now, those that were recorded last first.
pub async fn running(
    connection: &mut PgConnection,
    projects: &[ProjectId],
    limit: i64,
) -> sqlx::Result<Vec<ProjectRun>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT p.id AS "project_id!: ProjectId", r.number AS "number!", r.heading AS "heading!", r.status AS "status!",
               r.created_at AS "created_at!", r.started_at AS "started_at?", a.name AS "author?"
        FROM unnest($1::uuid[]) AS p (id)
        CROSS JOIN LATERAL (
            SELECT n.number, COALESCE(NULLIF(n.title, ''), left(split_part(n.intent, E'\n', 1), 200)) AS heading,
                   n.status, n.created_at, n.started_at, n.api_key_id
            FROM runs n
            WHERE n.project_id = p.id AND n.status = 'running' AND n.deleted_at IS NULL
            ORDER BY n.number DESC
            LIMIT $2
        ) AS r
        LEFT JOIN api_keys k ON k.id = r.api_key_id
        LEFT JOIN accounts a ON a.id = k.created_by
        ORDER BY r.created_at DESC, p.id, r.number DESC
        LIMIT $2
        "#,
        projects as &[ProjectId],
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(ProjectRun::try_from).collect()
}

/// A project's main result, and how far it goes.
#[derive(Clone, Debug)]
pub struct MainResult {
    /// The project.
    pub project_id: ProjectId,
    /// What it measures.
    pub name: String,
    /// The lowest value of any run.
    pub lowest: Option<f64>,
    /// The highest value of any run.
    pub highest: Option<f64>,
}

/// Of each of these projects the numeric result that most of its ten newest runs have.
pub async fn main_results(connection: &mut PgConnection, projects: &[ProjectId]) -> sqlx::Result<Vec<MainResult>> {
    sqlx::query_as!(
        MainResult,
        r#"
        SELECT p.id AS "project_id!: ProjectId", main.name AS "name!", (
                   SELECT s.number FROM results s JOIN runs r ON r.id = s.run_id
                   WHERE s.project_id = p.id AND s.name_key = hashtextextended(main.name, 0) AND s.name = main.name
                     AND s.number < 'NaN' AND r.deleted_at IS NULL
                   ORDER BY s.number LIMIT 1
               ) AS "lowest?", (
                   SELECT s.number FROM results s JOIN runs r ON r.id = s.run_id
                   WHERE s.project_id = p.id AND s.name_key = hashtextextended(main.name, 0) AND s.name = main.name
                     AND s.number < 'NaN' AND r.deleted_at IS NULL
                   ORDER BY s.number DESC LIMIT 1
               ) AS "highest?"
        FROM unnest($1::uuid[]) AS p (id)
        CROSS JOIN LATERAL (
            SELECT s.name
            FROM results s
            WHERE s.project_id = p.id AND s.number IS NOT NULL AND s.run_id = ANY (ARRAY(
                SELECT r.id FROM runs r
                WHERE r.project_id = p.id AND r.deleted_at IS NULL
                ORDER BY r.number DESC LIMIT 10
            ))
            GROUP BY s.name
            ORDER BY count(DISTINCT s.run_id) DESC, min(s.position), s.name
            LIMIT 1
        ) AS main
        "#,
        projects as &[ProjectId],
    )
    .fetch_all(connection)
    .await
}

/// Something that was learned, beside its project.
#[derive(Clone, Debug)]
pub struct ProjectInsight {
    /// The project.
    pub project_id: ProjectId,
    /// The number of the run that it is about.
    pub number: i32,
    /// The beginning of the note: markdown.
    pub body: String,
    /// When it was written.
    pub created_at: OffsetDateTime,
    /// Who wrote it, as shown to people.
    pub author: String,
}

/// What was learned in these projects, the newest first.
pub async fn insights(
    connection: &mut PgConnection,
    projects: &[ProjectId],
    limit: i64,
) -> sqlx::Result<Vec<ProjectInsight>> {
    sqlx::query_as!(
        ProjectInsight,
        r#"
        SELECT p.id AS "project_id!: ProjectId", i.number AS "number!", i.body AS "body!",
               i.created_at AS "created_at!", COALESCE(a.name, k.name, i.author, 'somebody') AS "author!"
        FROM unnest($1::uuid[]) AS p (id)
        CROSS JOIN LATERAL (
            SELECT r.number, left(n.body, 1000) AS body, n.created_at, n.id, n.account_id, n.api_key_id, n.author
            FROM notes n
            JOIN runs r ON r.id = n.run_id AND r.project_id = n.project_id
            WHERE n.project_id = p.id AND n.is_insight AND r.deleted_at IS NULL
            ORDER BY n.created_at DESC, n.id DESC
            LIMIT $2
        ) AS i
        LEFT JOIN accounts a ON a.id = i.account_id
        LEFT JOIN api_keys k ON k.id = i.api_key_id
        ORDER BY i.created_at DESC, i.id DESC
        LIMIT $2
        "#,
        projects as &[ProjectId],
        limit,
    )
    .fetch_all(connection)
    .await
}

/// The names of numeric results that the newest runs of a project have, the most frequent first.
pub async fn result_names(
    connection: &mut PgConnection,
    project_id: ProjectId,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    let newest: Vec<RunId> = crate::store::run_list::page(connection, project_id, None, None, 100).await?;
    crate::store::results::common_names(connection, project_id, &newest, limit).await
}
