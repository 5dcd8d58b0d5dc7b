//! A run with all that it left behind.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::app::AppState;
use crate::domain::{Artifact, Log, Note, ProjectId, Run, RunId, RunRef, RunResult, Snapshot, Table};
use crate::error::{AppError, Result};
use crate::store;

/// A run with all that it left behind, as records: contents stay in the store.
#[derive(Debug)]
pub struct FullRun {
    /// The run.
    pub run: Run,
    /// Named values at its end.
    pub results: Vec<RunResult>,
    /// Rows parsed from its outputs.
    pub tables: Vec<Table>,
    /// What it printed.
    pub logs: Vec<Log>,
    /// The files kept with it.
    pub artifacts: Vec<Artifact>,
    /// The state that it ran on.
    pub snapshot: Option<Snapshot>,
    /// What people and agents wrote on it, oldest first.
    pub notes: Vec<Note>,
}

impl FullRun {
    /// A run of which nothing else is told.
    pub fn without_details(run: Run) -> Self {
        Self {
            run,
            results: Vec::new(),
            tables: Vec::new(),
            logs: Vec::new(),
            artifacts: Vec::new(),
            snapshot: None,
            notes: Vec::new(),
        }
    }
}

/// A run as its pages show it.
#[derive(Debug)]
pub struct RunView {
    /// The run with all that it left behind.
    pub full: FullRun,
    /// The number of the next newer run.
    pub newer: Option<i32>,
    /// The number of the next older run.
    pub older: Option<i32>,
    /// How many series it has.
    pub series: i32,
}

/// The id of the run that is named so.
pub async fn resolve(app: &AppState, project_id: ProjectId, run: RunRef) -> Result<RunId> {
    resolve_in(&mut *app.pool.acquire().await?, project_id, run).await
}

/// The same, on a connection of the caller's.
pub(in crate::services) async fn resolve_in(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run: RunRef,
) -> Result<RunId> {
    store::runs::resolve(connection, project_id, run).await?.ok_or(AppError::NotFound("Run"))
}

/// Locks a run until the caller's transaction ends, and notes that it changes.
pub(in crate::services) async fn lock(
    transaction: &mut PgConnection,
    project_id: ProjectId,
    id: RunId,
    now: OffsetDateTime,
) -> Result<()> {
    if store::runs::lock(transaction, project_id, id, now).await? { Ok(()) } else { Err(AppError::NotFound("Run")) }
}

/// A run as it stands, on a connection of the caller's.
pub(in crate::services) async fn load_one(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: RunId,
) -> Result<Run> {
    store::runs::load(connection, project_id, &[id]).await?.pop().ok_or(AppError::NotFound("Run"))
}

/// A run as its pages show it.
pub async fn show(app: &AppState, project_id: ProjectId, run: RunRef) -> Result<RunView> {
    let mut connection = app.pool.acquire().await?;
    let id = resolve_in(&mut connection, project_id, run).await?;
    let full = load_full(&mut connection, project_id, &[id]).await?.pop().ok_or(AppError::NotFound("Run"))?;
    let (newer, older) = store::run_list::neighbours(&mut connection, project_id, full.run.number).await?;
    let series = store::series::count(&mut connection, project_id, id).await?;
    Ok(RunView { full, newer, older, series })
}

/// The newest runs with a number below `before`, each with all that it left behind.
pub async fn full_page(app: &AppState, project_id: ProjectId, before: Option<i32>, limit: i64) -> Result<Vec<FullRun>> {
    let mut connection = app.pool.acquire().await?;
    let ids = store::run_list::page(&mut connection, project_id, before, None, limit).await?;
    load_full(&mut connection, project_id, &ids).await
}

/// These runs, the newest first. One query per table, however many runs.
pub(in crate::services) async fn load_full(
    connection: &mut PgConnection,
    project_id: ProjectId,
    ids: &[RunId],
) -> Result<Vec<FullRun>> {
    let runs = store::runs::load(connection, project_id, ids).await?;
    let mut results = store::results::list(connection, project_id, ids).await?;
    let mut tables = store::tables::list(connection, project_id, ids).await?;
    let mut logs = store::logs::list(connection, project_id, ids).await?;
    let mut artifacts = store::artifacts::list(connection, project_id, ids).await?;
    let mut snapshots = store::snapshots::list(connection, project_id, ids).await?;
    let mut notes = store::notes::list(connection, project_id, ids).await?;
    let full = runs.into_iter().map(|run| FullRun {
        results: take(&mut results, run.id),
        tables: take(&mut tables, run.id),
        logs: take(&mut logs, run.id),
        artifacts: artifacts.extract_if(.., |artifact| artifact.run_id == run.id).collect(),
        snapshot: take(&mut snapshots, run.id).pop(),
        notes: take(&mut notes, run.id),
        run,
    });
    Ok(full.collect())
}

/// Moves what belongs to one run out of what was loaded for all, in its order.
fn take<T>(loaded: &mut Vec<(RunId, T)>, run: RunId) -> Vec<T> {
    loaded.extract_if(.., |(id, _)| *id == run).map(|(_, item)| item).collect()
}
