//! The table `one_time_links`.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::AccountId;
use crate::domain::one_time_link::Purpose;

/// What is written of a new link.
#[derive(Debug)]
pub struct NewLink<'a> {
    /// SHA-256 of its token.
    pub token_hash: &'a [u8; 32],
    /// What it is good for.
    pub purpose: Purpose,
    /// Whose it is; `None` for a sign-up.
    pub account_id: Option<AccountId>,
    /// The address that it proves.
    pub email: &'a str,
    /// The name that a sign-up came with.
    pub name: Option<&'a str>,
    /// Whether it goes to that address by mail.
    pub was_mailed: bool,
    /// Now.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// What a link proves.
#[derive(Clone, Debug)]
pub struct FoundLink {
    /// Whose it is; `None` for a sign-up.
    pub account_id: Option<AccountId>,
    /// The address that it proves.
    pub email: String,
    /// The name that a sign-up came with.
    pub name: Option<String>,
    /// Whether it went to that address by mail, so that using it proves the address.
    pub was_mailed: bool,
}

/// Adds a link, and clears away those that have ended.
pub async fn insert(connection: &mut PgConnection, link: &NewLink<'_>) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM one_time_links WHERE expires_at <= $1", link.created_at)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "
        INSERT INTO one_time_links (token_hash, purpose, account_id, email, name, was_mailed, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ",
        link.token_hash,
        link.purpose.as_str(),
        link.account_id as Option<AccountId>,
        link.email,
        link.name,
        link.was_mailed,
        link.created_at,
        link.expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The link with this token, if it still works. Leaves it as it is.
pub async fn find(
    connection: &mut PgConnection,
    token_hash: &[u8; 32],
    purpose: Purpose,
    now: OffsetDateTime,
) -> sqlx::Result<Option<FoundLink>> {
    sqlx::query_as!(
        FoundLink,
        r#"
        SELECT account_id AS "account_id: AccountId", email, name, was_mailed
        FROM one_time_links
        WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3
        "#,
        token_hash,
        purpose.as_str(),
        now,
    )
    .fetch_optional(connection)
    .await
}

/// Uses the link with this token up. `None`: it was used before, has ended, or never was.
pub async fn take(
    connection: &mut PgConnection,
    token_hash: &[u8; 32],
    purpose: Purpose,
    now: OffsetDateTime,
) -> sqlx::Result<Option<FoundLink>> {
    sqlx::query_as!(
        FoundLink,
        r#"
        DELETE FROM one_time_links
        WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3
        RETURNING account_id AS "account_id: AccountId", email, name, was_mailed
        "#,
        token_hash,
        purpose.as_str(),
        now,
    )
    .fetch_optional(connection)
    .await
}

/// Ends all links of an account.
pub async fn delete_of(connection: &mut PgConnection, account_id: AccountId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM one_time_links WHERE account_id = $1", account_id as AccountId)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends all sign-ups with this address.
pub async fn delete_sign_ups(connection: &mut PgConnection, email: &str) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM one_time_links WHERE purpose = 'sign_up' AND email = $1", email)
        .execute(connection)
        .await?;
    Ok(())
}
