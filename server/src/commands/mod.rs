//! What the binary can do: serve, and the few things that a script does without a browser.

mod key;
mod project;
mod secrets;
mod serve;
mod user;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use tokio::runtime;
use url::Url;

use crate::app::AppState;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::{Config, DatabaseConfig, HttpConfig};
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
}

/// Runs the command line on the calling thread, which must be the main one: the private PostgreSQL
/// ends with the thread that started it.
pub fn run(arguments: Arguments) -> ExitCode {
    let done = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")
        .and_then(|runtime| runtime.block_on(dispatch(arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody reads standard error any more: nothing is left to tell.
            let _ = writeln!(std::io::stderr(), "otrace-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        None => serve::run(arguments.serve).await,
        Some(Command::Serve(serve)) => serve::run(*serve).await,
        Some(Command::User(command)) => command.run().await,
        Some(Command::Project(command)) => command.run().await,
        Some(Command::Key(command)) => command.run().await,
        Some(Command::Secrets(command)) => command.run(),
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
    /// Does something with the app, without serving.
    async fn with_app<T>(self, work: impl AsyncFnOnce(&AppState) -> anyhow::Result<T>) -> anyhow::Result<T> {
        telemetry::start(LogFormat::Text, "warn");
        let database = Database::join(&self.database).await?;
        database::migrate(&database.pool).await?;
        let mut http = HttpConfig::local(([127, 0, 0, 1], 8000).into());
        if let Some(url) = self.public_url {
            http = http.called(url);
        }
        let config = Config::new(http, self.database);
        let live = Live::start(database.pool.clone());
        // What a command signs is worth nothing to the server, and none signs anything.
        let tokens = Tokens::with_new_key(config.public_url_str(), Clock::System.now())?;
        let app = AppState::new(config, Clock::System, database.pool.clone(), Blobs::in_memory(), live, tokens)?;
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
