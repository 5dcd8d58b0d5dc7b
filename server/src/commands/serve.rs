//! `otrace-server serve`.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::AppState;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::Config;
use crate::database::{self, Database};
use crate::live::Live;
use crate::routes;
use crate::serve::serve;
use crate::telemetry::{self, LogFormat};

/// Enough for all connections, the database's and the contents'.
const OPEN_FILES: u64 = 16_384;

/// The settings of a server.
#[derive(Args, Debug)]
pub struct ServeArguments {
    #[command(flatten)]
    config: Config,
    /// How log lines are written
    #[arg(long, env = "OTRACE_LOG_FORMAT", value_enum, default_value = "text", value_name = "FORMAT")]
    log_format: LogFormat,
}

/// Serves until SIGINT or SIGTERM, or until the private PostgreSQL breaks.
pub async fn run(arguments: ServeArguments) -> anyhow::Result<()> {
    telemetry::start(arguments.log_format, "info,sqlx=warn");
    allow_many_connections();
    let mut config = arguments.config;
    // The port first: a second server on it should not start a database.
    let listen = config.http.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listening on {listen}: is another server on this port? Choose one with --listen"))?;
    config.http.settle(listener.local_addr()?);

    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    let mut database = Database::start(&config.database).await?;
    let served = run_on(&mut database, config, listener, &stop).await;
    // However it ended, PostgreSQL gets its checkpoint.
    database.close().await.context("stopping the database").and(served)
}

async fn run_on(
    database: &mut Database,
    config: Config,
    listener: TcpListener,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    database::migrate(&database.pool).await?;
    let blobs = Blobs::open(&config)?;
    let live = Live::start(database.pool.clone());
    let app = AppState::new(config, Clock::System, database.pool.clone(), blobs, live.clone());
    if !app.config.is_https() && !app.config.is_local_only() {
        tracing::warn!(
            "passwords and keys cross the network in the clear: put TLS in front, and set --public-url https://…"
        );
    }
    say_where_to_go(app.config.public_url_str())?;

    let serving = serve(listener, routes::router(app), async {
        stop.cancelled().await;
        // Open pages would hold the server up; they find the next one by themselves.
        live.close();
    });
    tokio::select! {
        () = serving => Ok(()),
        error = database.failed() => Err(error),
    }
}

/// Every connection is an open file; the usual limit of 1024 is there for old programs.
fn allow_many_connections() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most.min(OPEN_FILES), most));
    if let Err(error) = raised {
        tracing::warn!(%error, "could not raise the limit of open files");
    }
}

fn say_where_to_go(url: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "Trace is ready: open {url} (Ctrl-C stops it)")
        .and_then(|()| stdout.flush())
        .context("writing to standard output")
}

/// The first signal stops the server in order, the second at once.
fn stop_on_signals(stop: CancellationToken) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.is_cancelled() {
                tracing::warn!("stopping at once");
                // Long enough for PostgreSQL to be told by the kernel; it recovers from its log.
                tokio::time::sleep(Duration::from_millis(10)).await;
                nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).ok();
            }
            tracing::info!("stopping");
            stop.cancel();
        }
    });
    Ok(())
}
