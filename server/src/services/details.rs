//! What a run left behind: contents into the store first, then all rows in one transaction.

use std::collections::HashMap;

use otrace_wire::{self as wire, EvidenceBatch, RunDetails, Sha256Digest};
use serde_json::Value;
use sqlx::PgConnection;

use crate::app::AppState;
use crate::blobs::{Content, Encoding, Spill};
use crate::domain::log_times::LogTimes;
use crate::domain::snapshot::SnapshotFile;
use crate::domain::table::{FIRST_ROWS, FIRST_ROWS_MAX_BYTES};
use crate::domain::{
    Artifact, ArtifactId, Log, LogName, ProjectId, Run, RunId, RunRef, RunResult, Snapshot, Table, result, timestamp,
};
use crate::error::{AppError, Result};
use crate::services::{contents, runs};
use crate::store;

/// So many artifacts a run may have.
const ARTIFACTS_MAX: usize = 10_000;
/// A run that has so much evidence takes no more.
const EVIDENCE_MAX: i32 = 1_000;
/// So many logs, and files of its snapshot, a run may have.
const FILES_MAX: usize = 1_000;

/// Replaces everything that a run left behind. Long contents of the request are in `inline`.
///
/// Sending the same details twice leaves the same details.
pub async fn replace(
    app: &AppState,
    project_id: ProjectId,
    run: RunRef,
    details: RunDetails,
    inline: &Spill,
) -> Result<Run> {
    check_counts(&details)?;
    let run_id = runs::resolve(app, project_id, run).await?;
    let contents = Contents::of(app, project_id, &[&details], inline).await?;
    let Prepared { artifacts, results, tables, logs, snapshot } = contents.prepare(run_id, details).await?;

    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    runs::lock(&mut transaction, project_id, run_id, now).await?;
    store::results::replace(&mut transaction, project_id, run_id, &results).await?;
    replace_files(&mut transaction, project_id, run_id, &artifacts, &logs, &tables).await?;
    if let Some(snapshot) = &snapshot {
        store::snapshots::replace(&mut transaction, project_id, run_id, snapshot).await?;
    }
    let run = runs::load_one(&mut transaction, project_id, run_id).await?;
    transaction.commit().await?;
    runs::publish(app, &run, false);
    Ok(run)
}

/// Adds to the evidence of a run's snapshot.
pub async fn add_evidence(app: &AppState, project_id: ProjectId, run: RunRef, batch: EvidenceBatch) -> Result<Run> {
    let run_id = runs::resolve(app, project_id, run).await?;
    let evidence = batch.evidence.into_iter().filter_map(|entry| serde_json::to_value(entry).ok()).collect();
    let mut transaction = app.pool.begin().await?;
    runs::lock(&mut transaction, project_id, run_id, app.clock.now()).await?;
    if !store::snapshots::add_evidence(&mut transaction, project_id, run_id, evidence, EVIDENCE_MAX).await? {
        return Err(AppError::Conflict("The run has all the evidence that it may have. Add it to another run.".into()));
    }
    let run = runs::load_one(&mut transaction, project_id, run_id).await?;
    transaction.commit().await?;
    Ok(run)
}

async fn replace_files(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    artifacts: &[Artifact],
    logs: &[Log],
    tables: &[Table],
) -> Result<()> {
    store::artifacts::clear(connection, project_id, run_id).await?;
    store::artifacts::insert_all(connection, project_id, run_id, artifacts).await?;
    store::logs::clear(connection, project_id, run_id).await?;
    for log in logs {
        // The whole log takes the place of the pieces that came while the run went on.
        store::log_chunks::clear(connection, project_id, run_id, &LogName::of(log)).await?;
        store::logs::insert(connection, project_id, run_id, log).await?;
    }
    store::tables::clear(connection, project_id, run_id).await?;
    for table in tables {
        store::tables::insert(connection, project_id, run_id, table).await?;
    }
    Ok(())
}

/// Whether a run may have as many artifacts and logs.
pub(super) fn check_counts(details: &RunDetails) -> Result<()> {
    if details.artifacts.len() > ARTIFACTS_MAX || details.logs.len() > FILES_MAX {
        return Err(AppError::invalid("A run takes at most 10,000 artifacts and 1,000 logs."));
    }
    Ok(())
}

