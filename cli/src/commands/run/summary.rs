//! What `otrace run` says at the end: on standard error, as standard output is the command's.

use otrace_wire::RunDetails;

use super::Session;
use crate::child::Ended;
use crate::printer;

/// How a run came to the server.
pub(super) struct Arrival {
    /// Whether all of it is there.
    pub(super) is_sent: bool,
    /// The project's name in URLs, if the server has told it.
    pub(super) project_slug: Option<String>,
    /// Other runs that were sent with it.
    pub(super) others: Vec<String>,
}

/// Prints what was recorded, and where to look at it.
pub(super) fn print(session: &Session, snapshot: &str, ended: &Ended, details: &RunDetails, arrival: &Arrival) {
    let label = session.label();
    let saved = if arrival.is_sent { "saved" } else { "kept on this machine" };
    let status = if ended.exit_code == 0 { "completed" } else { "failed" };
    let signal = ended.signal_name().map(|name| format!(", {name}")).unwrap_or_default();
    let state = details.snapshot.as_ref();
    let log = |path: Option<&String>| path.cloned().unwrap_or_default();
    let observed = state.map_or(0, |state| state.observed_artifacts.len());
    let missing: Vec<_> = state
        .into_iter()
        .flat_map(|state| &state.missing_expected_paths)
        .filter_map(|missing| missing["path"].as_str())
        .collect();
    printer::note(format_args!("Experiment {label} {saved}\n"));
    printer::note(format_args!("Intent: {}", session.spec.intent));
    printer::note(format_args!("Status: {status} (exit code {}{signal})", ended.exit_code));
    printer::note(format_args!("Command: {}", session.spec.command_line()));
    printer::note(format_args!("Snapshot: {snapshot}"));
    printer::note(format_args!("Stdout log: {}", log(state.and_then(|s| s.stdout_log_path.as_ref()))));
    printer::note(format_args!("Stderr log: {}", log(state.and_then(|s| s.stderr_log_path.as_ref()))));
    printer::note(format_args!("Observed paths: {observed}"));
    if missing.is_empty() {
        printer::note("Missing paths: 0");
    } else {
        printer::note(format_args!("Missing paths: {} ({})", missing.len(), missing.join(", ")));
    }
    printer::note(format_args!("Parsed results: {}", details.results.len()));
    printer::note(format_args!("Parsed tables: {}", details.tables.len()));
    if !arrival.others.is_empty() {
        printer::note(format_args!("Also sent: {}", arrival.others.join(", ")));
    }
    if session.online.is_none() {
        printer::note("Recorded offline: `otrace sync` sends it.");
        return;
    }
    // The server leads `current` to the project that was looked at last.
    let slug = arrival.project_slug.as_deref().filter(|slug| !slug.is_empty()).unwrap_or("current");
    let url = &session.settings.api_url;
    printer::note(format_args!("Open: {url}/projects/{slug}/runs/{label}"));
}
