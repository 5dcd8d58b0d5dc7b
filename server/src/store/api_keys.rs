//! The table `api_keys`.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{AccountId, ApiKey, ApiKeyId, Project, ProjectId};

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
    /// Who made it.
    pub created_by: AccountId,
    /// Now.
    pub created_at: OffsetDateTime,
}

/// Adds a key.
pub async fn insert(connection: &mut PgConnection, key: &NewApiKey<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO api_keys (id, project_id, name, key_hash, prefix, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ",
        key.id as ApiKeyId,
        key.project_id as ProjectId,
        key.name,
        key.key_hash,
        key.prefix,
        key.created_by as AccountId,
        key.created_at,
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
    /// The e-mail address of the account that made it.
    pub account_email: String,
    /// The project that it opens.
    pub project: Project,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// The key with this hash, if it is neither revoked nor expired and its maker is not disabled.
pub async fn find_live(
    connection: &mut PgConnection,
    key_hash: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<Option<FoundKey>> {
    let row = sqlx::query!(
        r#"
        SELECT k.id AS "id: ApiKeyId", k.prefix, k.last_used_at, a.email,
               p.id AS "project_id: ProjectId", p.slug, p.name, p.description, p.created_at
        FROM api_keys k
        JOIN projects p ON p.id = k.project_id
        JOIN accounts a ON a.id = k.created_by
        WHERE k.key_hash = $1
          AND k.revoked_at IS NULL
          AND (k.expires_at IS NULL OR k.expires_at > $2)
          AND a.disabled_at IS NULL
        "#,
        key_hash,
        now,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| FoundKey {
        id: row.id,
        prefix: row.prefix,
        account_email: row.email,
        project: Project {
            id: row.project_id,
            slug: row.slug,
            name: row.name,
            description: row.description,
            created_at: row.created_at,
        },
        last_used_at: row.last_used_at,
    }))
}

/// Notes that a key was used.
pub async fn touch(connection: &mut PgConnection, id: ApiKeyId, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!("UPDATE api_keys SET last_used_at = $2 WHERE id = $1", id as ApiKeyId, now)
        .execute(connection)
        .await?;
    Ok(())
}

/// The project's keys, the newest first, revoked ones too.
pub async fn list(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Vec<ApiKey>> {
    sqlx::query_as!(
        ApiKey,
        r#"
        SELECT k.id AS "id: ApiKeyId", k.project_id AS "project_id: ProjectId", k.name, k.prefix,
               a.name AS created_by, k.created_at, k.expires_at, k.last_used_at, k.revoked_at
        FROM api_keys k
        JOIN accounts a ON a.id = k.created_by
        WHERE k.project_id = $1
        ORDER BY k.created_at DESC
        "#,
        project_id as ProjectId,
    )
    .fetch_all(connection)
    .await
}

/// Revokes a key. `None`: the project has no such key; otherwise its hash.
pub async fn revoke(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: ApiKeyId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "
        UPDATE api_keys
        SET revoked_at = COALESCE(revoked_at, $3)
        WHERE id = $2 AND project_id = $1
        RETURNING key_hash
        ",
        project_id as ProjectId,
        id as ApiKeyId,
        now,
    )
    .fetch_optional(connection)
    .await
}