/// Which of the contents that the details name by hash the project holds, with their sizes in bytes.
async fn known_contents(
    app: &AppState,
    project_id: ProjectId,
    details: &[&RunDetails],
) -> Result<HashMap<Sha256Digest, i64>> {
    let mut named: Vec<Sha256Digest> = Vec::new();
    for details in details {
        let artifacts = details.artifacts.iter().filter_map(|artifact| artifact.hash.as_deref());
        named.extend(artifacts.filter_map(|hash| hash.parse::<Sha256Digest>().ok()));
        named.extend(details.logs.iter().filter_map(|log| log.hash));
        named.extend(details.snapshot.iter().flat_map(|snapshot| &snapshot.files).map(|file| file.hash));
    }
    let mut connection = app.pool.acquire().await?;
    let known = store::blobs::hold_many(&mut connection, project_id, &named, app.clock.now()).await?;
    Ok(known.into_iter().collect())
}

/// What a run left behind, as it is stored. Its contents are in the store already.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) artifacts: Vec<Artifact>,
    pub(super) results: Vec<RunResult>,
    pub(super) tables: Vec<Table>,
    pub(super) logs: Vec<Log>,
    pub(super) snapshot: Option<Snapshot>,
}

/// Turns what a client told into what is stored; contents that came inline are stored on the way.
pub(super) struct Contents<'a> {
    app: &'a AppState,
    project_id: ProjectId,
    inline: &'a Spill,
    known: HashMap<Sha256Digest, i64>,
}

impl<'a> Contents<'a> {
    /// For the details of these runs, which came in one request.
    pub(super) async fn of(
        app: &'a AppState,
        project_id: ProjectId,
        details: &[&RunDetails],
        inline: &'a Spill,
    ) -> Result<Self> {
        Ok(Self { app, project_id, inline, known: known_contents(app, project_id, details).await? })
    }

    /// For a run whose contents the caller knows, with their sizes in bytes.
    pub(super) const fn knowing(
        app: &'a AppState,
        project_id: ProjectId,
        inline: &'a Spill,
        known: HashMap<Sha256Digest, i64>,
    ) -> Self {
        Self { app, project_id, inline, known }
    }

    /// The details of one of them.
    pub(super) async fn prepare(&self, run_id: RunId, details: RunDetails) -> Result<Prepared> {
        let mut artifacts = Vec::with_capacity(details.artifacts.len());
        for artifact in details.artifacts {
            artifacts.push(self.artifact(run_id, artifact).await?);
        }
        let mut logs = Vec::with_capacity(details.logs.len());
        for (position, log) in details.logs.into_iter().enumerate() {
            logs.push(self.log(position, log).await?);
        }
        let mut tables = Vec::with_capacity(details.tables.len());
        for (position, table) in details.tables.into_iter().enumerate() {
            tables.push(self.table(position, table).await?);
        }
        let results = details.results.into_iter().map(to_result).collect();
        let snapshot = details.snapshot.map(|snapshot| self.snapshot(snapshot)).transpose()?;
        Ok(Prepared { artifacts, results, tables, logs, snapshot })
    }

    async fn keep(&self, text: &str, encoding: Encoding) -> Result<(Sha256Digest, i64)> {
        let kept = contents::keep(self.app, self.project_id, &self.inline.content(text, encoding)?).await?;
        Ok((kept.hash, kept.size_bytes.cast_signed()))
    }

    async fn artifact(&self, run_id: RunId, sent: wire::Artifact) -> Result<Artifact> {
        let stored = match (&sent.content_base64, &sent.text_content) {
            (Some(base64), _) => Some(self.keep(base64, Encoding::Base64).await?),
            (None, Some(text)) => Some(self.keep(text, Encoding::Plain).await?),
            (None, None) => sent.hash.as_deref().and_then(|hash| {
                let digest = hash.parse().ok()?;
                self.known.get(&digest).map(|size_bytes| (digest, *size_bytes))
            }),
        };
        let (sha256, size_bytes) = stored.unzip();
        Ok(Artifact {
            id: ArtifactId::new(),
            run_id,
            local_artifact_id: sent.local_artifact_id,
            original_path: sent.original_path,
            stored_path: sent.stored_path,
            kind: sent.kind.unwrap_or_else(|| "other".to_owned()),
            size_bytes: size_bytes.unwrap_or_else(|| sent.size_bytes.unwrap_or(0).max(0)),
            // Where the content is here, its true hash; else what the client says.
            hash: sha256.map(|digest: Sha256Digest| digest.to_string()).or(sent.hash),
            content_type: sent.content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
            sha256,
            captured_at: captured_at(sent.created_at.as_deref())?,
            deleted: None,
        })
    }

