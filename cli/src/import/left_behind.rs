//! What a run of a manifest left behind: files, results, tables, and what it ran on.

use otrace_wire::{Evidence, LogStream, ResultValue, Snapshot, Table};
use serde_json::Value;

use crate::import::fields::{Fields, Mistakes};
use crate::import::files::{Folder, Source};

/// The types of artifacts.
const KINDS: [&str; 7] = ["metrics", "figure", "log", "config", "artifact", "checkpoint", "other"];
/// So many artifacts the server takes of a run.
const ARTIFACTS_MAX: usize = 10_000;
/// So many logs.
const LOGS_MAX: usize = 1_000;

/// What a run left behind.
#[derive(Debug)]
pub struct LeftBehind {
    /// Files to keep.
    pub artifacts: Vec<Artifact>,
    /// What it printed.
    pub logs: Vec<Log>,
    /// Files to read results and tables from.
    pub result_files: Vec<Source>,
    /// Results as the manifest has them.
    pub results: Vec<ResultValue>,
    /// Tables as the manifest has them.
    pub tables: Vec<Table>,
    /// What it ran on.
    pub snapshot: Option<Snapshot>,
}

/// A file to keep.
#[derive(Debug)]
pub struct Artifact {
    /// The file.
    pub source: Source,
    /// Its type, if the manifest says it.
    pub kind: Option<String>,
    /// Whether its content is stored, rather than its path, size and hash alone.
    pub is_stored: bool,
}

/// A file that a run printed or wrote as a log.
#[derive(Debug)]
pub struct Log {
    /// The file.
    pub source: Source,
    /// Which stream it is.
    pub stream: LogStream,
}

impl LeftBehind {
    /// Takes these fields out of a run.
    pub fn read(fields: &mut Fields, folder: &Folder<'_>, mistakes: &mut Mistakes) -> Self {
        let artifacts = fields.objects("artifacts", mistakes);
        let logs = fields.objects("logs", mistakes);
        for (name, count, most) in [("artifacts", artifacts.len(), ARTIFACTS_MAX), ("logs", logs.len(), LOGS_MAX)] {
            if count > most {
                mistakes.add(&fields.place(name), format_args!("must be at most {most}, not {count}"));
            }
        }
        let artifacts = artifacts.into_iter().filter_map(|fields| artifact(fields, folder, mistakes)).collect();
        let logs = logs.into_iter().filter_map(|fields| log(fields, folder, mistakes)).collect();
        let results = fields.objects("results", mistakes);
        let results = results.into_iter().map(|fields| result(fields, mistakes)).collect();
        let tables = fields.objects("tables", mistakes);
        let tables = tables.into_iter().map(|fields| table(fields, mistakes)).collect();
        let result_files = result_files(fields, folder, mistakes);
        let place = fields.place("snapshot");
        let snapshot = fields.take("snapshot").and_then(|value| Fields::of(value, place, mistakes));
        let snapshot = snapshot.map(|fields| snapshot_of(fields, mistakes));
        Self { artifacts, logs, result_files, results, tables, snapshot }
    }

    /// All files that the manifest names.
    pub fn named_files(&self) -> impl Iterator<Item = &Source> {
        self.kept_files().map(|(source, _)| source).chain(&self.result_files)
    }

    /// The files that the server is told of, and whether secrets in them are masked.
    pub fn kept_files(&self) -> impl Iterator<Item = (&Source, bool)> {
        let artifacts = self.artifacts.iter().map(|artifact| (&artifact.source, artifact.is_masked()));
        artifacts.chain(self.logs.iter().map(|log| (&log.source, true)))
    }

    /// Those of them whose contents are sent.
    pub fn sent_files(&self) -> impl Iterator<Item = (&Source, bool)> {
        let stored = self.artifacts.iter().filter(|artifact| artifact.is_stored);
        let stored = stored.map(|artifact| (&artifact.source, artifact.is_masked()));
        stored.chain(self.logs.iter().map(|log| (&log.source, true)))
    }
}

impl Artifact {
    /// Whether secrets in it are masked, as `otrace run` does it: in configs and logs, and only if they are sent.
    pub fn is_masked(&self) -> bool {
        self.is_stored && matches!(self.kind.as_deref(), Some("config" | "log"))
    }
}

fn artifact(mut fields: Fields, folder: &Folder<'_>, mistakes: &mut Mistakes) -> Option<Artifact> {
    let source = path(&mut fields, "Artifact path", folder, mistakes);
    let wanted = "one of metrics, figure, log, config, artifact, checkpoint, other";
    let kind = fields.read("type", wanted, mistakes, |value| match value {
        Value::String(kind) => KINDS.contains(&kind.as_str()).then_some(kind),
        _ => None,
    });
    let is_stored = fields.flag("store_content", mistakes).unwrap_or(true);
    fields.end(mistakes);
    Some(Artifact { source: source?, kind, is_stored })
}

