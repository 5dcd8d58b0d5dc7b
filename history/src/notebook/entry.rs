//! One run in a notebook.

use std::collections::HashMap;

use otrace_wire::details::HowWell;
use otrace_wire::{Artifact, ExperimentId, Note, Run, RunStatus, Snapshot, Table};
use serde::Serialize;
use serde_json::Value;

use super::insight;
use crate::human;
use crate::results::{self, Change};

/// One run in a notebook: what the run's record tells of why, how and what came of it. No path of a machine is in it
/// but those that people wrote themselves, and no time but those of the record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// What the run is called: `exp042`, or `offline-5d3f02aa` while no server has numbered it.
    pub name: String,
    /// Its title.
    pub title: Option<String>,
    /// The run that it goes on from.
    pub parent: Option<String>,
    /// Where it stands.
    pub status: RunStatus,
    /// The same in words: `completed`, `failed (exit code 3)`, `failed (SIGKILL)`.
    pub state: String,
    /// When it was recorded, RFC 3339 in UTC.
    pub created_at: String,
    /// When its command started, likewise.
    pub started_at: Option<String>,
    /// When that ended, likewise.
    pub finished_at: Option<String>,
    /// How long it ran, in seconds.
    pub duration_seconds: Option<f64>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Why it was run.
    pub intent: String,
    /// What it was run on and what was assumed.
    pub setup: String,
    /// The command as one shell string.
    pub command: String,
    /// What was learned: the notes with `#insight`, without the tag, the oldest first.
    pub insights: Vec<Remark>,
    /// The other notes, the oldest first.
    pub notes: Vec<Remark>,
    /// What became of its files of metrics.
    pub metrics: Metrics,
    /// Named values at its end, against those of its parent.
    pub results: Vec<Measured>,
    /// Tables parsed from its outputs.
    pub tables: Vec<Rows>,
    /// The files kept with it.
    pub artifacts: Vec<Kept>,
    /// Paths that were declared and not there.
    pub missing_paths: Vec<String>,
    /// The code that it ran on, as far as it is known.
    pub code: Option<Code>,
}

/// Something that somebody wrote on a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Who wrote it, as shown to people.
    pub author: String,
    /// When, RFC 3339 in UTC.
    pub created_at: String,
    /// Markdown.
    pub text: String,
}

/// What became of a run's files of metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// In a word.
    pub state: MetricsState,
    /// The files, by their paths.
    pub files: Vec<String>,
}

/// What became of them, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricsState {
    /// There are results or tables.
    Parsed,
    /// Files were captured, and nothing could be read from them.
    NotParsed,
    /// There was no such file.
    NotCaptured,
}

/// A named value at the end of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// What it measures; where several have one name, with the file that it comes from.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// The parent's value.
    pub before: Option<Value>,
    /// How much more it is, where both are numbers.
    pub difference: Option<f64>,
    /// The same in percent of what it was.
    pub percent: Option<f64>,
}

/// A table parsed from an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// The file that it was read from.
    pub source_path: Option<String>,
    /// How many rows it has.
    pub row_count: i64,
    /// The columns' names.
    pub columns: Vec<String>,
}

/// A file kept with a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its path in the workspace.
    pub path: String,
    /// `metrics`, `figure`, `log`, `config`, `artifact`, `checkpoint`, `other`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its size in bytes.
    pub size_bytes: Option<i64>,
    /// `sha256:…` of its content.
    pub hash: Option<String>,
}

/// The code that a run ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Code {
    /// The commit that was checked out.
    pub commit: Option<String>,
    /// The branch.
    pub branch: Option<String>,
    /// Whether anything was changed and not committed; `None`: not known.
    pub is_dirty: Option<bool>,
    /// How well it can be got back; `None`: not known.
    pub how_well: Option<HowWell>,
    /// Why not fully: clauses that can follow "because".
    pub reasons: Vec<String>,
}

