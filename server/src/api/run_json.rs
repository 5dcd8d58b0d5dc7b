//! Runs as clients read them.

use otrace_wire as wire;

use crate::app::AppState;
use crate::domain::artifact::Preview;
use crate::domain::{Artifact, Log, ProjectId, RunResult, Snapshot, Table};
use crate::error::Result;
use crate::services;
use crate::services::runs::FullRun;

/// A text of a run is written into the answer up to this many bytes.
const TEXT_MAX_BYTES: u64 = 256 * 1024;
/// All its texts together take at most this many; the later ones are left out.
const TEXTS_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// A table's rows are written into the answer up to this many bytes.
const ROWS_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A run without the texts of its artifacts and logs: for lists.
pub fn summary(full: FullRun) -> wire::Run {
    let FullRun { run, results, tables, logs, artifacts, snapshot, notes } = full;
    wire::Run {
        id: run.id.0,
        experiment_id: run.experiment_id(),
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
        notes: notes
            .into_iter()
            .map(|note| wire::Note { id: note.id, author: note.author, text: note.body, created_at: note.created_at })
            .collect(),
    }
}

/// A run with the texts of its artifacts and logs, and all rows of its tables, as far as they are short.
pub async fn full(app: &AppState, project_id: ProjectId, full: FullRun) -> Result<wire::Run> {
    let mut room = TEXTS_MAX_BYTES;
    let mut logs = Vec::with_capacity(full.logs.len());
    for log in &full.logs {
        let text = match TEXT_MAX_BYTES.min(room) {
            0 => None,
            max_bytes => services::logs::head(app, project_id, log, max_bytes).await?,
        };
        room = room.saturating_sub(text.as_ref().map_or(0, |text| text.len() as u64));
        logs.push(text);
    }
    let mut artifacts = Vec::with_capacity(full.artifacts.len());
    for artifact in &full.artifacts {
        let text = text_of(app, project_id, artifact, room).await?;
        room = room.saturating_sub(text.as_ref().map_or(0, |text| text.len() as u64));
        artifacts.push(text);
    }
    let mut tables = Vec::with_capacity(full.tables.len());
    for table in &full.tables {
        tables.push(services::tables::all_rows(app, project_id, table, ROWS_MAX_BYTES).await?);
    }

    let mut run = summary(full);
    for (log, text) in run.logs.iter_mut().zip(logs) {
        log.text_content = text;
    }
    for (artifact, text) in run.artifacts.iter_mut().zip(artifacts) {
        artifact.text_content = text;
    }
    for (table, rows) in run.tables.iter_mut().zip(tables) {
        match rows {
            Some(rows) => table.rows = rows,
            None => {
                table.metadata.get_or_insert_default().insert("truncated".to_owned(), true.into());
            }
        }
    }
    Ok(run)
}

/// A text artifact's whole content where it is short enough; half a text would be taken for all of it.
pub async fn text_of(app: &AppState, project_id: ProjectId, artifact: &Artifact, room: u64) -> Result<Option<String>> {
    if artifact.size_bytes == 0 && artifact.sha256.is_some() {
        // An empty base64 reads as none to published clients; an empty text does not.
        return Ok(Some(String::new()));
    }
    if artifact.preview() != Preview::Text || artifact.size_bytes.cast_unsigned() > TEXT_MAX_BYTES.min(room) {
        return Ok(None);
    }
    services::artifacts::preview(app, project_id, artifact, TEXT_MAX_BYTES).await
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
    }
}

fn snapshot(snapshot: Snapshot) -> wire::Snapshot {
    let evidence = |entry| serde_json::from_value(entry).unwrap_or_default();
    let file = |file: crate::domain::snapshot::SnapshotFile| wire::SnapshotFile {
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

fn rfc3339(time: time::OffsetDateTime) -> Option<String> {
    time.format(&time::format_description::well_known::Rfc3339).ok()
}
