//! The table `api_keys`.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::unknown_word;
use crate::domain::{AccountId, ApiKey, ApiKeyId, Project, ProjectId, Scope};

/// What is written of a new key.
#[derive(Debug)]
pub struct NewApiKey<'a> {
    /// The key's id.
    pub id: ApiKeyId,
    /// The one project that it opens.
    pub project_id: ProjectId,
    /// Where it lives.
    pub name: &'a str,
    /// SHA-256 of the key.
    pub key_hash: &'a [u8; 32],
    /// What may be shown of it.
    pub prefix: &'a str,
    /// What it may do.
    pub scope: Scope,
    /// Who made it.
    pub created_by: AccountId,
    /// Now.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
}

/// Adds a key.
pub async fn insert(connection: &mut PgConnection, key: &NewApiKey<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO api_keys (id, project_id, name, key_hash, prefix, scope, created_by, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ",
        key.id as ApiKeyId,
        key.project_id as ProjectId,
        key.name,
        key.key_hash,
        key.prefix,
        key.scope.as_str(),
        key.created_by as AccountId,
        key.created_at,
        key.expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A live key with what every request made with it needs.
#[derive(Clone, Debug)]
pub struct FoundKey {
    /// The key's id.
    pub id: ApiKeyId,
    /// What may be shown of it.
    pub prefix: String,
    /// What it may do.
    pub scope: Scope,
    /// The e-mail address of the account that made it.
    pub account_email: String,
    /// The project that it opens.
    pub project: Project,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// The key with this hash, if it is neither revoked nor expired, its maker not disabled and its project not deleted.
pub async fn find_live(
    connection: &mut PgConnection,
    key_hash: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<Option<FoundKey>> {
    let row = sqlx::query!(
        r#"
        SELECT k.id AS "id: ApiKeyId", k.prefix, k.scope, k.last_used_at, a.email,
               p.id AS "project_id: ProjectId", p.slug, p.name, p.description, p.created_at
        FROM api_keys k
        JOIN projects p ON p.id = k.project_id
        JOIN accounts a ON a.id = k.created_by
        WHERE k.key_hash = $1
          AND k.revoked_at IS NULL
          AND (k.expires_at IS NULL OR k.expires_at > $2)
          AND a.disabled_at IS NULL
          AND p.deleted_at IS NULL
        "#,
        key_hash,
        now,
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(FoundKey {
            id: row.id,
            prefix: row.prefix,
            scope: row.scope.parse().map_err(unknown_word)?,
            account_email: row.email,
            project: Project {
                id: row.project_id,
                slug: row.slug,
                name: row.name,
                description: row.description,
                created_at: row.created_at,
            },
            last_used_at: row.last_used_at,
        })
    })
    .transpose()
}

/// Notes that a key was used, and from where.
pub async fn touch(
    connection: &mut PgConnection,
    id: ApiKeyId,
    now: OffsetDateTime,
    address: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE api_keys SET last_used_at = $2, last_used_address = $3 WHERE id = $1",
        id as ApiKeyId,
        now,
        address,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The project's keys, the newest first, revoked ones too.
pub async fn list(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Vec<ApiKey>> {
    select(connection, project_id, None).await
}

/// One key of the project.
pub async fn find(connection: &mut PgConnection, project_id: ProjectId, id: ApiKeyId) -> sqlx::Result<Option<ApiKey>> {
    Ok(select(connection, project_id, Some(id)).await?.pop())
}

async fn select(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: Option<ApiKeyId>,
) -> sqlx::Result<Vec<ApiKey>> {
    let rows = sqlx::query!(
        r#"
        SELECT k.id AS "id: ApiKeyId", k.project_id AS "project_id: ProjectId", k.name, k.prefix, k.scope,
               a.name AS created_by, k.created_at, k.expires_at, k.last_used_at, k.last_used_address,
               k.replaced_by IS NOT NULL AS "is_replaced!", k.revoked_at
        FROM api_keys k
        JOIN accounts a ON a.id = k.created_by
        WHERE k.project_id = $1 AND ($2::uuid IS NULL OR k.id = $2)
        ORDER BY k.created_at DESC
        "#,
        project_id as ProjectId,
        id as Option<ApiKeyId>,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ApiKey {
                id: row.id,
                project_id: row.project_id,
                name: row.name,
                prefix: row.prefix,
                scope: row.scope.parse().map_err(unknown_word)?,
                created_by: row.created_by,
                created_at: row.created_at,
                expires_at: row.expires_at,
                last_used_at: row.last_used_at,
                last_used_address: row.last_used_address,
                is_replaced: row.is_replaced,
                revoked_at: row.revoked_at,
            })
        })
        .collect()
}

/// Lets a key end at `expires_at`, unless it ends sooner, because `replaced_by` takes its place.
/// `None`: the project has no such live key, or it was replaced before; otherwise its hash.
pub async fn replace(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: ApiKeyId,
    replaced_by: ApiKeyId,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "
        UPDATE api_keys
        SET replaced_by = $3, expires_at = LEAST(expires_at, $5)
        WHERE id = $2 AND project_id = $1 AND replaced_by IS NULL AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > $4)
        RETURNING key_hash
        ",
        project_id as ProjectId,
        id as ApiKeyId,
        replaced_by as ApiKeyId,
        now,
        expires_at,
    )
    .fetch_optional(connection)
    .await
}

/// Revokes a key that was never used, because it never reached whom it was made for. `None`: it was used,
/// or revoked; otherwise its hash.
pub async fn revoke_unused(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: ApiKeyId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "
        UPDATE api_keys
        SET revoked_at = $3
        WHERE id = $2 AND project_id = $1 AND last_used_at IS NULL AND revoked_at IS NULL
        RETURNING key_hash
        ",
        project_id as ProjectId,
        id as ApiKeyId,
        now,
    )
    .fetch_optional(connection)
    .await
}

