//! Runs for tests.

use otrace_wire::{Artifact, ExperimentId, Note, ResultValue, Run, RunStatus};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A run that has completed, an hour after the one before, and has left nothing behind.
pub(crate) fn run(number: i32) -> Run {
    let created_at = OffsetDateTime::UNIX_EPOCH + Duration::hours(number.into());
    Run {
        id: Uuid::from_u128(number.unsigned_abs().into()),
        experiment_id: ExperimentId::new(number),
        parent: None,
        title: None,
        intent: "Does it learn?".to_owned(),
        setup: "Default config.".to_owned(),
        command: "python3 train.py".to_owned(),
        status: RunStatus::Completed,
        tags: Vec::new(),
        created_at,
        updated_at: created_at,
        started_at: Some(created_at),
        finished_at: Some(created_at + Duration::seconds(90)),
        exit_code: Some(0),
        signal: None,
        duration_seconds: Some(90.0),
        working_directory: Some("/home/somebody/project".to_owned()),
        expected_artifact_paths: Vec::new(),
        expected_log_paths: Vec::new(),
        results: Vec::new(),
        tables: Vec::new(),
        logs: Vec::new(),
        artifacts: Vec::new(),
        snapshot: None,
        notes: Vec::new(),
    }
}

/// The same, going on from another run.
pub(crate) fn child(number: i32, parent: i32) -> Run {
    Run { parent: Some(ExperimentId::new(parent)), ..run(number) }
}

/// A note on it.
pub(crate) fn note(text: &str) -> Note {
    let created_at = OffsetDateTime::UNIX_EPOCH + Duration::days(1);
    Note { id: Uuid::nil(), author: "Ada".to_owned(), text: text.to_owned(), created_at }
}

/// A named value of it.
pub(crate) fn result(name: &str, value: impl Into<Value>) -> ResultValue {
    ResultValue { name: Some(name.to_owned()), value: value.into(), ..ResultValue::default() }
}

/// A file of it.
pub(crate) fn artifact(path: &str, kind: &str) -> Artifact {
    let (original_path, kind) = (Some(path.to_owned()), Some(kind.to_owned()));
    Artifact { original_path, kind, size_bytes: Some(1500), ..Artifact::default() }
}
