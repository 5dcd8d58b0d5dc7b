//! The table `sessions`.

use std::net::IpAddr;

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{Account, AccountId, SessionId};

/// A signed-in browser, as it is found by its cookie.
#[derive(Debug)]
pub struct FoundSession {
    /// Who is signed in.
    pub account: Account,
    /// When the session was last seen, to a few minutes.
    pub last_seen_at: OffsetDateTime,
    /// When the person last proved who they are.
    pub authenticated_at: OffsetDateTime,
    /// SHA-256 of its token now, which may be a newer one than it was found by.
    pub token_hash: Vec<u8>,
    /// When that token was made.
    pub token_made_at: OffsetDateTime,
}

/// A signed-in browser, as its owner sees it.
#[derive(Clone, Debug)]
pub struct ListedSession {
    /// The session's id, which is not its token.
    pub id: SessionId,
    /// SHA-256 of its token, to tell which one is the reader's own.
    pub token_hash: Vec<u8>,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it was last seen, to a few minutes.
    pub last_seen_at: OffsetDateTime,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// From which address it began.
    pub address: Option<String>,
}

/// Adds a session.
pub async fn insert(
    connection: &mut PgConnection,
    token_hash: &[u8; 32],
    account_id: AccountId,
    now: OffsetDateTime,
    user_agent: Option<&str>,
    address: Option<IpAddr>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO sessions (token_hash, account_id, created_at, last_seen_at, authenticated_at, user_agent, address)
        VALUES ($1, $2, $3, $3, $3, $4, $5::text::inet)
        ",
        token_hash,
        account_id as AccountId,
        now,
        user_agent,
        address.map(|address| address.to_string()),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The session with this token, if it was seen after `seen_after` and begun after `begun_after`. The token
/// before its present one will do, if that was made after `replaced_after`.
pub async fn find(
    connection: &mut PgConnection,
    token_hash: &[u8; 32],
    seen_after: OffsetDateTime,
    begun_after: OffsetDateTime,
    replaced_after: OffsetDateTime,
) -> sqlx::Result<Option<FoundSession>> {
    let row = sqlx::query!(
        r#"
        SELECT a.id AS "id: AccountId", a.email, a.name, a.is_admin, a.created_at, s.last_seen_at,
               COALESCE(s.authenticated_at, s.created_at) AS "authenticated_at!", s.token_hash,
               COALESCE(s.token_made_at, s.created_at) AS "token_made_at!"
        FROM sessions s
        JOIN accounts a ON a.id = s.account_id
        WHERE (s.token_hash = $1 OR (s.former_token_hash = $1 AND s.token_made_at > $4))
          AND s.last_seen_at > $2
          AND s.created_at > $3
          AND a.disabled_at IS NULL
        "#,
        token_hash,
        seen_after,
        begun_after,
        replaced_after,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| FoundSession {
        account: Account {
            id: row.id,
            email: row.email,
            name: row.name,
            is_admin: row.is_admin,
            created_at: row.created_at,
        },
        last_seen_at: row.last_seen_at,
        authenticated_at: row.authenticated_at,
        token_hash: row.token_hash,
        token_made_at: row.token_made_at,
    }))
}

/// Notes that the session was seen.
pub async fn touch(connection: &mut PgConnection, token_hash: &[u8], now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!("UPDATE sessions SET last_seen_at = $2 WHERE token_hash = $1", token_hash, now)
        .execute(connection)
        .await?;
    Ok(())
}

/// Gives a session a new token, because its owner has just proved who they are. `false`: it has ended.
pub async fn renew(
    connection: &mut PgConnection,
    token_hash: &[u8; 32],
    new_token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        UPDATE sessions
        SET token_hash = $2, former_token_hash = NULL, token_made_at = $3, last_seen_at = $3, authenticated_at = $3
        WHERE token_hash = $1
        ",
        token_hash,
        new_token_hash,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a session that goes on a new token; the old one works a moment more. `false`: another request did,
/// or it has ended.
pub async fn rotate(
    connection: &mut PgConnection,
    token_hash: &[u8; 32],
    new_token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        UPDATE sessions SET token_hash = $2, former_token_hash = token_hash, token_made_at = $3 WHERE token_hash = $1
        ",
        token_hash,
        new_token_hash,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// An account's sessions that have not ended, the last seen first.
pub async fn list(
    connection: &mut PgConnection,
    account_id: AccountId,
    seen_after: OffsetDateTime,
    begun_after: OffsetDateTime,
) -> sqlx::Result<Vec<ListedSession>> {
    sqlx::query_as!(
        ListedSession,
        r#"
        SELECT id AS "id: SessionId", token_hash, created_at, last_seen_at, user_agent, host(address) AS address
        FROM sessions
        WHERE account_id = $1 AND last_seen_at > $2 AND created_at > $3
        ORDER BY last_seen_at DESC, id
        "#,
        account_id as AccountId,
        seen_after,
        begun_after,
    )
    .fetch_all(connection)
    .await
}

/// Ends one session of an account. `false`: it has no such session.
pub async fn delete_one(connection: &mut PgConnection, account_id: AccountId, id: SessionId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM sessions WHERE account_id = $1 AND id = $2",
        account_id as AccountId,
        id as SessionId,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all sessions of an account but the one with this token; with `None`, all.
pub async fn delete_others(
    connection: &mut PgConnection,
    account_id: AccountId,
    kept: Option<&[u8; 32]>,
) -> sqlx::Result<u64> {
    let kept = kept.map(<[u8; 32]>::as_slice);
    let done = sqlx::query!(
        "DELETE FROM sessions WHERE account_id = $1 AND token_hash IS DISTINCT FROM $2",
        account_id as AccountId,
        kept,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Ends a session.
pub async fn delete(connection: &mut PgConnection, token_hash: &[u8; 32]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM sessions WHERE token_hash = $1", token_hash).execute(connection).await?;
    Ok(())
}

/// Removes an account's sessions that have ended by themselves.
pub async fn delete_ended(
    connection: &mut PgConnection,
    account_id: AccountId,
    seen_after: OffsetDateTime,
    begun_after: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM sessions WHERE account_id = $1 AND (last_seen_at <= $2 OR created_at <= $3)",
        account_id as AccountId,
        seen_after,
        begun_after,
    )
    .execute(connection)
    .await?;
    Ok(())
}
