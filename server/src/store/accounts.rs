//! The table `accounts`.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{Account, AccountId};

/// What is written when an account signs up.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// The account's id.
    pub id: AccountId,
    /// Its e-mail address, in lower case.
    pub email: &'a str,
    /// What others see.
    pub name: &'a str,
    /// A PHC string.
    pub password_hash: &'a str,
    /// Whether it runs the server.
    pub is_admin: bool,
    /// Now.
    pub created_at: OffsetDateTime,
}

/// Adds an account. `None`: the e-mail address is taken.
pub async fn insert(connection: &mut PgConnection, account: &NewAccount<'_>) -> sqlx::Result<Option<Account>> {
    sqlx::query_as!(
        Account,
        r#"
        INSERT INTO accounts (id, email, name, password_hash, is_admin, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (email) DO NOTHING
        RETURNING id AS "id: AccountId", email, name, is_admin, created_at
        "#,
        account.id as AccountId,
        account.email,
        account.name,
        account.password_hash,
        account.is_admin,
        account.created_at,
    )
    .fetch_optional(connection)
    .await
}

/// The account with this e-mail address, and its password's hash. Disabled accounts are not found.
pub async fn find_by_email(
    connection: &mut PgConnection,
    email: &str,
) -> sqlx::Result<Option<(Account, Option<String>)>> {
    let row = sqlx::query!(
        r#"
        SELECT id AS "id: AccountId", email, name, is_admin, created_at, password_hash
        FROM accounts
        WHERE email = $1 AND disabled_at IS NULL
        "#,
        email,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| {
        let account = Account {
            id: row.id,
            email: row.email,
            name: row.name,
            is_admin: row.is_admin,
            created_at: row.created_at,
        };
        (account, row.password_hash)
    }))
}

/// Replaces a password's hash.
pub async fn set_password_hash(connection: &mut PgConnection, id: AccountId, hash: &str) -> sqlx::Result<()> {
    sqlx::query!("UPDATE accounts SET password_hash = $2 WHERE id = $1", id as AccountId, hash)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether anybody has signed up yet.
pub async fn exist(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM accounts) AS "exist!""#).fetch_one(connection).await
}

/// Lets one sign-up at a time go on until its transaction ends, so that only one account is the first.
pub async fn lock_sign_up(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('otrace sign-up'))").execute(connection).await?;
    Ok(())
}
