//! Brings the schema up to date.

use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::migrate::Migrator;
use sqlx::{PgConnection, PgPool};

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
    let migrated = run(&mut connection).await;
    // Closing the session gives the lock back and forgets its timeout.
    connection.close().await?;
    migrated
}

/// Applies what is missing, without a lock.
pub(crate) async fn run(connection: &mut PgConnection) -> anyhow::Result<()> {
    MIGRATOR.run_direct(None, connection, false).await.context("migrating the database")
}
