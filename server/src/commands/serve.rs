//! `otrace-server serve`.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, ensure};
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
use crate::services;
use crate::telemetry::{self, LogFormat};
use crate::tokens::Tokens;

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
    telemetry::start(arguments.log_format, "info,sqlx=warn,rmcp=warn");
    allow_many_connections();
    let mut config = arguments.config;
    // The port first: a second server on it should not start a database.
    let listen = config.http.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listening on {listen}: is another server on this port? Choose one with --listen"))?;
    config.http.settle(listener.local_addr()?);
    refuse_to_be_overheard(&config)?;
    keep_memory_private();

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
    let now = Clock::System.now();
    let tokens =
        Tokens::open(&config.secrets.signing_keys_file(&config.database.data_dir()), config.public_url_str(), now)?;
    tokens.self_test(now)?;
    database::migrate(&database.pool).await?;
    let blobs = Blobs::open(&config)?;
    // No reason to stop: it may be back before the first content comes.
    if let Err(error) = blobs.check().await {
        tracing::warn!(%error, "contents can't be stored yet");
    }
    let live = Live::start(database.pool.clone());
    let app = AppState::new(config, Clock::System, database.pool.clone(), blobs, live, tokens)?;
    tokio::spawn(services::contact::keep_looking(app.clone()));
    say_where_to_go(app.config.public_url_str())?;

    let serving = serve(listener, routes::router(app.clone()), async {
        stop.cancelled().await;
        // Open pages would hold the server up; they find the next one by themselves.
        app.close();
    });
    tokio::select! {
        () = serving => Ok(()),
        error = database.failed() => Err(error),
    }
}

/// Passwords and keys don't cross a network in the clear, unless whoever runs the server says so.
fn refuse_to_be_overheard(config: &Config) -> anyhow::Result<()> {
    if config.is_https() || config.is_local_only() {
        return Ok(());
    }
    ensure!(
        config.http.insecure_http,
        "others would send passwords and keys over plain HTTP: put TLS in front and set --public-url https://…, \
         or say --insecure-http where everybody on the network may read them"
    );
    tracing::warn!("passwords and keys cross the network in the clear, as --insecure-http allows");
    Ok(())
}

/// Other users of the machine can't look into the server's memory, and a crash leaves no copy of it.
fn keep_memory_private() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_dumpable(false) {
        tracing::warn!(%error, "could not close the server's memory to other programs");
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
