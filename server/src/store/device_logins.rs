//! The table `device_logins`.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{AccountId, ApiKeyId, DeviceLogin, ProjectId};

/// What is written when a machine asks.
#[derive(Debug)]
pub struct NewDeviceLogin<'a> {
    /// SHA-256 of the machine's secret.
    pub device_hash: &'a [u8; 32],
    /// What the person compares.
    pub login: &'a DeviceLogin,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// Adds a request, and clears away those that have ended. `false`: the short code is in use.
pub async fn insert(connection: &mut PgConnection, new: &NewDeviceLogin<'_>) -> sqlx::Result<bool> {
    let NewDeviceLogin { device_hash, login, expires_at } = new;
    sqlx::query!("DELETE FROM device_logins WHERE expires_at <= $1", login.created_at)
        .execute(&mut *connection)
        .await?;
    let done = sqlx::query!(
        "
        INSERT INTO device_logins (device_hash, user_code, client, machine, address, status, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7)
        ON CONFLICT (user_code) DO NOTHING
        ",
        *device_hash,
        login.user_code,
        login.client,
        login.machine,
        login.address,
        login.created_at,
        expires_at,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The request with this short code, if nobody has decided it yet.
pub async fn find_pending(
    connection: &mut PgConnection,
    user_code: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Option<DeviceLogin>> {
    sqlx::query_as!(
        DeviceLogin,
        "
        SELECT user_code, client, machine, address, created_at
        FROM device_logins
        WHERE user_code = $1 AND status = 'pending' AND expires_at > $2
        ",
        user_code,
        now,
    )
    .fetch_optional(connection)
    .await
}

/// Decides a request, once: for a project in an account's name, or with `None` against it.
pub async fn decide(
    connection: &mut PgConnection,
    user_code: &str,
    approved: Option<(AccountId, ProjectId)>,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let (account_id, project_id) = approved.unzip();
    let done = sqlx::query!(
        "
        UPDATE device_logins
        SET status = CASE WHEN $2::uuid IS NULL THEN 'denied' ELSE 'approved' END, account_id = $2, project_id = $3
        WHERE user_code = $1 AND status = 'pending' AND expires_at > $4
        ",
        user_code,
        account_id as Option<AccountId>,
        project_id as Option<ProjectId>,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Decision {
    /// `pending`, `approved` or `denied`.
    pub status: String,
    /// Who approved it.
    pub account_id: Option<AccountId>,
    /// For which project.
    pub project_id: Option<ProjectId>,
    /// What the machine calls itself.
    pub machine: String,
    /// The key that it was given.
    pub key_id: Option<ApiKeyId>,
}

/// What became of the machine's request. `None`: it has ended, or never was. Locks it, so that it is
/// answered once at a time.
pub async fn lock(
    connection: &mut PgConnection,
    device_hash: &[u8; 32],
    now: OffsetDateTime,
) -> sqlx::Result<Option<Decision>> {
    sqlx::query_as!(
        Decision,
        r#"
        SELECT status, account_id AS "account_id: AccountId", project_id AS "project_id: ProjectId", machine,
               key_id AS "key_id: ApiKeyId"
        FROM device_logins
        WHERE device_hash = $1 AND expires_at > $2
        FOR UPDATE
        "#,
        device_hash,
        now,
    )
    .fetch_optional(connection)
    .await
}

/// Notes which key the machine was given.
pub async fn set_key(connection: &mut PgConnection, device_hash: &[u8; 32], key_id: ApiKeyId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE device_logins SET key_id = $2 WHERE device_hash = $1", device_hash, key_id as ApiKeyId)
        .execute(connection)
        .await?;
    Ok(())
}
