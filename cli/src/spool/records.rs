//! What the spool knows of a run: one file for each step of its life.

use std::fs::File;
use std::io::{self, BufReader};

use otrace_wire::{Artifact, CreateRun, ExperimentId, RunDetails, RunOutcome, RunStatus, Sha256Digest, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::capture::artifacts::Kept;
use crate::capture::stored::{self, StoredFile};
use crate::error::{Error, Result};
use crate::secrets::Remembered;
use crate::workspace::Workspace;

/// `run.json`: the run, before the server is asked for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// The request for it.
    pub request: CreateRun,
    /// When it was made, RFC 3339.
    pub recorded_at: String,
    /// The server that was asked. Nothing: none, as whoever ran it wished.
    pub server: Option<String>,
    /// The project that it is meant for, if that was said.
    pub project_id: Option<String>,
    /// Whether secrets are kept as they are, as whoever ran it wished.
    #[serde(default)]
    pub keeps_secrets: bool,
    /// The expected artifacts whose contents are not stored.
    #[serde(default)]
    pub unstored_paths: Vec<String>,
    /// The secrets that were known then, by their hashes: whoever sends the run may have another environment.
    #[serde(default)]
    pub secrets: Vec<Remembered>,
}

/// `started.json`: the run, at the moment before its command starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the run's own name of that time")]
pub struct Started {
    /// The run's id on the server, which is the spool's unless the server is of another make.
    pub run: Uuid,
    /// What its files in `.trace/` are called.
    pub name: String,
    /// Its number on the server. Nothing where none was asked.
    pub experiment: Option<ExperimentId>,
    /// What opens this run alone.
    pub run_token: Option<String>,
    /// When the command started, RFC 3339.
    pub started_at: String,
    /// What it runs on.
    pub snapshot: Snapshot,
    /// Its configs.
    pub configs: Configs,
    /// Our copies of what the snapshot and the configs name.
    pub contents: Vec<Content>,
}

/// The configs that were kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Configs {
    artifacts: Vec<Artifact>,
    observed: Vec<Value>,
    missing: Vec<Value>,
}

/// `created.json`: a run that the server was asked for later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Created {
    /// The run's id on the server.
    pub run: Uuid,
    /// Its number there.
    pub experiment: ExperimentId,
    /// What opens this run alone.
    pub run_token: Option<String>,
}

/// `ended.json`: how the command ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// Its exit code; 128 + n after signal n.
    pub exit_code: i32,
    /// What the signal is called that ended it, if one did.
    #[serde(default)]
    pub signal: Option<String>,
    /// How long it ran.
    pub duration_seconds: f64,
    /// When it ended, RFC 3339.
    pub finished_at: String,
    /// What is not whole of its logs: `[{path, type, reason}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut_short: Vec<Value>,
}

/// `captured.json`: all that there is to send.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Captured {
    /// Where the run's details are, from the workspace on.
    pub details: String,
    /// The contents that they name.
    pub contents: Vec<Content>,
    /// Whether all of it is on the disk. Otherwise a power cut may have torn it.
    #[serde(default)]
    pub is_synced: bool,
    /// Whether there was no room for some of its series, which may still stand in the files that they were read from.
    #[serde(default)]
    pub lacks_series: bool,
}

/// One of our copies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Content {
    /// Where it is, from the workspace on.
    pub path: String,
    /// The SHA-256 of it.
    pub hash: Sha256Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

impl Asked {
    /// The paths that may hold series.
    pub fn declared_paths(&self) -> Vec<String> {
        let CreateRun { expected_artifact_paths, expected_log_paths, .. } = &self.request;
        expected_artifact_paths.iter().chain(expected_log_paths).cloned().collect()
    }
}

impl Started {
    /// What the run is called.
    pub fn label(&self) -> String {
        self.experiment.map_or_else(|| self.name.clone(), |experiment| experiment.to_string())
    }
}

impl Captured {
    /// What there is to send, now that it is in files.
    pub fn of(workspace: &Workspace, name: &str, contents: Vec<Content>) -> Self {
        Self {
            details: workspace.relative(&workspace.details_file(name)),
            contents,
            is_synced: false,
            lacks_series: false,
        }
    }

