//! The table `saved_views`.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{AccountId, ProjectId};

/// A view of the list of runs that somebody keeps under a name.
#[derive(Clone, Debug)]
pub struct SavedView {
    /// The view's id.
    pub id: Uuid,
    /// What it is called.
    pub name: String,
    /// What stands behind the `?` of the list's address.
    pub parameters: String,
    /// Whether all members of the project see it.
    pub is_shared: bool,
    /// Whether it is the reader's own.
    pub is_own: bool,
    /// Who keeps it.
    pub created_by: String,
}

/// The views of a project that an account sees: its own and the shared ones, by name; at most 500.
pub async fn list(
    connection: &mut PgConnection,
    project_id: ProjectId,
    account_id: AccountId,
) -> sqlx::Result<Vec<SavedView>> {
    sqlx::query_as!(
        SavedView,
        r#"
        SELECT v.id, v.name, v.parameters, v.is_shared, v.created_by = $2 AS "is_own!", a.name AS created_by
        FROM saved_views v
        JOIN accounts a ON a.id = v.created_by
        WHERE v.project_id = $1 AND (v.is_shared OR v.created_by = $2)
        ORDER BY lower(v.name), v.id
        LIMIT 500
        "#,
        project_id as ProjectId,
        account_id as AccountId,
    )
    .fetch_all(connection)
    .await
}

/// How many views an account keeps in a project under other names than this one.
pub async fn count_others(
    connection: &mut PgConnection,
    project_id: ProjectId,
    account_id: AccountId,
    name: &str,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM saved_views
        WHERE project_id = $1 AND created_by = $2 AND name <> $3
        "#,
        project_id as ProjectId,
        account_id as AccountId,
        name,
    )
    .fetch_one(connection)
    .await
}

/// What is kept.
#[derive(Clone, Copy, Debug)]
pub struct NewView<'a> {
    /// The view's id, unless its maker has one of this name already.
    pub id: Uuid,
    /// What it is called.
    pub name: &'a str,
    /// What stands behind the `?` of the list's address.
    pub parameters: &'a str,
    /// Whether all members of the project see it.
    pub is_shared: bool,
}

/// Keeps a view, in place of the one that its maker has under this name.
pub async fn save(
    connection: &mut PgConnection,
    project_id: ProjectId,
    account_id: AccountId,
    view: NewView<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO saved_views (id, project_id, created_by, name, parameters, is_shared, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (project_id, created_by, name) DO UPDATE
        SET parameters = EXCLUDED.parameters, is_shared = EXCLUDED.is_shared
        ",
        view.id,
        project_id as ProjectId,
        account_id as AccountId,
        view.name,
        view.parameters,
        view.is_shared,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a view of the account's own, or where `also_shared` any that all members see. `false`: there is none.
pub async fn delete(
    connection: &mut PgConnection,
    project_id: ProjectId,
    account_id: AccountId,
    id: Uuid,
    also_shared: bool,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        DELETE FROM saved_views
        WHERE id = $1 AND project_id = $2 AND (created_by = $3 OR ($4 AND is_shared))
        ",
        id,
        project_id as ProjectId,
        account_id as AccountId,
        also_shared,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
