//! `otrace ui`: this workspace and its project's pages in the browser, at an address of this machine.

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::process::ExitCode;

use clap::Args;
use tokio::net::TcpListener;

use crate::args::CredentialArgs;
use crate::commands::{connect, load_settings};
use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::signals::Guard;
use crate::ui::own_server::{self, OwnServer};
use crate::ui::{self, App};
use crate::workspace::Workspace;
use crate::{browser, printer};

/// Where it listens, unless another port is asked for.
const USUAL_PORTS: RangeInclusive<u16> = 8000..=8009;

/// `otrace ui`.
#[derive(Debug, Args)]
pub struct UiArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The port to listen on [default: 8000, or the next one that is free]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,

    /// Print the link only, and open no browser
    #[arg(long)]
    pub no_open: bool,
}

/// Prints the link that opens the app, and serves it until it is told to stop.
pub async fn run(args: &UiArgs) -> Result<ExitCode> {
    let workspace = Workspace::current()?;
    let settings = load_settings(&args.credentials, &workspace)?;
    workspace.prepare()?;
    let mut guard = Guard::install().map_err(|error| Error::new(format!("could not prepare for signals: {error}")))?;
    let listener = listen(args.port, &settings.api_url).await?;
    let started = tokio::select! {
        started = OwnServer::start_if_away(&settings, &workspace) => started,
        _ = guard.stop() => return Ok(ExitCode::SUCCESS),
    };
    // The workspace's own state needs no server.
    let mut own_server = started.unwrap_or_else(|error| {
        printer::warning(error);
        None
    });
    let served = serve(args, workspace, settings, listener, own_server.as_mut(), &mut guard).await;
    if let Some(server) = own_server {
        tokio::select! {
            () = server.stop() => {}
            // Whoever is told twice goes at once; the server stops by itself.
            _ = guard.stop() => {}
        }
    }
    served?;
    printer::done()
}

async fn serve(
    args: &UiArgs,
    workspace: Workspace,
    settings: Settings,
    listener: TcpListener,
    own_server: Option<&mut OwnServer>,
    guard: &mut Guard,
) -> Result<()> {
    let mut has_own_server = false;
    if let Some(server) = own_server {
        let ready = tokio::select! {
            ready = server.ready() => ready,
            _ = guard.stop() => return Ok(()),
        };
        has_own_server = ready.is_ok();
        if let Err(error) = ready {
            printer::warning(error);
        }
    }
    if settings.has_project_flag() {
        tokio::select! {
            connected = connect(&settings) => { connected?; }
            _ = guard.stop() => return Ok(()),
        }
    }
    let address = listener.local_addr().map_err(|error| Error::new(format!("could not listen: {error}")))?;
    let (app, link, _token_file) = App::open(workspace, settings, address.port(), has_own_server)?;
    printer::line(&link);
    if args.no_open || !browser::open(&link) {
        printer::note("Open this link in your browser. It opens once.");
    }
    printer::note("Ctrl-C stops it.");
    tokio::select! {
        served = ui::serve(app, listener) => served,
        _ = guard.stop() => Ok(()),
    }
}

/// Takes a port of this machine's loopback address. It never takes the server's, also where no server has it now.
async fn listen(asked_for: Option<u16>, api_url: &str) -> Result<TcpListener> {
    let servers = own_server::listen_address(api_url).map(|address| address.port());
    let Some(port) = asked_for else { return listen_somewhere(servers).await };
    let refused = if servers == Some(port) {
        format!("port {port} is the server's ({api_url})")
    } else {
        match bind(port).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => format!("port {port} is taken"),
            Err(error) => format!("could not listen on port {port}: {error}"),
        }
    };
    Err(Error::new(refused).with_hint("Choose another one with --port."))
}

/// Takes the first of the usual ports that is free, so that it is the same from day to day; else any.
async fn listen_somewhere(servers: Option<u16>) -> Result<TcpListener> {
    let listener = first_free(candidates(servers)).await;
    listener.map_err(|error| Error::new(format!("could not listen on any port: {error}")))
}

/// The usual ports but for the server's, and at last 0, for which the system chooses one.
fn candidates(servers: Option<u16>) -> impl Iterator<Item = u16> {
    USUAL_PORTS.filter(move |port| servers != Some(*port)).chain([0])
}

async fn first_free(ports: impl IntoIterator<Item = u16>) -> io::Result<TcpListener> {
    let mut refused = io::Error::from(ErrorKind::AddrNotAvailable);
    for port in ports {
        match bind(port).await {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_8000_comes_first_then_the_next_and_never_the_servers() {
        let all: Vec<u16> = (8000..=8009).chain([0]).collect();
        assert_eq!(candidates(None).collect::<Vec<_>>(), all);
        assert_eq!(candidates(Some(8000)).collect::<Vec<_>>(), all[1..]);
        assert!(!candidates(Some(8004)).any(|port| port == 8004));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_gives_way_to_the_next() {
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        let (first, second) = (bind(0).await.expect("a port"), bind(0).await.expect("a port"));
        let taken = [port(&first), port(&second)];
        let found = first_free(taken.into_iter().chain([0])).await.expect("a port");
        assert!(!taken.contains(&port(&found)), "{found:?}");
        assert_eq!(first_free(taken).await.expect_err("none is free").kind(), ErrorKind::AddrInUse);
    }
}
