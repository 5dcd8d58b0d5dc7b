//! What every request can reach.

use std::ops::Deref;
use std::sync::Arc;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::auth::api_keys::KeyCache;
use crate::auth::passwords::Passwords;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::Config;
use crate::limits::Limits;
use crate::live::Live;
use crate::mail::Mailer;
use crate::outbound::Outbound;
use crate::providers::Providers;
use crate::services::contents::PartChecks;
use crate::services::health::Readiness;
use crate::services::runs::RunCreation;
use crate::services::storage_use::Counting;
use crate::tokens::Tokens;

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
    /// Cancelled when the server is told to stop: for a while it goes on serving, and says that it is not ready.
    pub draining: CancellationToken,
    /// Whether the database and the store of contents answer, as far as somebody looked.
    pub readiness: Readiness,
    /// Hashing, with a bound on how many run at once.
    pub passwords: Passwords,
    /// Where people can sign in besides.
    pub providers: Providers,
    /// What calls the addresses that people chose.
    pub outbound: Outbound,
    /// What sends letters, if it can.
    pub mailer: Mailer,
    /// What is signed and checked without a look-up.
    pub tokens: Tokens,
    /// How often anything may be done.
    pub limits: Limits,
    /// Keys that were looked up within the last second.
    pub key_cache: KeyCache,
    /// Runs that are being created, gathered into one commit.
    pub run_creation: RunCreation,
    /// Large contents whose parts are being checked.
    pub part_checks: PartChecks,
    /// Projects whose size is being counted for a page.
    pub counting: Counting,
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
    /// Puts the parts together. Settings that can't be are refused with one sentence.
    pub fn new(
        config: Config,
        clock: Clock,
        pool: PgPool,
        blobs: Blobs,
        live: Live,
        tokens: Tokens,
    ) -> anyhow::Result<Self> {
        let passwords = Passwords::new(config.password_cost());
        let providers = Providers::new(config.sign_in.providers()?)?;
        let mailer = Mailer::new(&config.mail, config.http.public_url())?;
        let outbound = Outbound::new(&config.webhooks.webhook_allow, config.is_local_only());
        let limits = Limits::start(pool.clone(), clock.clone(), &config.limits);
        Ok(Self(Arc::new(App {
            config,
            clock,
            pool,
            blobs,
            live,
            draining: CancellationToken::new(),
            readiness: Readiness::default(),
            passwords,
            providers,
            outbound,
            mailer,
            tokens,
            limits,
            key_cache: KeyCache::default(),
            run_creation: RunCreation::default(),
            part_checks: PartChecks::default(),
            counting: Counting::default(),
        })))
    }

    /// Ends what goes on beside the requests, so that the server can stop.
    pub fn close(&self) {
        self.live.close();
        self.limits.close();
    }
}
