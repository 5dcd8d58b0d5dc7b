//! Runs that wait: each as the rows that it will have, in JSON, so that one statement makes them of many runs.

use otrace_wire::details::{Hardware, Rebuild};
use otrace_wire::series::Number;
use otrace_wire::{RunStatus, Sha256Digest};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::log_times::LogTimes;
use crate::domain::snapshot::SnapshotFile;
use crate::domain::{Artifact, ArtifactId, Log, ProjectId, RunResult, Snapshot, Table};
use crate::store::run_creation::NewRun;
use crate::store::runs::Outcome;

/// A run with all that it left behind, before it takes its place.
#[derive(Debug)]
pub struct StagedRun {
    /// Its place among the import's runs, from 0.
    pub position: i32,
    /// What is known before its command starts.
    pub run: NewRun,
    /// How it went.
    pub outcome: Outcome,
    /// The files kept with it.
    pub artifacts: Vec<Artifact>,
    /// Named values at its end.
    pub results: Vec<RunResult>,
    /// Rows parsed from its outputs.
    pub tables: Vec<Table>,
    /// What it printed.
    pub logs: Vec<Log>,
    /// The state that it ran on.
    pub snapshot: Option<Snapshot>,
}

/// A row of `runs`.
#[derive(Serialize)]
struct RunRow<'a> {
    #[serde(flatten)]
    run: &'a NewRun,
    status: &'static str,
    exit_code: Option<i32>,
    signal: Option<&'a str>,
    duration_seconds: Option<f64>,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    finished_at: Option<OffsetDateTime>,
}

/// A row of `results`.
#[derive(Serialize)]
struct ResultRow<'a> {
    position: usize,
    kind: &'a str,
    name: &'a str,
    value: &'a Value,
    /// In words where JSON has no number for it, which PostgreSQL reads too.
    number: Option<Number>,
    source_path: Option<&'a str>,
    line: Option<i64>,
    row_index: Option<i64>,
    column_name: Option<&'a str>,
    table_index: Option<i64>,
    metadata: &'a Map<String, Value>,
}

/// A row of `artifacts`.
#[derive(Serialize)]
struct ArtifactRow<'a> {
    id: ArtifactId,
    position: usize,
    local_artifact_id: Option<&'a str>,
    original_path: Option<&'a str>,
    stored_path: Option<&'a str>,
    kind: &'a str,
    size_bytes: i64,
    hash: Option<&'a str>,
    content_type: &'a str,
    sha256: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    captured_at: Option<OffsetDateTime>,
}

/// A row of `logs`.
#[derive(Serialize)]
struct LogRow<'a> {
    position: i32,
    stream: &'static str,
    path: Option<&'a str>,
    size_bytes: i64,
    sha256: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    captured_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<&'a LogTimes>,
}

/// A row of `result_tables`.
#[derive(Serialize)]
struct TableRow<'a> {
    position: i32,
    source_path: Option<&'a str>,
    table_index: Option<i64>,
    title: Option<&'a str>,
    columns: &'a [String],
    row_count: i64,
    column_count: i64,
    metadata: &'a Map<String, Value>,
    first_rows: &'a [Value],
    sha256: Option<String>,
}

/// A row of `snapshots`.
#[derive(Serialize)]
struct SnapshotRow<'a> {
    git_commit: Option<&'a str>,
    git_branch: Option<&'a str>,
    git_remote_url: Option<&'a str>,
    git_dirty: Option<bool>,
    dirty_diff_path: Option<&'a str>,
    staged_diff_path: Option<&'a str>,
    dependency_files: &'a [String],
    dependency_file_copies: &'a [String],
    python_version: Option<&'a str>,
    platform: Option<&'a str>,
    hostname: Option<&'a str>,
    requirements_hash: Option<&'a str>,
    stdout_log_path: Option<&'a str>,
    stderr_log_path: Option<&'a str>,
    observed_artifacts: &'a [Value],
    missing_expected_paths: &'a [Value],
    evidence: &'a [Value],
    rebuild: Option<&'a Rebuild>,
    hardware: Option<&'a Hardware>,
}