    /// Whether each file is there, as it was.
    pub fn is_whole(&self, workspace: &Workspace) -> bool {
        self.read_details(workspace).is_ok() && self.contents.iter().all(|content| content.is_whole(workspace))
    }

    /// The run's details. They too are read from nowhere but `.trace/`.
    pub fn read_details(&self, workspace: &Workspace) -> Result<RunDetails> {
        let path = workspace.root().join(&self.details);
        let failed = |error: io::Error| Error::file("read", &path, &error);
        let real = path.canonicalize().map_err(failed)?;
        if !real.starts_with(workspace.trace_dir()) {
            return Err(failed(io::ErrorKind::PermissionDenied.into()));
        }
        let file = BufReader::new(File::open(real).map_err(failed)?);
        serde_json::from_reader(file).map_err(|error| failed(error.into()))
    }
}

impl Configs {
    /// What is to be remembered of them.
    pub fn of(kept: &Kept) -> Self {
        let Kept { artifacts, observed, missing, .. } = kept;
        Self { artifacts: artifacts.clone(), observed: observed.clone(), missing: missing.clone() }
    }

    /// What was remembered. Their copies are among the run's contents.
    pub fn into_kept(self) -> Kept {
        let Self { artifacts, observed, missing } = self;
        Kept { artifacts, observed, missing, ..Kept::default() }
    }
}

impl Content {
    /// These files of ours.
    pub fn all_of<'a>(workspace: &Workspace, files: impl IntoIterator<Item = &'a StoredFile>) -> Vec<Self> {
        let content =
            |file: &StoredFile| Self { path: workspace.relative(&file.path), hash: file.digest, size_bytes: file.size };
        files.into_iter().map(content).collect()
    }

    /// Whether the file is there, as it was.
    pub fn is_whole(&self, workspace: &Workspace) -> bool {
        let file = self.to_file(workspace).and_then(|file| stored::measure(file.path).ok());
        file.is_some_and(|file| file.digest == self.hash)
    }

    /// The file, if it is still there. Nothing outside of `.trace/` is ever sent by its name alone.
    pub fn to_file(&self, workspace: &Workspace) -> Option<StoredFile> {
        let path = workspace.root().join(&self.path).canonicalize().ok()?;
        let is_ours = path.starts_with(workspace.trace_dir()) && path.is_file();
        is_ours.then_some(StoredFile { path, digest: self.hash, size: self.size_bytes, parts: Vec::new() })
    }
}

impl Ended {
    /// The run's end, as it is told.
    pub fn outcome(&self, started_at: &str) -> RunOutcome {
        RunOutcome {
            status: Some(if self.exit_code == 0 { RunStatus::Completed } else { RunStatus::Failed }),
            exit_code: Some(self.exit_code),
            signal: self.signal.clone(),
            duration_seconds: Some(self.duration_seconds),
            started_at: Some(started_at.to_owned()),
            finished_at: Some(self.finished_after(started_at)),
        }
    }
}

impl Ended {
    /// When it ended, but not before what was measured has passed since its start: clocks are set.
    fn finished_after(&self, started_at: &str) -> String {
        let moment = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
        let measured = || moment(started_at)?.checked_add(Duration::checked_seconds_f64(self.duration_seconds)?);
        let later = measured().filter(|measured| moment(&self.finished_at).is_some_and(|told| told < *measured));
        later.and_then(|later| later.format(&Rfc3339).ok()).unwrap_or_else(|| self.finished_at.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_in_our_folder_is_sent() {
        let folder = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::at(&folder.path().canonicalize().expect("a path"));
        workspace.prepare().expect("prepared");
        let content = |path: &str| Content { path: path.to_owned(), hash: Sha256Digest::new([0; 32]), size_bytes: 1 };
        std::fs::write(folder.path().join(".trace/logs/a.log"), "a").expect("written");
        std::fs::write(folder.path().join("secret"), "b").expect("written");
        std::os::unix::fs::symlink("../../secret", folder.path().join(".trace/logs/link")).expect("linked");
        assert!(content(".trace/logs/a.log").to_file(&workspace).is_some());
        for path in ["secret", ".trace/../secret", ".trace/logs/link", "/etc/passwd", ".trace/logs/gone", ".trace"] {
            assert!(content(path).to_file(&workspace).is_none(), "{path}");
        }
    }
}
