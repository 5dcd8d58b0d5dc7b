//! `otrace-server health`: asks the server on this machine whether it can serve, for places that have no HTTP client.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use reqwest::Client;

use crate::config::reached_from_here;

/// Longer than the server itself waits for its database and its store.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Which server is asked, and for what.
#[derive(Args, Debug)]
pub struct HealthArguments {
    /// The address and port that the server listens on
    #[arg(long, env = "OTRACE_LISTEN", default_value = "127.0.0.1:8000", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Ask only whether it answers at all, not whether its database and contents are within reach
    #[arg(long)]
    live: bool,
    /// The server's certificate, where it speaks TLS itself
    #[arg(long, env = "OTRACE_TLS_CERTIFICATE", value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
}

impl HealthArguments {
    /// Runs the command: an error if the server can't serve.
    pub async fn run(self) -> anyhow::Result<()> {
        let address = reached_from_here(self.listen);
        let scheme = if self.tls_certificate.is_some() { "https" } else { "http" };
        let path = if self.live { "live" } else { "ready" };
        // It is asked by its address, which is in no certificate, and nothing secret is sent.
        let client = Client::builder()
            .no_proxy()
            .tls_danger_accept_invalid_certs(true)
            .timeout(ANSWER_WITHIN)
            .build()
            .context("making the HTTP client")?;
        let answer = client
            .get(format!("{scheme}://{address}/health/{path}"))
            .send()
            .await
            .with_context(|| format!("no server answers at {address}; name its address with --listen"))?;
        let status = answer.status();
        ensure!(status.is_success(), "the server at {address} can't serve ({status}); its log says why");
        writeln!(std::io::stdout(), "ok").context("writing to standard output")
    }
}
