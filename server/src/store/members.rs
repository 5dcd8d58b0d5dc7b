//! The table `members`, and what a member sees of their projects.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::unknown_word;
use crate::domain::{Account, AccountId, Project, ProjectId, Role};

/// Adds a member. `false`: the account is one already.
pub async fn insert(
    connection: &mut PgConnection,
    project_id: ProjectId,
    account_id: AccountId,
    role: Role,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        INSERT INTO members (project_id, account_id, role, created_at, last_visited_at)
        VALUES ($1, $2, $3, $4, $4)
        ON CONFLICT (project_id, account_id) DO NOTHING
        ",
        project_id as ProjectId,
        account_id as AccountId,
        role.as_str(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A member, as others in the project see them.
#[derive(Clone, Debug)]
pub struct ListedMember {
    /// Who it is.
    pub account: Account,
    /// What they may do.
    pub role: Role,
    /// When they joined.
    pub joined_at: OffsetDateTime,
    /// Whether their account was closed.
    pub is_disabled: bool,
}

/// The project's members, owners first, then by name.
pub async fn list(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Vec<ListedMember>> {
    let rows = sqlx::query!(
        r#"
        SELECT a.id AS "id: AccountId", a.email, a.name, a.is_admin, a.created_at, m.role,
               m.created_at AS joined_at, a.disabled_at IS NOT NULL AS "is_disabled!"
        FROM members m
        JOIN accounts a ON a.id = m.account_id
        WHERE m.project_id = $1
        ORDER BY array_position(ARRAY['owner', 'editor', 'viewer'], m.role), lower(a.name), a.id
        "#,
        project_id as ProjectId,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let account = Account {
                id: row.id,
                email: row.email,
                name: row.name,
                is_admin: row.is_admin,
                created_at: row.created_at,
            };
            let role = row.role.parse().map_err(unknown_word)?;
            Ok(ListedMember { account, role, joined_at: row.joined_at, is_disabled: row.is_disabled })
        })
        .collect()
}

/// The account's role in the project; none in one that is deleted.
pub async fn find_role(
    connection: &mut PgConnection,
    project_id: ProjectId,
    account_id: AccountId,
) -> sqlx::Result<Option<Role>> {
    let role = sqlx::query_scalar!(
        "
        SELECT m.role FROM members m
        JOIN projects p ON p.id = m.project_id
        WHERE m.project_id = $1 AND m.account_id = $2 AND p.deleted_at IS NULL
        ",
        project_id as ProjectId,
        account_id as AccountId,
    )
    .fetch_optional(connection)
    .await?;
    role.map(|role| role.parse().map_err(unknown_word)).transpose()
}

/// The account's role in the project, which nobody changes until the transaction ends.
pub async fn hold_role(
    connection: &mut PgConnection,
    project_id: ProjectId,
    account_id: AccountId,
) -> sqlx::Result<Option<Role>> {
    sqlx::query!("SELECT id FROM projects WHERE id = $1 FOR KEY SHARE", project_id as ProjectId)
        .fetch_optional(&mut *connection)
        .await?;
    find_role(connection, project_id, account_id).await
}

/// Owners whose accounts are open, by id. Locks the project, so that nobody else changes its members
/// until the transaction ends.
pub async fn lock_owners(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Vec<AccountId>> {
    sqlx::query!("SELECT id FROM projects WHERE id = $1 FOR UPDATE", project_id as ProjectId)
        .fetch_optional(&mut *connection)
        .await?;
    sqlx::query_scalar!(
        r#"
        SELECT m.account_id AS "id: AccountId"
        FROM members m
        JOIN accounts a ON a.id = m.account_id
        WHERE m.project_id = $1 AND m.role = 'owner' AND a.disabled_at IS NULL
        ORDER BY m.account_id
        "#,
        project_id as ProjectId,
    )
    .fetch_all(connection)
    .await
}

/// Changes what a member may do. `false`: the account is no member.
pub async fn set_role(
    connection: &mut PgConnection,
    project_id: ProjectId,
    account_id: AccountId,
    role: Role,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE members SET role = $3 WHERE project_id = $1 AND account_id = $2",
        project_id as ProjectId,
        account_id as AccountId,
        role.as_str(),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a member out of the project. `false`: the account was none.
pub async fn delete(connection: &mut PgConnection, project_id: ProjectId, account_id: AccountId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM members WHERE project_id = $1 AND account_id = $2",
        project_id as ProjectId,
        account_id as AccountId,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The project with this slug and the account's role in it. `None` for strangers too, and where it is deleted.
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
        WHERE p.slug = $2 AND m.account_id = $1 AND p.deleted_at IS NULL
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
        WHERE m.account_id = $1 AND p.deleted_at IS NULL
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
        WHERE m.account_id = $1 AND p.deleted_at IS NULL
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
