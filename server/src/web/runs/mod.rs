//! The runs of a project: their list, and a run with its tabs.
//!
//! Every tab of a run begins with the same header: [`RunHeader`] and `templates/runs/_header.html`.

pub mod artifacts;
pub mod code;
pub mod environment;
pub mod gone;
pub mod list;
pub mod logs;
pub mod metrics;
pub mod notes;
pub mod overview;
pub mod raw;
pub mod reproduce;
mod results;
pub mod tables;
pub mod trash;
mod verdict;

use otrace_wire::RunStatus;
use time::OffsetDateTime;

use super::format::{self, Moment};
use super::people::Person;
use super::shell::{Look, ProjectTab, Shell, live_url, may_edit, project_url};
use super::terminal;
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::{Run, RunRef, Snapshot};
use crate::error::{AppError, Result};
use crate::services;
use crate::services::runs::RunView;
use crate::store::run_relations::RelatedRun;

/// How many characters of why a run was run stand in the preview of a link to it.
const PREVIEW_CHARS: usize = 200;
/// How many characters of a commit are shown.
const COMMIT_CHARS: usize = 7;

/// A status in words, and the class that gives it its colour and its icon.
pub struct StatusView {
    /// `completed`, `capture_failed`, …
    pub class: &'static str,
    /// `Completed`, `Capture failed`, …
    pub label: &'static str,
}

impl StatusView {
    /// How `status` is shown.
    pub const fn new(status: RunStatus) -> Self {
        let label = match status {
            RunStatus::Created => "Created",
            RunStatus::Running => "Running",
            RunStatus::Completed => "Completed",
            RunStatus::Failed => "Failed",
            RunStatus::CaptureFailed => "Capture failed",
        };
        Self { class: status.as_str(), label }
    }
}

/// The tabs of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunTab {
    Overview,
    Metrics,
    Logs,
    Artifacts,
    Tables,
    Code,
    Environment,
    Reproduce,
    Notes,
}

/// A run as others point to it.
struct RunLink {
    href: String,
    experiment: String,
    heading: String,
    status: StatusView,
}

impl RunLink {
    fn new(project_url: &str, run: &RelatedRun) -> Self {
        let experiment = otrace_wire::ExperimentId::new(run.number).to_string();
        Self {
            href: format!("{project_url}/runs/{experiment}"),
            heading: terminal::clean(&run.heading),
            status: StatusView::new(run.status),
            experiment,
        }
    }
}

/// What stands above every tab of a run.
struct RunHeader {
    base: String,
    /// Where the pages of its project are.
    project: String,
    /// Where it is compared with what it went on from.
    compare_url: String,
    may_edit: bool,
    experiment: String,
    heading: String,
    /// What a link to the run is previewed with.
    preview: String,
    status: StatusView,
    tags: Vec<String>,
    author: Option<Person>,
    created: Moment,
    duration: Option<String>,
    commit: Option<String>,
    is_dirty: bool,
    exit: Option<String>,
    /// How long nothing was heard of its machine, where something should be.
    silence: Option<String>,
    newer: Option<String>,
    older: Option<String>,
    tabs: Vec<HeaderTab>,
    /// Where the page hears of changes; `None` once nothing more is expected.
    live_url: Option<String>,
}

/// A tab above a run.
struct HeaderTab {
    href: String,
    label: &'static str,
    count: Option<String>,
    is_current: bool,
}

impl RunHeader {
    fn new(member: &ProjectMember, view: &RunView, tab: RunTab, now: OffsetDateTime) -> Self {
        let (run, project) = (&view.full.run, project_url(&member.project));
        let base = format!("{project}/runs/{}", run.experiment_id());
        let beside = |number: Option<i32>| {
            number.map(|number| format!("{project}/runs/{}", otrace_wire::ExperimentId::new(number)))
        };
        let snapshot = view.full.snapshot.as_ref();
        let parent = run.parent_number.map(|number| format!("{},", otrace_wire::ExperimentId::new(number)));
        Self {
            compare_url: format!("{project}/compare?ids={}{}", parent.unwrap_or_default(), run.experiment_id()),
            may_edit: may_edit(member),
            experiment: run.experiment_id().to_string(),
            heading: terminal::clean(run.heading()),
            preview: preview(run, now),
            status: StatusView::new(run.status),
            tags: run.tags.iter().map(|tag| terminal::clean(tag)).collect(),
            author: run.author.as_deref().map(Person::new),
            created: Moment::new(run.created_at, now),
            duration: duration_of(run, now),
            commit: snapshot.and_then(checked_out),
            is_dirty: snapshot.and_then(|snapshot| snapshot.git_dirty).unwrap_or_default(),
            exit: ending(run),
            silence: run.out_of_contact_since(now).map(|since| format::elapsed(since, now)),
            newer: beside(view.newer),
            older: beside(view.older),
            tabs: tabs(&base, view, tab),
            live_url: (!run.status.is_final()).then(|| live_url(&member.project, now)),
            base,
            project,
        }
    }
}

