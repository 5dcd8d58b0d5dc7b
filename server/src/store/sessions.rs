//! The table `sessions`.

use std::net::IpAddr;

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{Account, AccountId};

/// A signed-in browser, as it is found by its cookie.
#[derive(Debug)]
pub struct FoundSession {
    /// Who is signed in.
    pub account: Account,
    /// When the session was last seen, to a few minutes.
    pub last_seen_at: OffsetDateTime,
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
        INSERT INTO sessions (token_hash, account_id, created_at, last_seen_at, user_agent, address)
        VALUES ($1, $2, $3, $3, $4, $5::text::inet)
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

/// The session with this token, if it was seen after `seen_after` and begun after `begun_after`.
pub async fn find(
    connection: &mut PgConnection,
    token_hash: &[u8; 32],
    seen_after: OffsetDateTime,
    begun_after: OffsetDateTime,
) -> sqlx::Result<Option<FoundSession>> {
    let row = sqlx::query!(
        r#"
        SELECT a.id AS "id: AccountId", a.email, a.name, a.is_admin, a.created_at, s.last_seen_at
        FROM sessions s
        JOIN accounts a ON a.id = s.account_id
        WHERE s.token_hash = $1
          AND s.last_seen_at > $2
          AND s.created_at > $3
          AND a.disabled_at IS NULL
        "#,
        token_hash,
        seen_after,
        begun_after,
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
    }))
}

/// Notes that the session was seen.
pub async fn touch(connection: &mut PgConnection, token_hash: &[u8; 32], now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!("UPDATE sessions SET last_seen_at = $2 WHERE token_hash = $1", token_hash, now)
        .execute(connection)
        .await?;
    Ok(())
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
