//! What PostgreSQL says about itself: whether it answers, and how it is set up. There need be no schema yet.

use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;

/// How a PostgreSQL is set up, and how the server reaches it.
#[expect(clippy::struct_excessive_bools, reason = "a row of answers")]
#[derive(Clone, Debug, FromRow)]
pub struct Facts {
    /// Its version, as it writes it: 140000 is 14.0.
    pub version: i32,
    /// The database's encoding, such as `UTF8`.
    pub encoding: String,
    /// Whether it only follows another one.
    pub is_standby: bool,
    /// Whether a power cut leaves what was committed.
    pub is_durable: bool,
    /// So many connections it takes in all.
    pub connections_max: i32,
    /// Whether the timeouts that the server sets for a connection have reached it.
    pub has_timeouts: bool,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// Where it is; nothing, where a socket of the machine leads to it.
    pub address: Option<String>,
    /// The time, by its clock.
    pub now: OffsetDateTime,
}

/// Fails unless it answers.
pub async fn ping(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(connection).await?;
    Ok(())
}

/// What it says about itself now.
pub async fn facts(connection: &mut PgConnection) -> sqlx::Result<Facts> {
    sqlx::query_as(
        "
        SELECT current_setting('server_version_num')::int4 AS version,
               current_setting('server_encoding') AS encoding,
               pg_is_in_recovery() AS is_standby,
               current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AS is_durable,
               current_setting('max_connections')::int4 AS connections_max,
               current_setting('statement_timeout') <> '0' AND current_setting('lock_timeout') <> '0' AS has_timeouts,
               coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_encrypted,
               host(inet_server_addr()) AS address,
               clock_timestamp() AS now
        ",
    )
    .fetch_one(connection)
    .await
}
