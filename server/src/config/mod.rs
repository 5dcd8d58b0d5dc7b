//! The server's settings: flags, each also an environment variable; `--help` is the reference.

mod database;
mod http;
mod limits;
mod mail;
mod production;
mod runs;
pub mod secret_files;
mod secrets;
mod sign_in;
mod storage;
mod telemetry;
mod webhooks;

pub use database::DatabaseConfig;
pub use http::{HttpConfig, reached_from_here};
pub use limits::LimitsConfig;
pub use mail::MailConfig;
pub use production::{refuse_unsafe, unsafe_anywhere, unsafe_in_production};
pub use runs::RunsConfig;
pub use secrets::SecretsConfig;
pub use sign_in::SignInConfig;
pub use storage::StorageConfig;
pub use telemetry::TelemetryConfig;
pub use webhooks::WebhooksConfig;

use clap::Args;

use crate::auth::passwords::PasswordCost;

/// Everything that can be set.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Where it listens and what it is called from outside.
    #[command(flatten)]
    pub http: HttpConfig,
    /// Where records are kept.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Where contents are kept.
    #[command(flatten)]
    pub storage: StorageConfig,
    /// How people sign in.
    #[command(flatten)]
    pub sign_in: SignInConfig,
    /// How it sends mail.
    #[command(flatten)]
    pub mail: MailConfig,
    /// Where its own secrets are kept.
    #[command(flatten)]
    pub secrets: SecretsConfig,
    /// How much each caller may do, and which proxies are believed.
    #[command(flatten)]
    pub limits: LimitsConfig,
    /// How runs are treated.
    #[command(flatten)]
    pub runs: RunsConfig,
    /// Where webhooks may go.
    #[command(flatten)]
    pub webhooks: WebhooksConfig,
    /// What is seen of it from outside.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
    /// Refuse to start where something is unsafe for a server that others reach: a public URL without https, plain
    /// HTTP that was allowed, no signing keys, secrets and data that others on the machine can read or change.
    #[arg(long, env = "OTRACE_PRODUCTION")]
    pub production: bool,
    /// The team's name, shown at the top of every page.
    #[arg(long, env = "OTRACE_INSTANCE_NAME", value_name = "NAME")]
    pub instance_name: Option<String>,
    /// Hash passwords as cheaply as the floor allows: for tests, where nobody attacks the hashes.
    #[arg(skip)]
    pub cheap_passwords: bool,
}

impl Config {
    /// The settings of a server that has only these; everything else as it is without a word.
    pub fn new(http: HttpConfig, database: DatabaseConfig) -> Self {
        Self {
            http,
            database,
            storage: StorageConfig::default(),
            sign_in: SignInConfig::default(),
            mail: MailConfig::default(),
            secrets: SecretsConfig::default(),
            limits: LimitsConfig::default(),
            runs: RunsConfig::default(),
            webhooks: WebhooksConfig::default(),
            telemetry: TelemetryConfig::default(),
            production: false,
            instance_name: None,
            cheap_passwords: false,
        }
    }

    /// The team's name, else `Trace`.
    pub fn instance_name_or_default(&self) -> &str {
        self.instance_name.as_deref().unwrap_or("Trace")
    }

    /// The server's address as browsers and clients write it, without a slash at the end.
    pub fn public_url_str(&self) -> &str {
        self.http.public_url().as_str().trim_end_matches('/')
    }

    /// Whether browsers reach the server through TLS, so that cookies can demand it.
    pub fn is_https(&self) -> bool {
        self.http.public_url().scheme() == "https"
    }

    /// Whether only people at this machine can reach the server.
    pub fn is_local_only(&self) -> bool {
        self.http.listen.ip().is_loopback() && self.is_url_local()
    }

    /// Whether the public URL leads each machine to itself.
    pub fn is_url_local(&self) -> bool {
        match self.http.public_url().host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// How much work one password hash is.
    pub const fn password_cost(&self) -> PasswordCost {
        if self.cheap_passwords { PasswordCost::FLOOR } else { PasswordCost::DEFAULT }
    }
}