fn log(mut fields: Fields, folder: &Folder<'_>, mistakes: &mut Mistakes) -> Option<Log> {
    let source = path(&mut fields, "Log path", folder, mistakes);
    let stream = fields.read("stream", "one of stdout, stderr, log", mistakes, |value| match value.as_str()? {
        "stdout" => Some(LogStream::Stdout),
        "stderr" => Some(LogStream::Stderr),
        "log" => Some(LogStream::Log),
        _ => None,
    });
    fields.end(mistakes);
    Some(Log { source: source?, stream: stream.unwrap_or_default() })
}

fn result_files(fields: &mut Fields, folder: &Folder<'_>, mistakes: &mut Mistakes) -> Vec<Source> {
    let mut sources = Vec::new();
    for (place, item) in fields.list("result_files", mistakes) {
        match item {
            Value::String(path) => sources.extend(source(&place, "Result file", &path, folder, mistakes)),
            _ => mistakes.add(&place, "must be a string"),
        }
    }
    sources
}

fn path(fields: &mut Fields, what: &str, folder: &Folder<'_>, mistakes: &mut Mistakes) -> Option<Source> {
    fields.require("path", mistakes);
    let path = fields.text("path", mistakes).filter(|path| !path.trim().is_empty())?;
    source(&fields.place("path"), what, &path, folder, mistakes)
}

fn source(place: &str, what: &str, path: &str, folder: &Folder<'_>, mistakes: &mut Mistakes) -> Option<Source> {
    let source = folder.source(path);
    match source.check() {
        Ok(()) => Some(source),
        Err(reason) => {
            mistakes.add(&format!("{place}:"), format_args!("{what} {reason}"));
            None
        }
    }
}

fn result(mut fields: Fields, mistakes: &mut Mistakes) -> ResultValue {
    fields.require("name", mistakes);
    if !fields.has("value") {
        mistakes.add(&fields.place("value"), "is required");
    }
    let value = fields.read("value", "a number, a text, true, false or null", mistakes, |value| {
        (!value.is_array() && !value.is_object()).then_some(value)
    });
    let result = ResultValue {
        kind: fields.text("kind", mistakes),
        name: fields.text("name", mistakes),
        value: value.unwrap_or_default(),
        source_path: fields.text("source_path", mistakes),
        line: fields.whole("line", mistakes),
        row_index: fields.whole("row_index", mistakes),
        column_name: fields.text("column_name", mistakes),
        table_index: fields.whole("table_index", mistakes),
        row: fields.whole("row", mistakes),
        column: fields.text("column", mistakes),
        table: fields.whole("table", mistakes),
        metadata: fields.object("metadata", mistakes),
    };
    fields.end(mistakes);
    result
}

fn table(mut fields: Fields, mistakes: &mut Mistakes) -> Table {
    let table = Table {
        source_path: fields.text("source_path", mistakes),
        table_index: fields.whole("table_index", mistakes),
        title: fields.text("title", mistakes),
        columns: fields.texts("columns", mistakes),
        rows: fields.plain_objects("rows", mistakes),
        row_count: fields.whole("row_count", mistakes),
        column_count: fields.whole("column_count", mistakes),
        metadata: fields.object("metadata", mistakes),
    };
    fields.end(mistakes);
    table
}

fn snapshot_of(mut fields: Fields, mistakes: &mut Mistakes) -> Snapshot {
    let evidence = fields.objects("evidence", mistakes);
    let evidence = evidence.into_iter().map(|fields| evidence_of(fields, mistakes)).collect();
    let snapshot = Snapshot {
        git_commit: fields.text("git_commit", mistakes),
        git_branch: fields.text("git_branch", mistakes),
        git_remote_url: fields.text("git_remote_url", mistakes),
        git_dirty: fields.flag("git_dirty", mistakes),
        dirty_diff_path: fields.text("dirty_diff_path", mistakes),
        staged_diff_path: fields.text("staged_diff_path", mistakes),
        dependency_files: fields.texts("dependency_files", mistakes),
        dependency_file_copies: fields.texts("dependency_file_copies", mistakes),
        python_version: fields.text("python_version", mistakes),
        platform: fields.text("platform", mistakes),
        hostname: fields.text("hostname", mistakes),
        requirements_hash: fields.text("requirements_hash", mistakes),
        stdout_log_path: fields.text("stdout_log_path", mistakes),
        stderr_log_path: fields.text("stderr_log_path", mistakes),
        observed_artifacts: fields.plain_objects("observed_artifacts", mistakes),
        missing_expected_paths: fields.plain_objects("missing_expected_paths", mistakes),
        evidence,
        ..Snapshot::default()
    };
    fields.end(mistakes);
    snapshot
}

fn evidence_of(mut fields: Fields, mistakes: &mut Mistakes) -> Evidence {
    let evidence = Evidence {
        source_path: fields.text("source_path", mistakes),
        kind: fields.text("type", mistakes),
        snippet: fields.text("snippet", mistakes),
    };
    fields.end(mistakes);
    evidence
}