/// A row of `snapshot_files`.
#[derive(Serialize)]
struct FileRow<'a> {
    position: i32,
    kind: &'static str,
    path: &'a str,
    size_bytes: i64,
    sha256: String,
}

/// A run's columns in `staged_runs`.
struct Columns {
    run: String,
    results: String,
    artifacts: String,
    logs: String,
    result_tables: String,
    snapshots: String,
    snapshot_files: String,
}

impl Columns {
    fn of(staged: &StagedRun) -> serde_json::Result<Self> {
        let results: Vec<_> = staged.results.iter().enumerate().map(result_row).collect();
        let artifacts: Vec<_> = staged.artifacts.iter().enumerate().map(artifact_row).collect();
        let logs: Vec<_> = staged.logs.iter().map(log_row).collect();
        let tables: Vec<_> = staged.tables.iter().map(table_row).collect();
        let snapshots: Vec<_> = staged.snapshot.iter().map(snapshot_row).collect();
        let files: Vec<_> = staged.snapshot.iter().flat_map(|snapshot| &snapshot.files).map(file_row).collect();
        Ok(Self {
            run: serde_json::to_string(&run_row(staged))?,
            results: serde_json::to_string(&results)?,
            artifacts: serde_json::to_string(&artifacts)?,
            logs: serde_json::to_string(&logs)?,
            result_tables: serde_json::to_string(&tables)?,
            snapshots: serde_json::to_string(&snapshots)?,
            snapshot_files: serde_json::to_string(&files)?,
        })
    }

    fn size(&self) -> i64 {
        let run = [&self.run, &self.results, &self.artifacts, &self.logs];
        let others = [&self.result_tables, &self.snapshots, &self.snapshot_files];
        let bytes: usize = run.into_iter().chain(others).map(String::len).sum();
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }
}

/// Adds runs to an import: one statement, however many. A run takes the place of one that has its position; no two of
/// these may have the same.
pub async fn stage(
    connection: &mut PgConnection,
    project_id: ProjectId,
    import_id: Uuid,
    runs: &[StagedRun],
) -> sqlx::Result<()> {
    let columns: Result<Vec<Columns>, _> = runs.iter().map(Columns::of).collect();
    let columns = columns.map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let texts = |of: fn(&Columns) -> &String| columns.iter().map(|run| of(run).clone()).collect::<Vec<_>>();
    sqlx::query!(
        "
        INSERT INTO staged_runs (import_id, project_id, position, id, size_bytes, run, results, artifacts, logs,
                                 result_tables, snapshots, snapshot_files)
        SELECT $1, $2, s.position, s.id, s.size_bytes, s.run::jsonb, s.results::jsonb, s.artifacts::jsonb, s.logs::jsonb,
               s.result_tables::jsonb, s.snapshots::jsonb, s.snapshot_files::jsonb
        FROM unnest($3::integer[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                    $11::text[], $12::text[])
             AS s (position, id, size_bytes, run, results, artifacts, logs, result_tables, snapshots, snapshot_files)
        ON CONFLICT (import_id, position) DO UPDATE
        SET id = EXCLUDED.id, size_bytes = EXCLUDED.size_bytes, run = EXCLUDED.run, results = EXCLUDED.results,
            artifacts = EXCLUDED.artifacts, logs = EXCLUDED.logs, result_tables = EXCLUDED.result_tables,
            snapshots = EXCLUDED.snapshots, snapshot_files = EXCLUDED.snapshot_files
        ",
        import_id,
        project_id as ProjectId,
        &runs.iter().map(|staged| staged.position).collect::<Vec<_>>(),
        &runs.iter().map(|staged| staged.run.id.0).collect::<Vec<_>>(),
        &columns.iter().map(Columns::size).collect::<Vec<_>>(),
        &texts(|columns| &columns.run),
        &texts(|columns| &columns.results),
        &texts(|columns| &columns.artifacts),
        &texts(|columns| &columns.logs),
        &texts(|columns| &columns.result_tables),
        &texts(|columns| &columns.snapshots),
        &texts(|columns| &columns.snapshot_files),
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn run_row(staged: &StagedRun) -> RunRow<'_> {
    let outcome = &staged.outcome;
    RunRow {
        run: &staged.run,
        status: outcome.status.unwrap_or(RunStatus::Created).as_str(),
        exit_code: outcome.exit_code,
        signal: outcome.signal.as_deref(),
        duration_seconds: outcome.duration_seconds,
        started_at: outcome.started_at,
        finished_at: outcome.finished_at,
    }
}

fn result_row((position, result): (usize, &RunResult)) -> ResultRow<'_> {
    ResultRow {
        position,
        kind: &result.kind,
        name: &result.name,
        value: &result.value,
        number: result.number.map(Number),
        source_path: result.source_path.as_deref(),
        line: result.line,
        row_index: result.row_index,
        column_name: result.column_name.as_deref(),
        table_index: result.table_index,
        metadata: &result.metadata,
    }
}

fn artifact_row((position, artifact): (usize, &Artifact)) -> ArtifactRow<'_> {
    ArtifactRow {
        id: artifact.id,
        position,
        local_artifact_id: artifact.local_artifact_id.as_deref(),
        original_path: artifact.original_path.as_deref(),
        stored_path: artifact.stored_path.as_deref(),
        kind: &artifact.kind,
        size_bytes: artifact.size_bytes,
        hash: artifact.hash.as_deref(),
        content_type: &artifact.content_type,
        sha256: artifact.sha256.as_ref().map(Sha256Digest::hex),
        captured_at: artifact.captured_at,
    }
}

