//! What a run comes to: its files, collected, and all that is sent about it, put together.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use otrace_wire::{Log, LogStream, RunDetails, Snapshot};

use crate::capture::artifacts::Kept;
use crate::capture::expected::{self, Declared};
use crate::capture::stored::{self, Measure, StoredFile};
use crate::error::{Error, Result};
use crate::workspace::Workspace;
use crate::{printer, private_files};

/// Copies the files that declared paths come to.
pub fn keep(workspace: &Workspace, name: &str, declared: &[(Declared, &[String])]) -> Kept {
    let folder = workspace.artifacts_folder(name);
    declared.iter().fold(Kept::default(), |kept, (declared, paths)| {
        let found = expected::expand(workspace, *declared, paths);
        kept.merge(Kept::keep(workspace, &folder, found))
    })
}

/// A log as it stands. One that can't be read counts as empty.
pub fn log(path: PathBuf) -> StoredFile {
    stored::measure(path.clone()).unwrap_or_else(|error| {
        printer::warning(Error::file("read", &path, &error));
        Measure::default().of_file(path)
    })
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
    let log = |stream, log: &StoredFile| Log {
        stream,
        path: Some(workspace.relative(&log.path)),
        size_bytes: Some(log.wire_size()),
        // What is empty need not be fetched by its hash.
        text_content: (log.size == 0).then(String::new),
        hash: (log.size > 0).then_some(log.digest),
        created_at: Some(captured_at.to_owned()),
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
        logs: vec![log(LogStream::Stdout, stdout), log(LogStream::Stderr, stderr)],
        snapshot: Some(snapshot),
    }
}

/// Keeps them beside the run's other files, where they stay.
pub fn write_details(workspace: &Workspace, name: &str, details: &RunDetails) -> Result<()> {
    let path = workspace.details_file(name);
    let write = || {
        let mut file = BufWriter::new(private_files::file(&path)?);
        serde_json::to_writer(&mut file, details)?;
        file.flush()?;
        file.get_ref().sync_all()
    };
    write().map_err(|error: std::io::Error| Error::file("write", &path, &error))
}
