//! `otrace-server serve`.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, CommandFactory};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Arguments;
use crate::app::AppState;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::{Config, refuse_unsafe, secret_files};
use crate::database::{self, Database};
use crate::live::Live;
use crate::routes;
use crate::serve::{ConnectionLimits, Server, Tls};
use crate::services;
use crate::telemetry::{self, Exporter, LogFormat};
use crate::tokens::Tokens;

/// The open files that are not connections: the database's, the contents', and those of what is on its way.
const OTHER_FILES: u64 = 4096;
/// The requests that are worked on at once, for each connection to the database. They take turns: where one takes 5 ms
/// of a connection, the last of so many waits for half a second.
const REQUESTS_PER_DATABASE_CONNECTION: u32 = 100;

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
    let mut config = arguments.config;
    let _telemetry = telemetry::start_for_server(arguments.log_format, &config.telemetry, "info,sqlx=warn,rmcp=warn")?;
    // The port first: a second server on it should not start a database.
    let listen = config.http.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("listening on {listen}: is another server on this port? Choose one with --listen"))?;
    config.http.settle(listener.local_addr()?);
    refuse_to_be_overheard(&config)?;
    let command = Arguments::command();
    refuse_unsafe(&config, &secret_files::files_of(&command), &secret_files::flags_of_secrets(&command))?;
    keep_memory_private();
    let exporter = Exporter::open(&config.telemetry, Clock::System.now()).await?;
    let server = server(&config)?;

    let stop = CancellationToken::new();
    stop_on_signals(stop.clone())?;
    let mut database = Database::start(&config.database).await?;
    let ended = run_on(&mut database, config, server, listener, exporter, &stop).await;
    // However it ended, PostgreSQL gets its checkpoint.
    database.close().await.context("stopping the database").and(ended)
}

async fn run_on(
    database: &mut Database,
    config: Config,
    server: Server,
    listener: TcpListener,
    exporter: Option<Exporter>,
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
    if let Some(exporter) = exporter {
        tokio::spawn(exporter.serve(app.clone()));
    }
    tokio::spawn(services::contact::keep_looking(app.clone()));
    tokio::spawn(services::webhooks::keep_delivering(app.clone()));
    tokio::spawn(services::parameters::keep_reading(app.clone()));
    tokio::spawn(services::sweep::keep_sweeping(app.clone()));
    say_where_to_go(app.config.public_url_str())?;

    let server = Server { draining: app.draining.clone(), ..server };
    let serving = server.serve(listener, routes::router(app.clone()), drained(&app, stop));
    let ended = tokio::select! {
        () = serving => Ok(()),
        error = database.failed() => Err(error),
    };
    app.close();
    ended
}

/// Resolves when the server is to take no more requests: some time after it was told to stop.
///
/// Until then it serves as before and says that it is not ready. What spreads requests over several servers notices,
/// and sends them to the others; none is lost in between.
async fn drained(app: &AppState, stop: &CancellationToken) {
    stop.cancelled().await;
    app.draining.cancel();
    let delay_s = app.config.http.drain_delay;
    tracing::info!(delay_s, "stopping");
    tokio::time::sleep(Duration::from_secs(delay_s)).await;
    // Open pages would hold the server up; they find the next one by themselves.
    app.live.end_streams();
}

/// How connections are served, as the settings say.
fn server(config: &Config) -> anyhow::Result<Server> {
    let http = &config.http;
    let tls = match (&http.tls_certificate, &http.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::open(certificate, key)?),
        _ => None,
    };
    if let Some(tls) = &tls {
        tls.keep_fresh()?;
    }
    let requests = config.database.database_connections.saturating_mul(REQUESTS_PER_DATABASE_CONNECTION);
    let limits = ConnectionLimits {
        connections: room_for_connections(http.connections),
        per_address: http.connections_per_address as usize,
        trusted_proxies: config.limits.trusted_proxies.clone(),
        requests: requests as usize,
    };
    Ok(Server { limits, tls, ..Server::default() })
}

/// Passwords and keys don't cross a network in the clear, unless whoever runs the server says so.
fn refuse_to_be_overheard(config: &Config) -> anyhow::Result<()> {
    ensure!(
        config.is_https() || config.http.tls_certificate.is_none(),
        "with --tls-certificate the server speaks TLS alone: let --public-url begin with https://"
    );
    if config.is_https() || config.is_local_only() {
        return Ok(());
    }
    ensure!(
        config.http.insecure_http,
        "others would send passwords and keys over plain HTTP: put TLS in front and set --public-url https://…, give \
         the server a certificate with --tls-certificate, or say --insecure-http where everybody on the network may \
         read them"
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

/// As many connections as are wanted, or as there is room for.
///
/// Each is an open file, of which the system allows so many. Where connections took all of them, the database and the
/// contents would find none.
fn room_for_connections(wanted: u32) -> usize {
    let allowed = allow_open_files(u64::from(wanted) + OTHER_FILES);
    let room = allowed.saturating_sub(OTHER_FILES).max(allowed / 2).min(u64::from(wanted));
    if room < u64::from(wanted) {
        tracing::warn!(allowed, room, wanted, "too few open files are allowed for all connections: see ulimit -n");
    }
    usize::try_from(room).unwrap_or(usize::MAX)
}

/// Raises the limit of open files as far as it goes, and returns it. The usual one of 1024 is there for old programs.
fn allow_open_files(wanted: u64) -> u64 {
    let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let raised = now.max(wanted.min(most));
    match setrlimit(Resource::RLIMIT_NOFILE, raised, most) {
        Ok(()) => raised,
        Err(error) => {
            tracing::warn!(%error, "could not raise the limit of open files");
            now
        }
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
            stop.cancel();
        }
    });
    Ok(())
}
