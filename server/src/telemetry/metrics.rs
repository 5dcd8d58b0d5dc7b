//! The names of all numbers that the server tells, and where they are gathered.
//!
//! Whoever counts something says so with the macros of the crate `metrics`, which do nothing unless [`install`] was
//! called. A label has few values that are known beforehand: a route's pattern, a kind of failure. Never a name, an
//! address or an id.

use std::sync::OnceLock;

use anyhow::Context;
use metrics::{Gauge, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The upper ends of the buckets of all histograms, in seconds: from an answer out of memory to a request given up.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from nothing at the start of the server.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many took how long.
    Histogram,
}

/// A number that the server tells.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name. The parts of a histogram end with `_bucket`, `_sum` and `_count` besides.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it is told apart by.
    pub labels: &'static [&'static str],
    /// What it says, in one sentence.
    pub help: &'static str,
}

const fn metric(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind, labels, help }
}

/// All of them. Those without a label are there from the start, the others once there is something to tell.
pub const ALL: &[Metric] = &[
    metric(
        "otrace_http_requests_total",
        Kind::Counter,
        &["method", "route", "status"],
        "Requests that were answered (2xx to 5xx), and those whose client went away before (gone).",
    ),
    metric(
        "otrace_http_request_duration_seconds",
        Kind::Histogram,
        &["method", "route"],
        "How long requests took until their answer began.",
    ),
    metric("otrace_http_requests_in_flight", Kind::Gauge, &[], "Requests whose answer has not begun."),
    metric(
        "otrace_http_requests_shed_total",
        Kind::Counter,
        &[],
        "Requests that were told to come again, as the server works on as many as it may.",
    ),
    metric("otrace_connections_open", Kind::Gauge, &[], "Open connections to the server."),
    metric(
        "otrace_connections_refused_total",
        Kind::Counter,
        &["full"],
        "Connections that were turned away: the server has as many as it may, or their address has.",
    ),
    metric("otrace_live_streams_open", Kind::Gauge, &[], "Open pages that are told of changes."),
    metric("otrace_database_up", Kind::Gauge, &[], "1 if the database gave a connection within a second, else 0."),
    metric(
        "otrace_database_acquire_seconds",
        Kind::Gauge,
        &[],
        "How long a connection to the database was waited for, just now.",
    ),
    metric("otrace_database_connections", Kind::Gauge, &[], "Connections of this server to the database."),
    metric("otrace_database_connections_idle", Kind::Gauge, &[], "Those of them that nobody uses."),
    metric("otrace_database_connections_max", Kind::Gauge, &[], "The most that there may be."),
    metric(
        "otrace_database_failures_total",
        Kind::Counter,
        &["kind"],
        "Work that the database did not do: no connection in time (pool), away (unreachable), busy, full.",
    ),
    metric("otrace_blobs_written_bytes_total", Kind::Counter, &[], "Bytes that were written to the store of contents."),
    metric("otrace_blobs_read_bytes_total", Kind::Counter, &[], "Bytes that were read from the store of contents."),
    metric(
        "otrace_blobs_failures_total",
        Kind::Counter,
        &["kind"],
        "What the store of contents did not do: away (unreachable), credentials, full, missing, other.",
    ),
    metric(
        "otrace_mail_letters_total",
        Kind::Counter,
        &["outcome"],
        "Letters that were sent, that failed after all tries, or that were dropped because too many waited.",
    ),
    metric("otrace_mail_letters_waiting", Kind::Gauge, &[], "Letters on their way to the mail server."),
    metric(
        "otrace_webhook_attempts_total",
        Kind::Counter,
        &["outcome"],
        "Tries to deliver a message to a webhook: delivered, failed and to be tried again, or given up.",
    ),
    metric("otrace_webhook_deliveries_waiting", Kind::Gauge, &[], "Messages to webhooks that wait for a try."),
    metric("otrace_sweeps_total", Kind::Counter, &["outcome"], "Sweeps of this server: done, or failed."),
    metric("otrace_sweep_removed_total", Kind::Counter, &["reason"], "What sweeps removed for good."),
    metric("otrace_sweep_freed_bytes_total", Kind::Counter, &["reason"], "Bytes that sweeps gave back."),
    metric("otrace_sweep_failed_projects_total", Kind::Counter, &[], "Projects that a sweep could not go through."),
    metric("otrace_build_info", Kind::Gauge, &["version"], "Always 1; the version is that of the server."),
    metric("process_resident_memory_bytes", Kind::Gauge, &[], "Memory that the server holds (Linux)."),
    metric("process_cpu_seconds_total", Kind::Gauge, &[], "Time that processors spent on the server."),
    metric("process_open_fds", Kind::Gauge, &[], "Files and connections that the server holds open (Linux)."),
    metric("process_max_fds", Kind::Gauge, &[], "The most that it may hold open."),
    metric("process_start_time_seconds", Kind::Gauge, &[], "When the server started, in seconds since 1970."),
];

static EXPORTED: OnceLock<PrometheusHandle> = OnceLock::new();

/// Whether numbers are gathered.
pub fn are_gathered() -> bool {
    EXPORTED.get().is_some()
}

/// Begins to gather numbers, once in the life of the process.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    let exported = PrometheusBuilder::new().set_buckets(&SECONDS)?.install_recorder().context("gathering metrics")?;
    for metric in ALL {
        begin(metric);
    }
    Ok(EXPORTED.get_or_init(|| exported).clone())
}

/// Says what a number is. One that has no labels is told from now on.
fn begin(Metric { name, kind, labels, help }: &'static Metric) {
    match kind {
        Kind::Counter => {
            describe_counter!(*name, *help);
            if labels.is_empty() {
                counter!(*name).increment(0);
            }
        }
        Kind::Gauge => {
            describe_gauge!(*name, *help);
            if labels.is_empty() {
                gauge!(*name).set(0.0);
            }
        }
        Kind::Histogram => describe_histogram!(*name, *help),
    }
}

/// One of the things that a gauge counts, for as long as this lives: an open connection, a request under way.
#[derive(Debug)]
pub struct Held(Gauge);

impl Held {
    /// One more.
    pub fn in_gauge(gauge: Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_name_is_one_that_prometheus_takes_and_says_what_it_is() {
        let mut names = HashSet::new();
        for Metric { name, kind, help, .. } in ALL {
            assert!(names.insert(*name), "{name} twice");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert!(help.ends_with('.'), "{name}: {help}");
            // The crate's counters are whole numbers, so that seconds have to be a gauge.
            let is_total = name.ends_with("_total") && *name != "process_cpu_seconds_total";
            assert_eq!(is_total, *kind == Kind::Counter, "{name}");
        }
    }
}