impl Entry {
    /// A run, beside the one that it goes on from, where that is known.
    pub fn new(run: &Run, parent: Option<&Run>) -> Self {
        let (insights, notes): (Vec<_>, Vec<_>) = run.notes.iter().partition(|note| insight::is_insight(&note.text));
        Self {
            name: name(run),
            title: run.title.clone().filter(|title| !title.trim().is_empty()),
            parent: parent.map(name).or_else(|| run.parent.map(|parent| parent.to_string())),
            status: run.status,
            state: human::status(run),
            created_at: human::rfc3339(run.created_at),
            started_at: run.started_at.map(human::rfc3339),
            finished_at: run.finished_at.map(human::rfc3339),
            duration_seconds: run.duration_seconds,
            tags: run.tags.clone(),
            intent: run.intent.trim().to_owned(),
            setup: run.setup.trim().to_owned(),
            command: run.command.trim().to_owned(),
            insights: insights.into_iter().map(|note| remark(note, insight::without_tag(&note.text))).collect(),
            notes: notes.into_iter().map(|note| remark(note, note.text.trim().to_owned())).collect(),
            metrics: metrics(run),
            results: measured(run, parent),
            tables: run.tables.iter().map(rows).collect(),
            artifacts: run.artifacts.iter().map(kept).collect(),
            missing_paths: run.snapshot.as_ref().map(missing).unwrap_or_default(),
            code: run.snapshot.as_ref().and_then(code),
        }
    }
}

/// What a run is called. One that has no number yet is called after the end of its id, as in `.trace/`.
pub(super) fn name(run: &Run) -> String {
    if run.experiment_id >= ExperimentId::new(1) {
        return run.experiment_id.to_string();
    }
    let id = run.id.simple().to_string();
    format!("offline-{}", id.get(24..).unwrap_or_default())
}

fn remark(note: &Note, text: String) -> Remark {
    Remark { author: note.author.clone(), created_at: human::rfc3339(note.created_at), text }
}

fn metrics(run: &Run) -> Metrics {
    let files = run.artifacts.iter().filter(|artifact| artifact.kind.as_deref() == Some("metrics"));
    let files: Vec<String> = files.map(path).collect();
    let state = match (run.results.is_empty() && run.tables.is_empty(), files.is_empty()) {
        (false, _) => MetricsState::Parsed,
        (true, false) => MetricsState::NotParsed,
        (true, true) => MetricsState::NotCaptured,
    };
    Metrics { state, files }
}

fn measured(run: &Run, parent: Option<&Run>) -> Vec<Measured> {
    let before: HashMap<String, &Value> =
        parent.map(|parent| results::named(&parent.results).into_iter().collect()).unwrap_or_default();
    let measured = |(name, value): (String, &Value)| {
        let was = before.get(&name).copied();
        let Change { difference, percent } = was.map(|was| Change::of(was, value)).unwrap_or_default();
        Measured { value: value.clone(), before: was.cloned(), difference, percent, name }
    };
    results::named(&run.results).into_iter().map(measured).collect()
}

fn rows(table: &Table) -> Rows {
    let row_count = table.row_count.unwrap_or_else(|| i64::try_from(table.rows.len()).unwrap_or(i64::MAX));
    Rows { source_path: table.source_path.clone(), row_count, columns: table.columns.clone() }
}

fn kept(artifact: &Artifact) -> Kept {
    Kept {
        path: path(artifact),
        kind: artifact.kind.clone(),
        size_bytes: artifact.size_bytes,
        hash: artifact.hash.clone(),
    }
}

fn path(artifact: &Artifact) -> String {
    artifact.original_path.clone().or_else(|| artifact.stored_path.clone()).unwrap_or_else(|| "unnamed".to_owned())
}

fn missing(snapshot: &Snapshot) -> Vec<String> {
    let path = |entry: &Value| entry.get("path").unwrap_or(entry).as_str().map(str::to_owned);
    snapshot.missing_expected_paths.iter().filter_map(path).collect()
}

fn code(snapshot: &Snapshot) -> Option<Code> {
    let rebuild = snapshot.rebuild.as_ref();
    let code = Code {
        commit: snapshot.git_commit.clone(),
        branch: snapshot.git_branch.clone(),
        is_dirty: snapshot.git_dirty,
        how_well: rebuild.map(|rebuild| rebuild.how_well),
        reasons: rebuild.map(|rebuild| rebuild.reasons.clone()).unwrap_or_default(),
    };
    (code.commit.is_some() || code.how_well.is_some()).then_some(code)
}
