//! What a run comes to: its files, collected, and all that is sent about it, put together.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use otrace_wire::{Log, LogStream, RunDetails, Snapshot};
use serde_json::{Value, json};

use crate::capture::artifacts::Kept;
use crate::capture::expected::{self, Declared};
use crate::capture::large::Arrived;
use crate::capture::stored::{self, Measure, StoredFile};
use crate::child::heir;
use crate::error::{Error, Result};
use crate::secrets::Masker;
use crate::stored_log::gap::Gap;
use crate::stored_log::{StoredLog, times};
use crate::workspace::Workspace;
use crate::{printer, private_files};

/// What is missing of a run's series is said under this type.
const SERIES: &str = "metrics";

/// The paths that a command was to leave files at.
#[derive(Clone, Copy, Debug)]
pub struct Outputs<'a> {
    /// Of artifacts.
    pub artifacts: &'a [String],
    /// Those among them whose contents are not to be stored.
    pub unstored: &'a [String],
    /// Of logs.
    pub logs: &'a [String],
}

impl Outputs<'_> {
    /// The artifacts whose contents are to be stored, and the others.
    pub fn by_storage(&self) -> (Vec<String>, Vec<String>) {
        self.artifacts.iter().cloned().partition(|path| !self.unstored.contains(path))
    }
}

/// Copies the configs that declared paths come to.
pub fn keep_configs(workspace: &Workspace, name: &str, paths: &[String], masker: Option<&Masker>) -> Kept {
    keep(workspace, name, &[(Declared::Config, paths)], &Arrived::default(), masker)
}

/// Keeps what a command was to leave behind: copies, or, of what is not to be stored and of what has `arrived` at the
/// server already, paths, sizes and hashes.
pub fn keep_outputs(
    workspace: &Workspace,
    name: &str,
    outputs: Outputs<'_>,
    arrived: &Arrived,
    masker: Option<&Masker>,
) -> Kept {
    let (stored, unstored) = outputs.by_storage();
    let declared = [
        (Declared::Artifact, stored.as_slice()),
        (Declared::Reference, unstored.as_slice()),
        (Declared::Log, outputs.logs),
    ];
    keep(workspace, name, &declared, arrived, masker)
}

fn keep(
    workspace: &Workspace,
    name: &str,
    declared: &[(Declared, &[String])],
    arrived: &Arrived,
    masker: Option<&Masker>,
) -> Kept {
    let folder = workspace.artifacts_folder(name);
    declared.iter().fold(Kept::default(), |kept, (declared, paths)| {
        let found = expected::expand(workspace, *declared, paths);
        kept.merge(Kept::keep(workspace, &folder, found, arrived, masker))
    })
}

/// The log of a command whose `otrace` was killed: as it stands, with what that held back. One that can't be read
/// counts as empty.
pub fn log(path: PathBuf, masker: Option<&Masker>) -> StoredFile {
    heir::wait_for(&path);
    if let Err(error) = StoredLog::complete(&path, masker.cloned()) {
        printer::warning(Error::file("write", &path, &error));
    }
    stored::measure(path.clone()).unwrap_or_else(|error| {
        printer::warning(Error::file("read", &path, &error));
        Measure::default().of_file(path)
    })
}

/// What is to be said of a log that is not whole: `[{path, type, reason}]`.
pub fn lacking(workspace: &Workspace, log: &Path, gaps: &[Gap]) -> Vec<Value> {
    let path = workspace.relative(log);
    gaps.iter().map(|gap| json!({"path": path, "type": "log", "reason": gap.to_string()})).collect()
}

/// The same of series.
pub fn lacking_series(workspace: &Workspace, name: &str, reason: &str) -> Value {
    let path = workspace.relative(&workspace.metrics_file(name));
    json!({"path": path, "type": SERIES, "reason": format!("its series are cut short: {reason}")})
}

/// Takes back what was said of series: all of them are kept by now.
pub fn series_are_whole(details: &mut RunDetails) {
    if let Some(snapshot) = &mut details.snapshot {
        snapshot.missing_expected_paths.retain(|missing| missing["type"] != SERIES);
    }
}

/// Our copies that there are to send, besides those of the snapshot.
pub fn files<'a>(logs: [&'a StoredFile; 2], kept: &'a Kept) -> impl Iterator<Item = &'a StoredFile> {
    logs.into_iter().filter(|log| log.size > 0).chain(&kept.copies)
}

/// All that is sent about a run.
pub fn details(
    workspace: &Workspace,
    kept: Kept,
    snapshot: Snapshot,
    [stdout, stderr]: [&StoredFile; 2],
    captured_at: &str,
) -> RunDetails {
    let [stdout_times, stderr_times] =
        times::of_both([(stdout.path.as_path(), stdout.size), (stderr.path.as_path(), stderr.size)]);
    let log = |stream, log: &StoredFile, times| Log {
        stream,
        path: Some(workspace.relative(&log.path)),
        size_bytes: Some(log.wire_size()),
        // What is empty need not be fetched by its hash.
        text_content: (log.size == 0).then(String::new),
        hash: (log.size > 0).then_some(log.digest),
        created_at: Some(captured_at.to_owned()),
        times,
    };
    let snapshot = Snapshot {
        stdout_log_path: Some(workspace.relative(&stdout.path)),
        stderr_log_path: Some(workspace.relative(&stderr.path)),
        observed_artifacts: kept.observed,
        missing_expected_paths: kept.missing,
        evidence: kept.evidence,
        ..snapshot
    };
    RunDetails {
        artifacts: kept.artifacts,
        results: kept.results,
        tables: kept.tables,
        logs: vec![log(LogStream::Stdout, stdout, stdout_times), log(LogStream::Stderr, stderr, stderr_times)],
        snapshot: Some(snapshot),
    }
}

/// Keeps them beside the run's other files, where they stay. They get to the disk with those.
pub fn write_details(workspace: &Workspace, name: &str, details: &RunDetails) -> Result<()> {
    let path = workspace.details_file(name);
    let write = || {
        let mut file = BufWriter::new(private_files::file(&path)?);
        serde_json::to_writer(&mut file, details)?;
        file.flush()
    };
    write().map_err(|error: std::io::Error| Error::file("write", &path, &error))
}
