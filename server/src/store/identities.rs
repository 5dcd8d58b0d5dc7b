//! The tables of sign-in through providers: `identities`, and what leads to one: `provider_attempts`
//! and `unconfirmed_identities`.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{Account, AccountId, InvitationId};

/// An account at a provider, linked to an account here.
#[derive(Clone, Debug)]
pub struct LinkedIdentity {
    /// The link's id.
    pub id: Uuid,
    /// The provider's issuer.
    pub issuer: String,
    /// The address that it has there.
    pub email: Option<String>,
    /// When it was linked.
    pub created_at: OffsetDateTime,
}

/// Links a provider's identity to an account. `false`: it is linked already, perhaps to another one.
pub async fn insert(
    connection: &mut PgConnection,
    account_id: AccountId,
    issuer: &str,
    subject: &str,
    email: Option<&str>,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        INSERT INTO identities (id, account_id, issuer, subject, email, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (issuer, subject) DO NOTHING
        ",
        Uuid::now_v7(),
        account_id as AccountId,
        issuer,
        subject,
        email,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The account that a provider's identity is linked to, and whether it is disabled.
pub async fn find_account(
    connection: &mut PgConnection,
    issuer: &str,
    subject: &str,
) -> sqlx::Result<Option<(Account, bool)>> {
    let row = sqlx::query!(
        r#"
        SELECT a.id AS "id: AccountId", a.email, a.name, a.is_admin, a.created_at,
               a.disabled_at IS NOT NULL AS "is_disabled!"
        FROM identities i
        JOIN accounts a ON a.id = i.account_id
        WHERE i.issuer = $1 AND i.subject = $2
        "#,
        issuer,
        subject,
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
        (account, row.is_disabled)
    }))
}

/// The identities that are linked to an account, first come first.
pub async fn list(connection: &mut PgConnection, account_id: AccountId) -> sqlx::Result<Vec<LinkedIdentity>> {
    sqlx::query_as!(
        LinkedIdentity,
        "SELECT id, issuer, email, created_at FROM identities WHERE account_id = $1 ORDER BY created_at, id",
        account_id as AccountId,
    )
    .fetch_all(connection)
    .await
}

/// Takes an identity off an account. `None`: the account has no such identity; otherwise its issuer.
pub async fn delete(connection: &mut PgConnection, account_id: AccountId, id: Uuid) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "DELETE FROM identities WHERE account_id = $1 AND id = $2 RETURNING issuer",
        account_id as AccountId,
        id,
    )
    .fetch_optional(connection)
    .await
}

/// Takes all identities off an account.
pub async fn delete_all(connection: &mut PgConnection, account_id: AccountId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM identities WHERE account_id = $1", account_id as AccountId).execute(connection).await?;
    Ok(())
}

/// A sign-in through a provider that is under way.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The provider's name in URLs.
    pub provider: String,
    /// What its ID token must hold.
    pub nonce: String,
    /// What proves that the code was meant for us.
    pub pkce_verifier: String,
    /// The account that the identity is to be linked to; `None`: to sign in.
    pub account_id: Option<AccountId>,
    /// The invitation that allows a new account.
    pub invitation_id: Option<InvitationId>,
    /// Where the browser goes afterwards.
    pub next_path: String,
}

/// Remembers that a sign-in began, and forgets those that were never ended.
pub async fn begin(
    connection: &mut PgConnection,
    state_hash: &[u8; 32],
    browser_hash: &[u8; 32],
    attempt: &Attempt,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM provider_attempts WHERE expires_at <= $1", now).execute(&mut *connection).await?;
    sqlx::query!(
        "
        INSERT INTO provider_attempts
            (state_hash, browser_hash, provider, nonce, pkce_verifier, account_id, invitation_id, next_path, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ",
        state_hash,
        browser_hash,
        attempt.provider,
        attempt.nonce,
        attempt.pkce_verifier,
        attempt.account_id as Option<AccountId>,
        attempt.invitation_id as Option<InvitationId>,
        attempt.next_path,
        expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends an attempt, once: whatever comes of it, its state is worth nothing afterwards.
///
/// `None`: this browser began no such attempt with this provider, or it has ended.
pub async fn end(
    connection: &mut PgConnection,
    state_hash: &[u8; 32],
    browser_hash: &[u8; 32],
    provider: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Option<Attempt>> {
    sqlx::query_as!(
        Attempt,
        r#"
        DELETE FROM provider_attempts
        WHERE state_hash = $1 AND browser_hash = $2 AND provider = $3 AND expires_at > $4
        RETURNING provider, nonce, pkce_verifier, account_id AS "account_id: AccountId",
                  invitation_id AS "invitation_id: InvitationId", next_path
        "#,
        state_hash,
        browser_hash,
        provider,
        now,
    )
    .fetch_optional(connection)
    .await
}

/// A provider's identity with the address of an account, whose owner has not confirmed it yet.
#[derive(Clone, Debug)]
pub struct Unconfirmed {
    /// The account with this address.
    pub account_id: AccountId,
    /// The provider's issuer.
    pub issuer: String,
    /// Its name for the person.
    pub subject: String,
    /// The address, proved to the provider.
    pub email: String,
}

/// Remembers an identity until its owner signs in; one for each browser.
pub async fn put_unconfirmed(
    connection: &mut PgConnection,
    browser_hash: &[u8; 32],
    identity: &Unconfirmed,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM unconfirmed_identities WHERE expires_at <= $1", now).execute(&mut *connection).await?;
    sqlx::query!(
        "
        INSERT INTO unconfirmed_identities (browser_hash, account_id, issuer, subject, email, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (browser_hash) DO UPDATE
        SET account_id = EXCLUDED.account_id, issuer = EXCLUDED.issuer, subject = EXCLUDED.subject,
            email = EXCLUDED.email, expires_at = EXCLUDED.expires_at
        ",
        browser_hash,
        identity.account_id as AccountId,
        identity.issuer,
        identity.subject,
        identity.email,
        expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The identity that waits in this browser.
pub async fn find_unconfirmed(
    connection: &mut PgConnection,
    browser_hash: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<Option<Unconfirmed>> {
    sqlx::query_as!(
        Unconfirmed,
        r#"
        SELECT account_id AS "account_id: AccountId", issuer, subject, email
        FROM unconfirmed_identities
        WHERE browser_hash = $1 AND expires_at > $2
        "#,
        browser_hash,
        now,
    )
    .fetch_optional(connection)
    .await
}

/// Forgets the identity that waits in this browser.
pub async fn delete_unconfirmed(connection: &mut PgConnection, browser_hash: &[u8; 32]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM unconfirmed_identities WHERE browser_hash = $1", browser_hash)
        .execute(connection)
        .await?;
    Ok(())
}
