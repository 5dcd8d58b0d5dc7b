//! The table `members`, and what a member sees of their projects.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::unknown_word;
use crate::domain::{Account, AccountId, Project, ProjectId, Role};

/// Adds a member.
pub async fn insert(
    connection: &mut PgConnection,
    project_id: ProjectId,
    account_id: AccountId,
    role: Role,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO members (project_id, account_id, role, created_at, last_visited_at)
        VALUES ($1, $2, $3, $4, $4)
        ",
        project_id as ProjectId,
        account_id as AccountId,
        role.as_str(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The project with this slug and the account's role in it. `None` for strangers too.
pub async fn find_project(
    connection: &mut PgConnection,
    account_id: AccountId,
    slug: &str,
) -> sqlx::Result<Option<(Project, Role)>> {
    let row = sqlx::query!(
        r#"
        SELECT p.id AS "id: ProjectId", p.slug, p.name, p.description, p.created_at, m.role
        FROM projects p
        JOIN members m ON m.project_id = p.id
        WHERE p.slug = $2 AND m.account_id = $1
        "#,
        account_id as AccountId,
        slug,
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        let role = row.role.parse().map_err(unknown_word)?;
        let project = Project {
            id: row.id,
            slug: row.slug,
            name: row.name,
            description: row.description,
            created_at: row.created_at,
        };
        Ok((project, role))
    })
    .transpose()
}

/// The slug of the project that the account opened last.
pub async fn last_visited_slug(connection: &mut PgConnection, account_id: AccountId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "
        SELECT p.slug
        FROM members m
        JOIN projects p ON p.id = m.project_id
        WHERE m.account_id = $1
        ORDER BY m.last_visited_at DESC
        LIMIT 1
        ",
        account_id as AccountId,
    )
    .fetch_optional(connection)
    .await
}

/// The owner who has been in the project the longest.
pub async fn first_owner(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Option<Account>> {
    sqlx::query_as!(
        Account,
        r#"
        SELECT a.id AS "id: AccountId", a.email, a.name, a.is_admin, a.created_at
        FROM members m
        JOIN accounts a ON a.id = m.account_id
        WHERE m.project_id = $1 AND m.role = 'owner' AND a.disabled_at IS NULL
        ORDER BY m.created_at, a.id
        LIMIT 1
        "#,
        project_id as ProjectId,
    )
    .fetch_optional(connection)
    .await
}

/// Notes that the account opened the project.
pub async fn visit(
    connection: &mut PgConnection,
    project_id: ProjectId,
    account_id: AccountId,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE members SET last_visited_at = $3 WHERE project_id = $1 AND account_id = $2",
        project_id as ProjectId,
        account_id as AccountId,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A project as its member's list shows it, without its runs.
#[derive(Debug)]
pub struct ListedProject {
    /// The project.
    pub project: Project,
    /// The member's role in it.
    pub role: Role,
    /// The names of all its members, first come first.
    pub members: Vec<String>,
}

/// The account's projects, the last active one first.
pub async fn list_projects(connection: &mut PgConnection, account_id: AccountId) -> sqlx::Result<Vec<ListedProject>> {
    let rows = sqlx::query!(
        r#"
        SELECT p.id AS "id: ProjectId", p.slug, p.name, p.description, p.created_at, m.role,
               ARRAY(
                   SELECT a.name
                   FROM members o
                   JOIN accounts a ON a.id = o.account_id
                   WHERE o.project_id = p.id
                   ORDER BY o.created_at, a.id
               ) AS "members!"
        FROM members m
        JOIN projects p ON p.id = m.project_id
        WHERE m.account_id = $1
        ORDER BY COALESCE(
            (SELECT r.created_at FROM runs r
             WHERE r.project_id = p.id AND r.deleted_at IS NULL
             ORDER BY r.number DESC LIMIT 1),
            p.created_at
        ) DESC
        "#,
        account_id as AccountId,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let role = row.role.parse().map_err(unknown_word)?;
            let project = Project {
                id: row.id,
                slug: row.slug,
                name: row.name,
                description: row.description,
                created_at: row.created_at,
            };
            Ok(ListedProject { project, role, members: row.members })
        })
        .collect()
}
