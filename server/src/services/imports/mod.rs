//! Imports: runs from elsewhere come in beside the project's runs, and take their place all at once.
//!
//! Until [`commit`] nobody sees anything of them, and an import that fails, is cut or is given up leaves everything
//! as it was.

mod placing;

use std::collections::HashSet;

use otrace_wire::imports::{BegunImport, RUNS_AT_ONCE, RUNS_MAX, StagedRun as SentRun, StagedRuns};
use time::Duration;
use uuid::Uuid;

use crate::app::AppState;
use crate::auth::ProjectKey;
use crate::blobs::Spill;
use crate::domain::RunId;
use crate::error::{AppError, Result};
use crate::services::details::{self, Contents};
use crate::services::runs;
use crate::store;
use crate::store::imports::StagedRun;

pub use placing::commit;

/// An import that is older is given up, or its outcome asked for no more.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::DAY;

/// Begins an import into the key's project. The same id again begins nothing new.
///
/// Imports that were begun a day ago or earlier go, with the runs that they have staged.
pub async fn begin(app: &AppState, key: &ProjectKey, id: Uuid) -> Result<BegunImport> {
    let (now, project_id) = (app.clock.now(), key.project.id);
    let mut transaction = app.pool.begin().await?;
    store::imports::remove_older(&mut transaction, project_id, now - FORGOTTEN_AFTER).await?;
    store::imports::insert(&mut transaction, project_id, id, now).await?;
    // Of another project, about which nothing is said.
    let import = store::imports::find(&mut transaction, project_id, id)
        .await?
        .ok_or_else(|| AppError::Conflict("An import with this id exists already. Send a new id.".into()))?;
    let existing = store::imports::count_existing(&mut transaction, project_id, import.last_run_number).await?;
    transaction.commit().await?;
    Ok(BegunImport { id, existing_runs: existing.cast_unsigned() })
}

/// Stages runs, and returns how many. Long contents of the request are in `inline`.
///
/// Everything about them is checked here, so that what is staged can take its place.
pub async fn stage(
    app: &AppState,
    key: &ProjectKey,
    id: Uuid,
    StagedRuns { runs }: StagedRuns,
    inline: &Spill,
) -> Result<usize> {
    check_positions(&runs)?;
    let project_id = key.project.id;
    let mut connection = app.pool.acquire().await?;
    store::imports::find(&mut connection, project_id, id).await?.ok_or(AppError::NotFound("Import"))?;
    let ids: Vec<RunId> = runs.iter().filter_map(|run| run.run.id.map(RunId)).collect();
    if ids.len() < runs.len() {
        return Err(AppError::invalid("Each run of an import needs an id, which the client makes."));
    }
    if store::imports::is_any_taken(&mut connection, &ids).await? {
        return Err(AppError::Conflict("A run with one of these ids exists already. Send new ids.".into()));
    }
    // Contents that came inline are stored meanwhile.
    drop(connection);
    let left_behind: Vec<_> = runs.iter().map(|run| &run.details).collect();
    let contents = Contents::of(app, project_id, &left_behind, inline).await?;
    let mut staged = Vec::with_capacity(runs.len());
    for run in runs {
        let position = run.position;
        staged.push(prepare(app, key, &contents, run).await.map_err(|error| of_run(position, error))?);
    }

    let mut transaction = app.pool.begin().await?;
    let import = store::imports::hold(&mut transaction, project_id, id).await?;
    if import.ok_or(AppError::NotFound("Import"))?.placed.is_some() {
        return Err(AppError::Conflict("This import has ended. Begin a new one.".into()));
    }
    store::imports::stage(&mut transaction, project_id, id, &staged).await?;
    transaction.commit().await?;
    Ok(staged.len())
}

/// Gives an import up, with the runs that it has staged. One whose runs have taken their place is there no more.
pub async fn abandon(app: &AppState, key: &ProjectKey, id: Uuid) -> Result<()> {
    let mut connection = app.pool.acquire().await?;
    if !store::imports::abandon(&mut connection, key.project.id, id).await? {
        return Err(AppError::NotFound("Import"));
    }
    Ok(())
}

fn check_positions(runs: &[SentRun]) -> Result<()> {
    if runs.len() > RUNS_AT_ONCE {
        return Err(AppError::invalid("A request stages at most 500 runs. Stage the others in another one."));
    }
    if runs.iter().any(|run| run.position >= RUNS_MAX) {
        return Err(AppError::invalid("An import has at most 50,000 runs, whose positions count from 0."));
    }
    let positions: HashSet<u32> = runs.iter().map(|run| run.position).collect();
    if positions.len() < runs.len() {
        return Err(AppError::invalid("Two runs have the same position. Give each one of its own."));
    }
    Ok(())
}

async fn prepare(app: &AppState, key: &ProjectKey, contents: &Contents<'_>, sent: SentRun) -> Result<StagedRun> {
    details::check_counts(&sent.details)?;
    let run = runs::check(app, key, sent.run).await?;
    let outcome = runs::check_outcome(sent.outcome)?;
    let details = contents.prepare(run.id, sent.details).await?;
    Ok(StagedRun {
        // Below the most runs of an import.
        position: sent.position.cast_signed(),
        run,
        outcome,
        artifacts: details.artifacts,
        results: details.results,
        tables: details.tables,
        logs: details.logs,
        snapshot: details.snapshot,
    })
}

/// Says which run a refusal is about: a request has many.
fn of_run(position: u32, error: AppError) -> AppError {
    match error {
        AppError::Invalid(told) => AppError::invalid(format!("Run {} of the import: {told}", position + 1)),
        AppError::Conflict(told) => AppError::Conflict(format!("Run {} of the import: {told}", position + 1).into()),
        other => other,
    }
}
