//! What the binary can do: serve, and the few things that a script does without a browser.

mod backup;
mod doctor;
mod health;
mod key;
mod project;
mod restore;
mod secrets;
mod serve;
mod sweep;
mod user;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde::Serialize;
use tokio::runtime;
use url::Url;

use crate::app::AppState;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::{Config, DatabaseConfig, HttpConfig, StorageConfig, secret_files};
use crate::database::{self, Database};
use crate::live::Live;
use crate::telemetry::{self, LogFormat};
use crate::tokens::Tokens;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "otrace-server",
    version,
    about = "Trace's server: the experiment history that your team runs itself.",
    args_conflicts_with_subcommands = true
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve; what no command means too
    Serve(Box<serve::ServeArguments>),
    /// Ask the server on this machine whether it can serve
    Health(health::HealthArguments),
    /// Look at everything that the server needs, and say what to do about what is wrong
    Doctor(Box<doctor::DoctorArguments>),
    /// Accounts
    #[command(subcommand)]
    User(user::UserCommand),
    /// Projects
    #[command(subcommand)]
    Project(project::ProjectCommand),
    /// Project API keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// The keys that the server signs with
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Back up the database and the contents that it names, while servers run on them
    Backup(Box<backup::BackupArguments>),
    /// Bring a backup back, into an empty database and an empty store of contents
    Restore(Box<restore::RestoreArguments>),
    /// Remove what nothing needs any more, and give its room back
    Sweep(Box<sweep::SweepArguments>),
}

/// Runs the command line on the calling thread, which must be the main one: the private PostgreSQL
/// ends with the thread that started it.
pub fn run() -> ExitCode {
    let done = Arguments::read().and_then(|arguments| {
        let runtime = runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
        runtime.block_on(dispatch(arguments))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody reads standard error any more: nothing is left to tell.
            let _ = writeln!(std::io::stderr(), "otrace-server: {}", printable(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// A text without anything that a terminal would act on: it may quote an archive or a backup of somebody else's.
fn printable(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(shown).collect()
}

impl Arguments {
    /// What this process was asked for, with what the environment and the files that it names say besides.
    fn read() -> anyhow::Result<Self> {
        let matches = secret_files::with_environment(Self::command())?.get_matches();
        Ok(Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
    }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        None => serve::run(arguments.serve).await,
        Some(Command::Serve(serve)) => serve::run(*serve).await,
        Some(Command::Health(command)) => command.run().await,
        Some(Command::Doctor(doctor)) => (*doctor).run().await,
        Some(Command::User(command)) => command.run().await,
        Some(Command::Project(command)) => command.run().await,
        Some(Command::Key(command)) => command.run().await,
        Some(Command::Secrets(command)) => command.run(),
        Some(Command::Backup(arguments)) => backup::run(*arguments).await,
        Some(Command::Restore(arguments)) => restore::run(*arguments).await,
        // Boxed, as its future is large.
        Some(Command::Sweep(arguments)) => Box::pin(arguments.run()).await,
    }
}

/// Which database a command works on: that of a running server, or of a stopped private one.
#[derive(Args, Debug)]
struct DatabaseArguments {
    #[command(flatten)]
    database: DatabaseConfig,
    /// The server's address, for the links that a command makes [default: `http://localhost:8000`]
    #[arg(long, env = "OTRACE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,
}

impl DatabaseArguments {
    /// Does something with the app, without serving. There are no contents.
    async fn with_app<T>(self, work: impl AsyncFnOnce(&AppState) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.with_app_and(None, work).await
    }

    /// The same with the contents, which are kept where `storage` says.
    async fn with_contents<T>(
        mut self,
        storage: StorageConfig,
        work: impl AsyncFnOnce(&AppState) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        // A snapshot, a lock, what hears of others, and what looks contents up.
        self.database.database_connections = self.database.database_connections.max(5);
        self.with_app_and(Some(storage), work).await
    }

    async fn with_app_and<T>(
        self,
        storage: Option<StorageConfig>,
        work: impl AsyncFnOnce(&AppState) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        telemetry::start(LogFormat::Text, "warn");
        let database = Database::join(&self.database).await?;
        database::migrate(&database.pool).await?;
        let mut http = HttpConfig::local(([127, 0, 0, 1], 8000).into());
        if let Some(url) = self.public_url {
            http = http.called(url);
        }
        let mut config = Config::new(http, self.database);
        let blobs = match storage {
            None => Blobs::in_memory(),
            Some(storage) => {
                config.storage = storage;
                Blobs::open(&config)?
            }
        };
        let live = Live::start(database.pool.clone());
        // What a command signs is worth nothing to the server, and none signs anything.
        let tokens = Tokens::with_new_key(config.public_url_str(), Clock::System.now())?;
        let app = AppState::new(config, Clock::System, database.pool.clone(), blobs, live, tokens)?;
        let done = work(&app).await;
        app.close();
        database.close().await?;
        done
    }
}

/// Prints one JSON object on one line, for a script to read.
fn print_json(object: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(object)?;
    line.push('\n');
    std::io::stdout().write_all(line.as_bytes()).context("writing to standard output")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_quotes_does_nothing_to_a_terminal() {
        let error = "no \u{1b}]0;title\u{7} and \u{9b}2J\r\nbut Zo\u{eb}";
        assert_eq!(printable(error), "no \u{fffd}]0;title\u{fffd} and \u{fffd}2J\u{fffd}\nbut Zo\u{eb}");
    }
}