/// Revokes all live keys that an account made in the project. Returns their hashes.
pub async fn revoke_of(
    connection: &mut PgConnection,
    project_id: ProjectId,
    account_id: AccountId,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(
        "
        UPDATE api_keys
        SET revoked_at = $3
        WHERE project_id = $1 AND created_by = $2 AND revoked_at IS NULL
        RETURNING key_hash
        ",
        project_id as ProjectId,
        account_id as AccountId,
        now,
    )
    .fetch_all(connection)
    .await
}

/// Revokes all live keys that an account made, in any project. Returns their hashes.
pub async fn revoke_all_of(
    connection: &mut PgConnection,
    account_id: AccountId,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(
        "UPDATE api_keys SET revoked_at = $2 WHERE created_by = $1 AND revoked_at IS NULL RETURNING key_hash",
        account_id as AccountId,
        now,
    )
    .fetch_all(connection)
    .await
}

/// A key that was revoked by whoever held it.
#[derive(Clone, Debug)]
pub struct HeldKey {
    /// The key's id.
    pub id: ApiKeyId,
    /// Where it lived.
    pub name: String,
    /// What may be shown of it.
    pub prefix: String,
    /// The project that it opened.
    pub project_id: ProjectId,
    /// That project's name.
    pub project_name: String,
    /// The e-mail address of the account that made it.
    pub account_email: String,
}

/// Revokes the key with this hash, also one whose maker's account is closed. `None`: there is no such key,
/// or it was revoked before.
pub async fn revoke_by_hash(
    connection: &mut PgConnection,
    key_hash: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<Option<HeldKey>> {
    sqlx::query_as!(
        HeldKey,
        r#"
        UPDATE api_keys k
        SET revoked_at = $2
        FROM projects p, accounts a
        WHERE k.key_hash = $1 AND k.revoked_at IS NULL AND p.id = k.project_id AND a.id = k.created_by
        RETURNING k.id AS "id: ApiKeyId", k.name, k.prefix, k.project_id AS "project_id: ProjectId",
                  p.name AS project_name, a.email AS account_email
        "#,
        key_hash,
        now,
    )
    .fetch_optional(connection)
    .await
}

/// A key that was revoked, or would have been: its hash, its name and what may be shown of it.
#[derive(Clone, Debug)]
pub struct RevokedKey {
    /// SHA-256 of the key.
    pub key_hash: Vec<u8>,
    /// Where it lived.
    pub name: String,
    /// What may be shown of it.
    pub prefix: String,
    /// Whether it was live until now.
    pub was_live: bool,
}

/// Revokes a key. `None`: the project has no such key.
pub async fn revoke(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: ApiKeyId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<RevokedKey>> {
    sqlx::query_as!(
        RevokedKey,
        r#"
        UPDATE api_keys k
        SET revoked_at = COALESCE(k.revoked_at, $3)
        FROM (SELECT revoked_at FROM api_keys WHERE id = $2 FOR UPDATE) before
        WHERE k.id = $2 AND k.project_id = $1
        RETURNING k.key_hash, k.name, k.prefix, before.revoked_at IS NULL AS "was_live!"
        "#,
        project_id as ProjectId,
        id as ApiKeyId,
        now,
    )
    .fetch_optional(connection)
    .await
}