fn tabs(base: &str, view: &RunView, tab: RunTab) -> Vec<HeaderTab> {
    let some = |things: usize| i64::try_from(things).ok().filter(|things| *things > 0).map(format::count);
    let entry = |this: RunTab, path: &str, label: &'static str, count: Option<String>| HeaderTab {
        href: format!("{base}{path}"),
        label,
        count,
        is_current: this == tab,
    };
    let mut tabs = vec![entry(RunTab::Overview, "", "Overview", None)];
    if view.series > 0 || tab == RunTab::Metrics {
        let count = (view.series > 0).then(|| format::count(view.series.into()));
        tabs.push(entry(RunTab::Metrics, "/metrics", "Metrics", count));
    }
    tabs.extend([
        entry(RunTab::Logs, "/logs", "Logs", None),
        entry(RunTab::Artifacts, "/artifacts", "Artifacts", some(view.full.artifacts.len())),
        entry(RunTab::Tables, "/tables", "Tables", some(view.full.tables.len())),
        entry(RunTab::Code, "/code", "Code", None),
        entry(RunTab::Environment, "/environment", "Environment", None),
        entry(RunTab::Reproduce, "/reproduce", "Reproduce", None),
        entry(RunTab::Notes, "/notes", "Notes", some(view.full.notes.len())),
    ]);
    tabs
}

/// Where a run stands, and why it was run, in a line.
fn preview(run: &Run, now: OffsetDateTime) -> String {
    let mut text = StatusView::new(run.status).label.to_owned();
    if let Some(duration) = duration_of(run, now) {
        text = format!("{text}, {duration}");
    }
    let why = terminal::clean(&run.intent).split_whitespace().collect::<Vec<_>>().join(" ");
    let begins = format::short(&why, PREVIEW_CHARS);
    let more = if begins.len() < why.len() { "…" } else { "" };
    format!("{text}. {begins}{more}")
}

/// How a run's command ended, in a word or two: the signal that ended it, else its exit code.
fn ending(run: &Run) -> Option<String> {
    run.signal.clone().or_else(|| run.exit_code.map(|code| format!("exit\u{a0}{code}")))
}

/// `1 h 12 m`, or `38 min so far` while it runs.
fn duration_of(run: &Run, now: OffsetDateTime) -> Option<String> {
    match (run.duration_seconds, run.started_at) {
        (Some(seconds), _) => Some(format::duration(seconds)),
        (None, Some(start)) if run.status == RunStatus::Running => {
            Some(format!("{} so far", format::elapsed(start, now)))
        }
        _ => None,
    }
}

/// `distill/kwt3 @ 9f3c2e1`.
fn checked_out(snapshot: &Snapshot) -> Option<String> {
    let commit = snapshot.git_commit.as_deref().map(|commit| format::short(&terminal::clean(commit), COMMIT_CHARS));
    match (snapshot.git_branch.as_deref().map(terminal::clean), commit) {
        (Some(branch), Some(commit)) => Some(format!("{branch} @ {commit}")),
        (branch, commit) => branch.or(commit),
    }
}

/// A name that can be no run's is not found, as any other that is no run's.
fn run_ref(name: &str) -> Result<RunRef> {
    name.parse().map_err(|_| AppError::NotFound("Run"))
}

/// A run with its page around it, for the handlers of its tabs.
async fn open(
    app: &AppState,
    look: Look,
    member: &ProjectMember,
    run: &str,
    tab: RunTab,
) -> Result<(Shell, RunHeader, RunView)> {
    let view = services::runs::show(app, member.project.id, run_ref(run)?).await?;
    let header = RunHeader::new(member, &view, tab, app.clock.now());
    let shell = Shell::of_project(app, look, member, ProjectTab::Runs).await?;
    let shell = shell.below(header.base.clone(), header.experiment.clone());
    Ok((shell, header, view))
}

/// The paths that were declared and not there.
fn missing_paths(snapshot: Option<&Snapshot>) -> Vec<String> {
    let entries = snapshot.map_or_else(Default::default, |snapshot| snapshot.missing_expected_paths.as_slice());
    let told = |entry: &serde_json::Value| {
        let path = entry.get("path").or(Some(entry))?.as_str()?;
        let reason = entry.get("reason").and_then(serde_json::Value::as_str);
        Some(reason.map_or_else(|| terminal::clean(path), |reason| terminal::clean(&format!("{path} ({reason})"))))
    };
    entries.iter().filter_map(told).collect()
}

/// Whether a file is one that the run declared, by its path or by a glob.
fn is_expected(run: &Run, path: &str) -> bool {
    let mut declared = run.expected_artifact_paths.iter().chain(&run.expected_log_paths);
    declared.any(|pattern| is_named_by(path, pattern))
}

/// Whether a path is what a declared path or glob means.
fn is_named_by(path: &str, pattern: &str) -> bool {
    let (path, pattern) = (path.trim_start_matches("./"), pattern.trim_start_matches("./"));
    path == pattern || glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_name_paths() {
        assert!(is_named_by("outputs/metrics.json", "outputs/metrics.json"));
        assert!(is_named_by("outputs/metrics.json", "./outputs/*.json"));
        assert!(is_named_by("a/b/c.pt", "**/*.pt"));
        assert!(is_named_by("log1", "log?"));
        assert!(!is_named_by("outputs/metrics.json", "metrics.json"));
        assert!(!is_named_by("a.json", "*.jso"));
        assert!(is_named_by("[odd].json", "[odd].json"));
    }

    #[test]
    fn a_checkout_is_told_by_what_is_known() {
        let snapshot = |branch: Option<&str>, commit: Option<&str>| Snapshot {
            git_branch: branch.map(str::to_owned),
            git_commit: commit.map(str::to_owned),
            ..Snapshot::default()
        };
        assert_eq!(checked_out(&snapshot(Some("main"), Some("9f3c2e1abc"))).unwrap(), "main @ 9f3c2e1");
        assert_eq!(checked_out(&snapshot(Some("main"), None)).unwrap(), "main");
        assert_eq!(checked_out(&snapshot(None, None)), None);
    }
}