    async fn log(&self, position: usize, sent: wire::Log) -> Result<Log> {
        let stored = match (&sent.text_content, sent.hash) {
            (Some(text), _) => Some(self.keep(text, Encoding::Plain).await?),
            (None, Some(digest)) => Some(self.sent_before(digest)?),
            (None, None) => None,
        };
        let (sha256, size_bytes) = stored.unzip();
        let size_bytes = size_bytes.unwrap_or_else(|| sent.size_bytes.unwrap_or(0).max(0));
        Ok(Log {
            position: to_position(position)?,
            stream: sent.stream,
            path: sent.path,
            size_bytes,
            sha256,
            captured_at: captured_at(sent.created_at.as_deref())?,
            times: sent.times.and_then(|told| LogTimes::read(told, size_bytes)),
        })
    }

    async fn table(&self, position: usize, sent: wire::Table) -> Result<Table> {
        let first_rows = first_rows(&sent.rows);
        let sha256 = if first_rows.len() < sent.rows.len() {
            let rows = serde_json::to_vec(&sent.rows).map_err(anyhow::Error::new)?;
            Some(contents::keep(self.app, self.project_id, &Content::Memory(rows.into())).await?.hash)
        } else {
            None
        };
        Ok(Table {
            position: to_position(position)?,
            source_path: sent.source_path,
            table_index: sent.table_index,
            title: sent.title,
            row_count: sent.row_count.unwrap_or(count(&sent.rows)),
            column_count: sent.column_count.unwrap_or(count(&sent.columns)),
            columns: sent.columns,
            metadata: sent.metadata.unwrap_or_default(),
            first_rows,
            sha256,
        })
    }

    fn snapshot(&self, sent: wire::Snapshot) -> Result<Snapshot> {
        if sent.files.len() > FILES_MAX {
            return Err(AppError::invalid("A snapshot takes at most 1,000 files."));
        }
        let mut files = Vec::with_capacity(sent.files.len());
        for (position, file) in sent.files.into_iter().enumerate() {
            let (sha256, size_bytes) = self.sent_before(file.hash)?;
            let kind = file.kind.parse().map_err(|error| AppError::invalid(format!("{error}")))?;
            files.push(SnapshotFile { position: to_position(position)?, kind, path: file.path, size_bytes, sha256 });
        }
        Ok(Snapshot {
            git_commit: sent.git_commit,
            git_branch: sent.git_branch,
            git_remote_url: sent.git_remote_url,
            git_dirty: sent.git_dirty,
            dirty_diff_path: sent.dirty_diff_path,
            staged_diff_path: sent.staged_diff_path,
            dependency_files: sent.dependency_files,
            dependency_file_copies: sent.dependency_file_copies,
            python_version: sent.python_version,
            platform: sent.platform,
            hostname: sent.hostname,
            requirements_hash: sent.requirements_hash,
            stdout_log_path: sent.stdout_log_path,
            stderr_log_path: sent.stderr_log_path,
            observed_artifacts: sent.observed_artifacts,
            missing_expected_paths: sent.missing_expected_paths,
            evidence: sent.evidence.into_iter().filter_map(|entry| serde_json::to_value(entry).ok()).collect(),
            files,
            rebuild: sent.rebuild,
            hardware: sent.hardware,
        })
    }

    /// A content that the client says it has sent before.
    fn sent_before(&self, digest: Sha256Digest) -> Result<(Sha256Digest, i64)> {
        let size_bytes = self.known.get(&digest).ok_or_else(|| {
            AppError::Conflict(
                format!("The content {digest} is not here. Send it to /v1/contents/{} first.", digest.hex()).into(),
            )
        })?;
        Ok((digest, *size_bytes))
    }
}

fn to_result(sent: wire::ResultValue) -> RunResult {
    RunResult {
        kind: sent.kind.unwrap_or_else(|| "scalar".to_owned()),
        name: sent.name.unwrap_or_else(|| "value".to_owned()),
        number: result::number_of(&sent.value),
        value: sent.value,
        source_path: sent.source_path,
        line: sent.line,
        row_index: sent.row_index.or(sent.row),
        column_name: sent.column_name.or(sent.column),
        table_index: sent.table_index.or(sent.table),
        metadata: sent.metadata.unwrap_or_default(),
    }
}

/// The rows that are kept in the database: some, and not too long.
fn first_rows(rows: &[Value]) -> Vec<Value> {
    let mut room = FIRST_ROWS_MAX_BYTES;
    let fits = |row: &&Value| {
        let length = serde_json::to_vec(row).map_or(usize::MAX, |json| json.len());
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    };
    rows.iter().take(FIRST_ROWS).take_while(fits).cloned().collect()
}

fn count<T>(items: &[T]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

fn captured_at(text: Option<&str>) -> Result<Option<time::OffsetDateTime>> {
    Ok(text.map(timestamp::parse).transpose()?)
}

fn to_position(position: usize) -> Result<i32> {
    i32::try_from(position).map_err(|_| AppError::invalid("The list is too long."))
}
