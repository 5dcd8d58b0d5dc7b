//! A server of our own, where the configured one would be on this machine and none answers there.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Url;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::settings::{Settings, is_loopback, variable};
use crate::workspace::Workspace;
use crate::{printer, private_files};

const PROGRAM: &str = "otrace-server";
/// What it prints, in `.trace/`.
const LOG: &str = "server.log";
/// Its first start sets a database up.
const READY_WITHIN: Duration = Duration::from_mins(1);
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// It lets requests end, and its database write everything down.
const STOPPED_WITHIN: Duration = Duration::from_mins(1);
/// A machine's permission to run a file, for anybody.
const MAY_RUN: u32 = 0o111;

/// A server that we have started. Dropped without [`stop`](Self::stop), it goes on.
pub struct OwnServer {
    child: Child,
    client: Client,
    log: PathBuf,
}

impl OwnServer {
    /// Starts one, if none answers where one of this machine should. Nothing: there is no need to.
    pub async fn start_if_away(settings: &Settings, workspace: &Workspace) -> Result<Option<Self>> {
        let Some(listen) = listen_address(&settings.api_url) else { return Ok(None) };
        let client = Client::without_key(settings)?;
        if !client.probe().await.is_err_and(|error| error.is_unsent()) {
            return Ok(None);
        }
        let away = format!("no Trace server answers at {}", settings.api_url);
        let program = program().ok_or_else(|| {
            Error::new(format!("{away}, and there is no {PROGRAM} here to start"))
                .with_hint(format!("Install {PROGRAM} beside otrace, or set TRACE_API_URL to where a server is."))
        })?;
        printer::note(format_args!("{away}: starting one."));
        let log = workspace.trace_dir().join(LOG);
        let child = spawn(&program, listen, &log)?;
        Ok(Some(Self { child, client, log }))
    }

    /// Waits until it is ready. An error says why it is not.
    pub async fn ready(&mut self) -> Result<()> {
        let is_ready = tokio::select! {
            _ = self.child.wait() => false,
            is_ready = ready_in_time(&self.client) => is_ready,
        };
        if is_ready {
            return Ok(());
        }
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
        Err(Error::new(format!("{PROGRAM} did not start: {last}"))
            .with_hint(format!("Its log is {}.", self.log.display())))
    }

    /// Stops it in order, and waits for that.
    pub async fn stop(mut self) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        let Some(pid) = pid else { return };
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        if timeout(STOPPED_WITHIN, self.child.wait()).await.is_err() {
            printer::warning(format_args!(
                "{PROGRAM} (process {pid}) is still stopping; its log is {}",
                self.log.display()
            ));
        }
    }
}

/// Where a server listens that is called so, if this machine's own can be.
pub fn listen_address(api_url: &str) -> Option<SocketAddr> {
    let url = Url::parse(api_url).ok().filter(|url| url.scheme() == "http" && url.path() == "/")?;
    if !is_loopback(api_url) {
        return None;
    }
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let address = if host == "localhost" { Ipv4Addr::LOCALHOST.into() } else { host.parse::<IpAddr>().ok()? };
    Some(SocketAddr::new(address, url.port_or_known_default()?))
}

fn spawn(program: &Path, listen: SocketAddr, log: &Path) -> Result<Child> {
    let file = private_files::file(log).map_err(|error| Error::file("write", log, &error))?;
    let errors = file.try_clone().map_err(|error| Error::file("write", log, &error))?;
    Command::new(program)
        .args(["serve", "--listen", &listen.to_string()])
        // It has no use for the key.
        .env_remove("TRACE_API_KEY")
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        // Our Ctrl-C is not its own: it is told to stop, once.
        .process_group(0)
        .spawn()
        .map_err(|error| Error::new(format!("could not start {}: {error}", program.display())))
}

async fn ready_in_time(client: &Client) -> bool {
    let (until, mut wait) = (Instant::now() + READY_WITHIN, FIRST_WAIT);
    while Instant::now() < until {
        if client.is_ready().await {
            return true;
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    false
}

/// The one that came with us, else one that the shell would find. Never one in the folder that we happen to be in.
fn program() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(PROGRAM));
    let folders = variable("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&folders).filter(|folder| folder.is_absolute());
    beside.into_iter().chain(folders.map(|folder| folder.join(PROGRAM))).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & MAY_RUN != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_address_of_this_machine_can_be_listened_at() {
        let listened = |url| listen_address(url).map(|address| address.to_string());
        assert_eq!(listened("http://localhost:8000").as_deref(), Some("127.0.0.1:8000"));
        assert_eq!(listened("http://127.0.0.2:81").as_deref(), Some("127.0.0.2:81"));
        assert_eq!(listened("http://[::1]:8000").as_deref(), Some("[::1]:8000"));
        for elsewhere in [
            "https://localhost:8000",
            "http://localhost:8000/lab",
            "http://trace.example.org",
            "http://localhost.evil.example:8000",
            "http://10.0.0.1:8000",
        ] {
            assert_eq!(listened(elsewhere), None, "{elsewhere}");
        }
    }
}
