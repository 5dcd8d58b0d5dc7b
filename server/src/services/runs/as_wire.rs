//! Runs as clients read them: the records, without contents.

use otrace_wire::{self as wire, ExperimentId};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::FullRun;
use crate::domain::snapshot::SnapshotFile;
use crate::domain::{Artifact, Log, Note, RunResult, Snapshot, Table};

/// A run without the texts of its artifacts and logs: for lists.
pub fn summary(full: FullRun) -> wire::Run {
    let FullRun { run, results, tables, logs, artifacts, snapshot, notes } = full;
    wire::Run {
        id: run.id.0,
        experiment_id: run.experiment_id(),
        parent: run.parent_number.map(ExperimentId::new),
        title: run.title,
        intent: run.intent,
        setup: run.setup,
        command: run.command,
        status: run.status,
        tags: run.tags,
        created_at: run.created_at,
        updated_at: run.updated_at,
        started_at: run.started_at,
        finished_at: run.finished_at,
        exit_code: run.exit_code,
        signal: run.signal,
        duration_seconds: run.duration_seconds,
        working_directory: run.working_directory,
        expected_artifact_paths: run.expected_artifact_paths,
        expected_log_paths: run.expected_log_paths,
        results: results.into_iter().map(result).collect(),
        tables: tables.into_iter().map(table).collect(),
        logs: logs.iter().map(log).collect(),
        artifacts: artifacts.iter().map(artifact).collect(),
        snapshot: snapshot.map(self::snapshot),
        notes: notes.into_iter().map(note).collect(),
    }
}

/// An artifact without its content.
pub fn artifact(artifact: &Artifact) -> wire::Artifact {
    wire::Artifact {
        id: Some(artifact.id.0),
        run_id: Some(artifact.run_id.0),
        local_artifact_id: artifact.local_artifact_id.clone(),
        original_path: artifact.original_path.clone(),
        stored_path: artifact.stored_path.clone(),
        kind: Some(artifact.kind.clone()),
        size_bytes: Some(artifact.size_bytes),
        hash: artifact.hash.clone(),
        content_type: Some(artifact.content_type.clone()),
        content_base64: None,
        text_content: None,
        created_at: artifact.captured_at.and_then(rfc3339),
        content_deleted_at: artifact.deleted.as_ref().and_then(|deleted| rfc3339(deleted.at)),
        content_deleted_by: artifact.deleted.as_ref().map(|deleted| deleted.rule.clone()),
    }
}

fn result(result: RunResult) -> wire::ResultValue {
    wire::ResultValue {
        kind: Some(result.kind),
        name: Some(result.name),
        value: result.value,
        source_path: result.source_path,
        line: result.line,
        row_index: result.row_index,
        column_name: result.column_name,
        table_index: result.table_index,
        metadata: Some(result.metadata),
        ..wire::ResultValue::default()
    }
}

fn table(table: Table) -> wire::Table {
    wire::Table {
        source_path: table.source_path,
        table_index: table.table_index,
        title: table.title,
        columns: table.columns,
        rows: table.first_rows,
        row_count: Some(table.row_count),
        column_count: Some(table.column_count),
        metadata: Some(table.metadata),
    }
}

fn log(log: &Log) -> wire::Log {
    wire::Log {
        stream: log.stream,
        path: log.path.clone(),
        size_bytes: Some(log.size_bytes),
        text_content: None,
        hash: log.sha256,
        created_at: log.captured_at.and_then(rfc3339),
        times: None,
    }
}

fn snapshot(snapshot: Snapshot) -> wire::Snapshot {
    let evidence = |entry| serde_json::from_value(entry).unwrap_or_default();
    let file = |file: SnapshotFile| wire::SnapshotFile {
        kind: file.kind.as_str().to_owned(),
        path: file.path,
        hash: file.sha256,
        size_bytes: file.size_bytes,
    };
    wire::Snapshot {
        git_commit: snapshot.git_commit,
        git_branch: snapshot.git_branch,
        git_remote_url: snapshot.git_remote_url,
        git_dirty: snapshot.git_dirty,
        dirty_diff_path: snapshot.dirty_diff_path,
        staged_diff_path: snapshot.staged_diff_path,
        dependency_files: snapshot.dependency_files,
        dependency_file_copies: snapshot.dependency_file_copies,
        python_version: snapshot.python_version,
        platform: snapshot.platform,
        hostname: snapshot.hostname,
        requirements_hash: snapshot.requirements_hash,
        stdout_log_path: snapshot.stdout_log_path,
        stderr_log_path: snapshot.stderr_log_path,
        observed_artifacts: snapshot.observed_artifacts,
        missing_expected_paths: snapshot.missing_expected_paths,
        evidence: snapshot.evidence.into_iter().map(evidence).collect(),
        files: snapshot.files.into_iter().map(file).collect(),
        rebuild: snapshot.rebuild,
        hardware: snapshot.hardware,
    }
}

fn note(note: Note) -> wire::Note {
    wire::Note { id: note.id, author: note.author, text: note.body, created_at: note.created_at }
}

fn rfc3339(time: OffsetDateTime) -> Option<String> {
    time.format(&Rfc3339).ok()
}
