//! What is seen of the server from outside.

use std::net::SocketAddr;

use clap::Args;
use url::Url;

/// What is seen of the server from outside.
#[derive(Args, Clone, Debug, Default)]
pub struct TelemetryConfig {
    /// Write a line into the log for every request, not only for those that were refused or failed.
    #[arg(long, env = "OTRACE_LOG_REQUESTS")]
    pub log_requests: bool,
    /// The address and port at which Prometheus finds `/metrics`, such as `127.0.0.1:9464` [default: none, nothing is
    /// measured]. Who reaches it is not asked who they are.
    #[arg(long, env = "OTRACE_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    pub metrics_listen: Option<SocketAddr>,
    /// The OpenTelemetry collector that traces are sent to, such as `http://localhost:4318` [default: none]. Only in
    /// builds that have traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<Url>,
}
