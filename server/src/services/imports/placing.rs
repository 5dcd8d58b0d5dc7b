//! The end of an import: its runs take their place, in one transaction.
//!
//! That takes seconds for thousands of runs, and is nobody's request: who gives the request up, or asks again, finds
//! it under way or done. The rows that others wait for are locked at its very end.

use std::time::Duration;

use otrace_wire::ExperimentId;
use otrace_wire::imports::{CommitImport, ImportOutcome};
use sqlx::PgConnection;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::app::AppState;
use crate::auth::ProjectKey;
use crate::domain::RunRef;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::import::{Placed, statements};
use crate::error::{AppError, Result};
use crate::services::{audit, runs};
use crate::store;
use crate::store::imports::Placing;

/// So long a request waits for the end. No proxy is that impatient.
const PATIENCE: Duration = Duration::from_secs(10);
/// So long until it is tried again, where another one has its turn.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// What is answered until then.
const UNDER_WAY: ImportOutcome =
    ImportOutcome { is_committed: false, imported: 0, deleted: 0, first: None, last: None };

/// Lets an import's runs take their place, and deletes those that they replace. Not committed yet means: ask again.
pub async fn commit(app: &AppState, key: &ProjectKey, id: Uuid, wanted: CommitImport) -> Result<ImportOutcome> {
    if wanted.runs == 0 {
        return Err(AppError::invalid("Say how many runs were staged, which is one or more."));
    }
    timeout(PATIENCE, until_placed(app, key, id, wanted)).await.unwrap_or(Ok(UNDER_WAY))
}

async fn until_placed(app: &AppState, key: &ProjectKey, id: Uuid, wanted: CommitImport) -> Result<ImportOutcome> {
    loop {
        let mut connection = app.pool.acquire().await?;
        let import = store::imports::find(&mut connection, key.project.id, id).await?;
        drop(connection);
        if let Some(placed) = import.ok_or(AppError::NotFound("Import"))?.placed {
            return Ok(outcome(placed));
        }
        // A task of its own: what it has done must not be lost because this request is given up.
        let placing = tokio::spawn(place_all(app.clone(), key.clone(), id, wanted));
        let ended = placing.await.map_err(|error| anyhow::Error::new(error).context("an import's task broke off"))?;
        if let Some(placed) = ended? {
            return Ok(outcome(placed));
        }
        // Another request, here or at another server, places runs in the project.
        sleep(AGAIN_AFTER).await;
    }
}

/// Places all runs of an import; `None`: it is not its turn.
async fn place_all(app: AppState, key: ProjectKey, id: Uuid, wanted: CommitImport) -> Result<Option<Placed>> {
    let placed = try_to_place_all(&app, &key, id, wanted).await;
    // Who asked may not be there any more.
    placed.inspect_err(|error| tracing::warn!(%error, import = %id, "an import's runs did not take their place"))
}

async fn try_to_place_all(app: &AppState, key: &ProjectKey, id: Uuid, wanted: CommitImport) -> Result<Option<Placed>> {
    let project_id = key.project.id;
    let mut transaction = app.pool.begin().await?;
    if !store::imports::take_turn(&mut transaction, project_id).await? {
        return Ok(None);
    }
    let Some(import) = store::imports::lock(&mut transaction, project_id, id).await? else { return Ok(None) };
    if import.placed.is_some() {
        return Ok(import.placed);
    }
    let run_count = place(&mut transaction, app, key, id, wanted.runs).await?;

    // From here on others wait for the project's row.
    let now = app.clock.now();
    let first_number = store::imports::take_numbers(&mut transaction, project_id, run_count).await?;
    let deleted = if wanted.replace {
        store::imports::delete_existing(&mut transaction, project_id, import.last_run_number, now).await?
    } else {
        0
    };
    store::imports::number(&mut transaction, project_id, first_number, now).await?;
    let deleted_count = i32::try_from(deleted).unwrap_or(i32::MAX);
    let placed = Placed { first_number, run_count, deleted_count };
    store::imports::end(&mut transaction, project_id, id, placed).await?;
    let last = RunRef::Experiment(ExperimentId::new(first_number + run_count - 1));
    let last = store::runs::resolve(&mut transaction, project_id, last).await?;
    let last = store::runs::load(&mut transaction, project_id, &Vec::from_iter(last)).await?;
    let event = NewEvent::new(Action::RunsImported, key.project.slug.clone())
        .with("runs", run_count.to_string())
        .with("deleted", deleted_count.to_string());
    audit::record(&mut transaction, Chain::Project(project_id), &key.actor(), event, now).await?;
    transaction.commit().await?;
    // One stands for all: whoever looks at the list hears that there is something new.
    if let Some(run) = last.first() {
        runs::publish(app, run, true);
    }
    Ok(Some(placed))
}

/// Makes runs of all that is staged, and returns how many.
async fn place(
    connection: &mut PgConnection,
    app: &AppState,
    key: &ProjectKey,
    import_id: Uuid,
    announced: u32,
) -> Result<i32> {
    let project_id = key.project.id;
    let sizes = store::imports::sizes(connection, project_id, import_id).await?.unwrap_or_default();
    let run_count = i32::try_from(sizes.len()).unwrap_or(i32::MAX);
    if run_count.cast_unsigned() != announced {
        let told = format!("Not all of the {announced} runs are here. Stage those that are missing, and commit again.");
        return Err(AppError::Conflict(told.into()));
    }
    let now = app.clock.now();
    for (first, last) in statements(&sizes) {
        let placing = Placing { project_id, import_id, first, last, api_key_id: Some(key.id), now };
        if !store::imports::place(connection, &placing).await? {
            return Err(AppError::Conflict("A run with one of these ids exists already. Begin a new import.".into()));
        }
        if first == 0 {
            store::imports::analyze_runs(connection).await?;
        }
    }
    Ok(run_count)
}

fn outcome(placed: Placed) -> ImportOutcome {
    let number = |number: i32| Some(ExperimentId::new(number));
    ImportOutcome {
        is_committed: true,
        imported: placed.run_count.cast_unsigned(),
        deleted: placed.deleted_count.cast_unsigned(),
        first: number(placed.first_number),
        last: number(placed.first_number + placed.run_count - 1),
    }
}
