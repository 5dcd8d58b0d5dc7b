//! Brings the schema up to date.

use std::fmt::Write;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::migrate::Migrator;
use sqlx::{PgConnection, PgPool};

use crate::domain::backup::Migration;

/// The files of `migrations/`, in the binary. The lock is ours: see [`migrate`].
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("../migrations");
    migrator.set_locking(false);
    migrator
});

/// The advisory lock that one server holds while it migrates; the number is arbitrary.
const LOCK: i64 = 0x0074_7261_6365;
const WAIT_AT_MOST: Duration = Duration::from_mins(10);
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Brings the schema up to date. Servers that start together wait for the one that does it.
///
/// The lock is polled rather than waited for: a session that waits inside PostgreSQL blocks
/// `CREATE INDEX CONCURRENTLY` of the session that migrates, which is a deadlock.
pub async fn migrate(pool: &PgPool) -> anyhow::Result<()> {
    migrate_up_to(pool, None).await
}

/// Brings an empty schema to where it was after the migration of this version.
pub async fn migrate_until(pool: &PgPool, version: i64) -> anyhow::Result<()> {
    migrate_up_to(pool, Some(version)).await
}

/// The migrations that this version of the server knows, the first first.
pub fn known_migrations() -> Vec<Migration> {
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    let known = MIGRATOR.iter().map(|known| Migration { version: known.version, checksum: hex(&known.checksum) });
    known.collect()
}

async fn migrate_up_to(pool: &PgPool, last: Option<i64>) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await.context("connecting to migrate")?;
    // A migration may take longer than any request.
    sqlx::query("SET statement_timeout = 0").execute(&mut *connection).await?;

    let give_up = tokio::time::Instant::now() + WAIT_AT_MOST;
    while !sqlx::query_scalar::<_, bool>("SELECT pg_try_advisory_lock($1)")
        .bind(LOCK)
        .fetch_one(&mut *connection)
        .await?
    {
        if tokio::time::Instant::now() > give_up {
            bail!("another server has been migrating the database for 10 minutes; see its log");
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
    let migrated = run_up_to(&mut connection, last).await;
    // Closing the session gives the lock back and forgets its timeout.
    connection.close().await?;
    migrated
}

/// How far a database's schema is from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distance {
    /// The migrations that are to come.
    pub missing: usize,
    /// Those that only a newer server knows.
    pub unknown: usize,
}

/// How far the schema is from ours. Changes nothing.
pub async fn distance(connection: &mut PgConnection) -> anyhow::Result<Distance> {
    let is_there: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *connection).await?;
    let applied: Vec<i64> = if is_there {
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(connection).await?
    } else {
        Vec::new()
    };
    let ours: Vec<i64> = MIGRATOR.iter().map(|migration| migration.version).collect();
    Ok(Distance {
        missing: ours.iter().filter(|version| !applied.contains(version)).count(),
        unknown: applied.iter().filter(|version| !ours.contains(version)).count(),
    })
}

/// Applies what is missing, without a lock.
#[cfg(feature = "testing")]
pub(crate) async fn run(connection: &mut PgConnection) -> anyhow::Result<()> {
    run_up_to(connection, None).await
}

async fn run_up_to(connection: &mut PgConnection, last: Option<i64>) -> anyhow::Result<()> {
    MIGRATOR.run_direct(last, connection, false).await.context("migrating the database")
}
