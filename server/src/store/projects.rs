//! The table `projects`: single ones, and all of a server. A deleted one is not found.
//!
//! `overview` is what a list of several shows, `settings` what their owners settle, `deletion` the way out and back.

pub mod deletion;
pub mod overview;
pub mod settings;

use sqlx::PgConnection;
use time::OffsetDateTime;

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
        r#"SELECT id AS "id: ProjectId", slug, name, description, created_at
           FROM projects WHERE id = $1 AND deleted_at IS NULL"#,
        id as ProjectId,
    )
    .fetch_optional(connection)
    .await
}

/// A project, as those who run the server see it: what it takes, not what is in it.
#[derive(Clone, Debug)]
pub struct StoredProject {
    /// The project.
    pub project: Project,
    /// The addresses of its owners.
    pub owners: Vec<String>,
    /// How many members it has.
    pub member_count: i64,
    /// How many runs it has.
    pub run_count: i64,
    /// When its newest run was created.
    pub last_run_at: Option<OffsetDateTime>,
    /// What its contents take, in bytes.
    pub stored_bytes: i64,
}

/// Projects whose slug follows `after`, by slug.
pub async fn list(connection: &mut PgConnection, after: &str, limit: i64) -> sqlx::Result<Vec<StoredProject>> {
    let rows = sqlx::query!(
        r#"
        SELECT p.id AS "id: ProjectId", p.slug, p.name, p.description, p.created_at,
               ARRAY(
                   SELECT a.email FROM members m JOIN accounts a ON a.id = m.account_id
                   WHERE m.project_id = p.id AND m.role = 'owner' ORDER BY m.created_at, a.id
               ) AS "owners!",
               (SELECT count(*) FROM members m WHERE m.project_id = p.id) AS "member_count!",
               (SELECT count(*) FROM runs r WHERE r.project_id = p.id AND r.deleted_at IS NULL) AS "run_count!",
               (SELECT max(r.created_at) FROM runs r WHERE r.project_id = p.id AND r.deleted_at IS NULL) AS last_run_at,
               (SELECT COALESCE(sum(b.size_bytes), 0)::bigint FROM blobs b WHERE b.project_id = p.id)
                   AS "stored_bytes!"
        FROM projects p
        WHERE p.slug > $1 AND p.deleted_at IS NULL
        ORDER BY p.slug
        LIMIT $2
        "#,
        after,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let projects = rows.into_iter().map(|row| StoredProject {
        project: Project {
            id: row.id,
            slug: row.slug,
            name: row.name,
            description: row.description,
            created_at: row.created_at,
        },
        owners: row.owners,
        member_count: row.member_count,
        run_count: row.run_count,
        last_run_at: row.last_run_at,
        stored_bytes: row.stored_bytes,
    });
    Ok(projects.collect())
}

/// The project with this slug, whoever asks.
pub async fn find_by_slug(connection: &mut PgConnection, slug: &str) -> sqlx::Result<Option<Project>> {
    sqlx::query_as!(
        Project,
        r#"SELECT id AS "id: ProjectId", slug, name, description, created_at
           FROM projects WHERE slug = $1 AND deleted_at IS NULL"#,
        slug,
    )
    .fetch_optional(connection)
    .await
}

/// What the whole server keeps.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Open accounts.
    pub accounts: i64,
    /// Projects.
    pub projects: i64,
    /// Runs, deleted ones not.
    pub runs: i64,
    /// What all contents take, in bytes.
    pub stored_bytes: i64,
    /// What the database takes, in bytes.
    pub database_bytes: i64,
}

/// Counts what the whole server keeps.
pub async fn usage(connection: &mut PgConnection) -> sqlx::Result<Usage> {
    sqlx::query_as!(
        Usage,
        r#"
        SELECT (SELECT count(*) FROM accounts WHERE disabled_at IS NULL) AS "accounts!",
               (SELECT count(*) FROM projects WHERE deleted_at IS NULL) AS "projects!",
               (SELECT count(*) FROM runs WHERE deleted_at IS NULL) AS "runs!",
               (SELECT COALESCE(sum(size_bytes), 0)::bigint FROM blobs) AS "stored_bytes!",
               pg_database_size(current_database()) AS "database_bytes!"
        "#,
    )
    .fetch_one(connection)
    .await
}
