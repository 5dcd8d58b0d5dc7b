//! The connection to PostgreSQL: one by URL, or a private one of the server's own.
//!
//! Services take connections from [`Database::pool`]. Nothing else here is for them, but that `services::backup` asks
//! which migrations there are, and runs them where a backup comes back.

mod migrations;
pub mod private;

use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool};
use tokio::time::timeout;

use crate::config::DatabaseConfig;
use private::PrivatePostgres;

#[cfg(feature = "testing")]
pub(crate) use migrations::run as migrate_unlocked;
pub use migrations::{Distance, distance, known_migrations, migrate, migrate_until};

/// Who waits longer for a connection is told that the server is busy.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(5);
/// When the server stops, connections that are still in use get this long to be given back.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// How connections are shared: at most so many, and who waits too long for one is refused.
pub fn pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_WITHIN)
        .idle_timeout(Duration::from_mins(10))
        .max_lifetime(Duration::from_mins(30))
}

/// A PostgreSQL that is ready to be used.
#[derive(Debug)]
pub struct Database {
    /// The connections to it.
    pub pool: PgPool,
    private: Option<PrivatePostgres>,
}

impl Database {
    /// For a server: connects to the database by URL, or starts the private one and holds it alone.
    ///
    /// Call it on the main thread: the private PostgreSQL ends with the thread that started it.
    pub async fn start(config: &DatabaseConfig) -> anyhow::Result<Self> {
        if let Some(url) = &config.database_url {
            let options = url.expose_secret().parse().context("reading the database URL")?;
            return Self::connect(config, options, None).await;
        }
        let postgres = PrivatePostgres::start(&config.data_dir()).await?;
        let options = postgres.connect_options();
        Self::connect(config, options, Some(postgres)).await
    }

    /// For a command beside a server: the same database, whether a server runs on it now or not.
    pub async fn join(config: &DatabaseConfig) -> anyhow::Result<Self> {
        match PrivatePostgres::of_running_server(&config.data_dir()) {
            Some(options) if config.database_url.is_none() => Self::connect(config, options, None).await,
            _ => Self::start(config).await,
        }
    }

    async fn connect(
        config: &DatabaseConfig,
        options: PgConnectOptions,
        private: Option<PrivatePostgres>,
    ) -> anyhow::Result<Self> {
        let options = options
            .application_name("otrace-server")
            .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1))
            .options([
                ("statement_timeout", "10s"),
                ("lock_timeout", "3s"),
                ("idle_in_transaction_session_timeout", "15s"),
                // Our queries are few and meant for one plan each; planning them anew costs more than running them.
                ("plan_cache_mode", "force_generic_plan"),
                // A plan that was made while a table was small would read all of it when it has grown: until
                // PostgreSQL looks at the table again, creating a run took longer with each run.
                ("enable_seqscan", "off"),
                // Such a plan looks so dear that PostgreSQL would compile it first, which takes longer than running it.
                ("jit", "off"),
            ]);
        let pool = pool(config.database_connections)
            .connect_with(options)
            .await
            .context("connecting to PostgreSQL: check that it runs and that DATABASE_URL is right")?;
        Ok(Self { pool, private })
    }

    /// Resolves when the private PostgreSQL ends by itself; never for one by URL.
    pub async fn failed(&mut self) -> anyhow::Error {
        match &mut self.private {
            Some(postgres) => postgres.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Closes the connections and stops the private PostgreSQL.
    pub async fn close(self) -> anyhow::Result<()> {
        // It waits for every connection, also for one whose work does not end. PostgreSQL undoes what was not committed.
        if timeout(CLOSE_WITHIN, self.pool.close()).await.is_err() {
            tracing::warn!("some work on the database did not end; it is undone");
        }
        match self.private {
            Some(postgres) => postgres.stop().await,
            None => Ok(()),
        }
    }
}
