//! What every request can reach.

use std::ops::Deref;
use std::sync::Arc;

use sqlx::PgPool;

use crate::auth::api_keys::KeyCache;
use crate::auth::passwords::Passwords;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::Config;
use crate::live::Live;
use crate::services::runs::RunCreation;

/// What every request can reach.
#[derive(Debug)]
pub struct App {
    /// The settings the server was started with.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub pool: PgPool,
    /// The contents.
    pub blobs: Blobs,
    /// What happens now, for open pages.
    pub live: Live,
    /// Hashing, with a bound on how many run at once.
    pub passwords: Passwords,
    /// Keys that were looked up within the last second.
    pub key_cache: KeyCache,
    /// Runs that are being created, gathered into one commit.
    pub run_creation: RunCreation,
}

/// The one argument through which a handler reaches [`App`].
#[derive(Clone, Debug)]
pub struct AppState(pub Arc<App>);

impl Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl AppState {
    /// Puts the parts together.
    pub fn new(config: Config, clock: Clock, pool: PgPool, blobs: Blobs, live: Live) -> Self {
        let passwords = Passwords::new(config.password_cost());
        Self(Arc::new(App {
            config,
            clock,
            pool,
            blobs,
            live,
            passwords,
            key_cache: KeyCache::default(),
            run_creation: RunCreation::default(),
        }))
    }
}
