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
    /// A PHC string; `None` where it signs in through a provider only.
    pub password_hash: Option<&'a str>,
    /// Whether it runs the server.
    pub is_admin: bool,
    /// When the address was proved to be theirs.
    pub email_verified_at: Option<OffsetDateTime>,
    /// Now.
    pub created_at: OffsetDateTime,
}

/// Adds an account. `None`: the e-mail address is taken.
pub async fn insert(connection: &mut PgConnection, account: &NewAccount<'_>) -> sqlx::Result<Option<Account>> {
    sqlx::query_as!(
        Account,
        r#"
        INSERT INTO accounts (id, email, name, password_hash, is_admin, email_verified_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (email) DO NOTHING
        RETURNING id AS "id: AccountId", email, name, is_admin, created_at
        "#,
        account.id as AccountId,
        account.email,
        account.name,
        account.password_hash,
        account.is_admin,
        account.email_verified_at,
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

/// The account with this id. Disabled accounts are not found.
pub async fn find(connection: &mut PgConnection, id: AccountId) -> sqlx::Result<Option<Account>> {
    sqlx::query_as!(
        Account,
        r#"
        SELECT id AS "id: AccountId", email, name, is_admin, created_at
        FROM accounts
        WHERE id = $1 AND disabled_at IS NULL
        "#,
        id as AccountId,
    )
    .fetch_optional(connection)
    .await
}

/// How an account signs in, for its own page.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// A PHC string; `None` where it signs in through a provider only.
    pub password_hash: Option<String>,
    /// When its address was proved to be theirs.
    pub email_verified_at: Option<OffsetDateTime>,
}

/// How an account signs in. Locks its row, where a decision follows.
pub async fn lock_credentials(connection: &mut PgConnection, id: AccountId) -> sqlx::Result<Option<Credentials>> {
    sqlx::query_as!(
        Credentials,
        "SELECT password_hash, email_verified_at FROM accounts WHERE id = $1 AND disabled_at IS NULL FOR UPDATE",
        id as AccountId,
    )
    .fetch_optional(connection)
    .await
}

/// Changes the name that others see.
pub async fn set_name(connection: &mut PgConnection, id: AccountId, name: &str) -> sqlx::Result<()> {
    sqlx::query!("UPDATE accounts SET name = $2 WHERE id = $1", id as AccountId, name).execute(connection).await?;
    Ok(())
}

/// Moves an account to an address that was proved to be theirs. `false`: another account has it.
pub async fn set_email(
    connection: &mut PgConnection,
    id: AccountId,
    email: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        UPDATE accounts
        SET email = $2, email_verified_at = $3
        WHERE id = $1 AND NOT EXISTS (SELECT FROM accounts o WHERE o.email = $2 AND o.id <> $1)
        ",
        id as AccountId,
        email,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that mail to the account's address reaches its owner.
pub async fn set_email_verified(connection: &mut PgConnection, id: AccountId, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE accounts SET email_verified_at = COALESCE(email_verified_at, $2) WHERE id = $1",
        id as AccountId,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A change to an account, asked for by those who run the server.
#[derive(Clone, Debug)]
pub struct Change {
    /// The account's address.
    pub email: String,
    /// Whether it was not so before.
    pub is_new: bool,
}

/// Closes or opens an account. `None`: there is none with this id. Closing twice keeps the first time.
pub async fn set_disabled(
    connection: &mut PgConnection,
    id: AccountId,
    disabled_at: Option<OffsetDateTime>,
) -> sqlx::Result<Option<Change>> {
    sqlx::query_as!(
        Change,
        r#"
        UPDATE accounts a
        SET disabled_at = CASE WHEN $2::timestamptz IS NULL THEN NULL ELSE COALESCE(a.disabled_at, $2) END
        FROM (SELECT disabled_at FROM accounts WHERE id = $1 FOR UPDATE) before
        WHERE a.id = $1
        RETURNING a.email, (before.disabled_at IS NULL) = ($2::timestamptz IS NOT NULL) AS "is_new!"
        "#,
        id as AccountId,
        disabled_at,
    )
    .fetch_optional(connection)
    .await
}

/// Makes an account an admin, or not. `None`: there is none with this id.
pub async fn set_admin(connection: &mut PgConnection, id: AccountId, is_admin: bool) -> sqlx::Result<Option<Change>> {
    sqlx::query_as!(
        Change,
        r#"
        UPDATE accounts a
        SET is_admin = $2
        FROM (SELECT is_admin FROM accounts WHERE id = $1 FOR UPDATE) before
        WHERE a.id = $1
        RETURNING a.email, before.is_admin <> $2 AS "is_new!"
        "#,
        id as AccountId,
        is_admin,
    )
    .fetch_optional(connection)
    .await
}

/// The accounts that can run the server. Locks them, where a decision follows.
pub async fn lock_admins(connection: &mut PgConnection) -> sqlx::Result<Vec<AccountId>> {
    sqlx::query_scalar!(
        r#"
        SELECT id AS "id: AccountId" FROM accounts WHERE is_admin AND disabled_at IS NULL ORDER BY id FOR UPDATE
        "#,
    )
    .fetch_all(connection)
    .await
}

/// An account, as those who run the server see it.
#[derive(Clone, Debug)]
pub struct ListedAccount {
    /// The account.
    pub account: Account,
    /// When it was closed.
    pub disabled_at: Option<OffsetDateTime>,
    /// When its address was proved.
    pub email_verified_at: Option<OffsetDateTime>,
    /// Whether it has a password.
    pub has_password: bool,
    /// How many projects it is a member of.
    pub project_count: i64,
    /// When one of its sessions was last seen.
    pub last_seen_at: Option<OffsetDateTime>,
}

/// Accounts whose address follows `after`, by address, closed ones too.
pub async fn list(connection: &mut PgConnection, after: &str, limit: i64) -> sqlx::Result<Vec<ListedAccount>> {
    let rows = sqlx::query!(
        r#"
        SELECT a.id AS "id: AccountId", a.email, a.name, a.is_admin, a.created_at, a.disabled_at,
               a.email_verified_at, a.password_hash IS NOT NULL AS "has_password!",
               (SELECT count(*) FROM members m WHERE m.account_id = a.id) AS "project_count!",
               (SELECT max(s.last_seen_at) FROM sessions s WHERE s.account_id = a.id) AS last_seen_at
        FROM accounts a
        WHERE a.email > $1
        ORDER BY a.email
        LIMIT $2
        "#,
        after,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let listed = rows.into_iter().map(|row| ListedAccount {
        account: Account {
            id: row.id,
            email: row.email,
            name: row.name,
            is_admin: row.is_admin,
            created_at: row.created_at,
        },
        disabled_at: row.disabled_at,
        email_verified_at: row.email_verified_at,
        has_password: row.has_password,
        project_count: row.project_count,
        last_seen_at: row.last_seen_at,
    });
    Ok(listed.collect())
}

/// Whether an account has this address, a closed one too.
pub async fn is_taken(connection: &mut PgConnection, email: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM accounts WHERE email = $1) AS "exist!""#, email)
        .fetch_one(connection)
        .await
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
