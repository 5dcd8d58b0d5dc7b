//! Getting a deleted run back.

use otrace_wire::ExperimentId;

use super::reading::load_one;
use crate::app::AppState;
use crate::auth::ProjectKey;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::{Run, RunRef};
use crate::error::{AppError, Result};
use crate::services::audit;
use crate::store;

/// Shows a deleted run again, with all that belongs to it. One that is not deleted stays as it is.
pub async fn restore(app: &AppState, key: &ProjectKey, run: RunRef) -> Result<Run> {
    let now = app.clock.now();
    let project_id = key.project.id;
    let mut transaction = app.pool.begin().await?;
    let id = store::run_edits::resolve_also_deleted(&mut transaction, project_id, run).await?;
    let id = id.ok_or(AppError::NotFound("Run"))?;
    let was_deleted = store::run_edits::restore(&mut transaction, project_id, id, now).await?;
    let run = load_one(&mut transaction, project_id, id).await?;
    if was_deleted {
        let event = NewEvent::new(Action::RunRestored, ExperimentId::new(run.number).to_string());
        audit::record(&mut transaction, Chain::Project(project_id), &key.actor(), event, now).await?;
    }
    transaction.commit().await?;
    if was_deleted {
        super::publish(app, &run, false);
    }
    Ok(run)
}