fn log_row(log: &Log) -> LogRow<'_> {
    LogRow {
        position: log.position,
        stream: log.stream.as_str(),
        path: log.path.as_deref(),
        size_bytes: log.size_bytes,
        sha256: log.sha256.as_ref().map(Sha256Digest::hex),
        captured_at: log.captured_at,
        times: log.times.as_ref(),
    }
}

fn table_row(table: &Table) -> TableRow<'_> {
    TableRow {
        position: table.position,
        source_path: table.source_path.as_deref(),
        table_index: table.table_index,
        title: table.title.as_deref(),
        columns: &table.columns,
        row_count: table.row_count,
        column_count: table.column_count,
        metadata: &table.metadata,
        first_rows: &table.first_rows,
        sha256: table.sha256.as_ref().map(Sha256Digest::hex),
    }
}

fn snapshot_row(snapshot: &Snapshot) -> SnapshotRow<'_> {
    SnapshotRow {
        git_commit: snapshot.git_commit.as_deref(),
        git_branch: snapshot.git_branch.as_deref(),
        git_remote_url: snapshot.git_remote_url.as_deref(),
        git_dirty: snapshot.git_dirty,
        dirty_diff_path: snapshot.dirty_diff_path.as_deref(),
        staged_diff_path: snapshot.staged_diff_path.as_deref(),
        dependency_files: &snapshot.dependency_files,
        dependency_file_copies: &snapshot.dependency_file_copies,
        python_version: snapshot.python_version.as_deref(),
        platform: snapshot.platform.as_deref(),
        hostname: snapshot.hostname.as_deref(),
        requirements_hash: snapshot.requirements_hash.as_deref(),
        stdout_log_path: snapshot.stdout_log_path.as_deref(),
        stderr_log_path: snapshot.stderr_log_path.as_deref(),
        observed_artifacts: &snapshot.observed_artifacts,
        missing_expected_paths: &snapshot.missing_expected_paths,
        evidence: &snapshot.evidence,
        rebuild: snapshot.rebuild.as_ref(),
        hardware: snapshot.hardware.as_ref(),
    }
}

fn file_row(file: &SnapshotFile) -> FileRow<'_> {
    FileRow {
        position: file.position,
        kind: file.kind.as_str(),
        path: &file.path,
        size_bytes: file.size_bytes,
        sha256: file.sha256.hex(),
    }
}
