//! What is seen of the server from outside: its log, its numbers, its traces.
//!
//! The log is one line an event on standard error, for people or as JSON. [`metrics`] has the names of all numbers,
//! [`exporter`] shows them to Prometheus, [`process`] looks at the process itself. With the feature `otlp`, `traces`
//! sends what became of each request to a collector.
//!
//! None of it holds a secret, a body, or more of a path than the pattern of its route.

pub mod exporter;
pub mod metrics;
mod process;
#[cfg(feature = "otlp")]
pub mod traces;

use std::io::{self, IsTerminal};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::TelemetryConfig;

pub use exporter::Exporter;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one JSON object a line.
    Json,
}

/// What a server tells for as long as this lives; what was not sent yet is sent when it is dropped.
#[derive(Debug)]
#[must_use = "traces end with it"]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    _traces: Option<traces::Traces>,
}

/// Starts logging, for a command. `RUST_LOG` chooses what is written, else `unless_told` does, such as
/// `info,sqlx=warn`.
pub fn start(format: LogFormat, unless_told: &str) {
    tracing_subscriber::registry().with(log(format, filter(unless_told))).init();
}

/// Starts logging, for a server, and traces where the settings ask for them.
///
/// Call it within the runtime, which is what sends the traces.
pub fn start_for_server(format: LogFormat, config: &TelemetryConfig, unless_told: &str) -> anyhow::Result<Telemetry> {
    let mut filter = filter(unless_told);
    if config.log_requests {
        filter = filter.add_directive("otrace_server::middleware::log=debug".parse()?);
    }
    #[cfg(feature = "otlp")]
    {
        let traces = config.otlp_endpoint.as_ref().map(traces::Traces::to).transpose()?;
        // What is told to the collector is not for the log.
        let filter = filter.add_directive(format!("{}=off", traces::TARGET).parse()?);
        let mut layers = vec![log(format, filter)];
        layers.extend(traces.as_ref().map(traces::Traces::layer));
        tracing_subscriber::registry().with(layers).init();
        Ok(Telemetry { _traces: traces })
    }
    #[cfg(not(feature = "otlp"))]
    {
        tracing_subscriber::registry().with(log(format, filter)).init();
        if config.otlp_endpoint.is_some() {
            tracing::warn!("this otrace-server was built without traces, so that none are sent to the OTLP endpoint");
        }
        Ok(Telemetry {})
    }
}

fn filter(unless_told: &str) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(unless_told))
}

/// The log alone passes through `filter`: traces have their own.
fn log(format: LogFormat, filter: EnvFilter) -> Box<dyn Layer<Registry> + Send + Sync> {
    match format {
        LogFormat::Json => fmt::layer::<Registry>()
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_writer(io::stderr)
            .with_filter(filter)
            .boxed(),
        LogFormat::Text => fmt::layer::<Registry>()
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .with_writer(io::stderr)
            .with_filter(filter)
            .boxed(),
    }
}
