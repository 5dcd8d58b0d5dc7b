//! How a run goes, and its end.

use otrace_wire::RunOutcome;

use crate::app::AppState;
use crate::auth::ProjectKey;
use crate::domain::{ProjectId, Run, RunId, RunRef, timestamp};
use crate::error::{AppError, Result};
use crate::store;
use crate::store::runs::Outcome;

/// Writes down how a run goes; what is absent stays as it is.
pub async fn update(app: &AppState, key: &ProjectKey, run: RunRef, input: RunOutcome) -> Result<Run> {
    if input.duration_seconds.is_some_and(|seconds| !seconds.is_finite() || seconds < 0.0) {
        return Err(AppError::invalid("duration_seconds must be 0 or more."));
    }
    let outcome = Outcome {
        status: input.status,
        exit_code: input.exit_code,
        duration_seconds: input.duration_seconds,
        started_at: input.started_at.as_deref().map(timestamp::parse).transpose()?,
        finished_at: input.finished_at.as_deref().map(timestamp::parse).transpose()?,
    };
    let mut connection = app.pool.acquire().await?;
    let project_id = key.project.id;
    let id = store::runs::resolve(&mut connection, project_id, run).await?.ok_or(AppError::NotFound("Run"))?;
    if !store::runs::update_outcome(&mut connection, project_id, id, &outcome, app.clock.now()).await? {
        return Err(AppError::NotFound("Run"));
    }
    let run = store::runs::load(&mut connection, project_id, &[id]).await?.pop().ok_or(AppError::NotFound("Run"))?;
    super::publish(app, &run, false);
    Ok(run)
}

/// Hides a run. Its number is not given out again.
pub async fn delete(app: &AppState, project_id: ProjectId, run: RunRef) -> Result<u64> {
    let mut connection = app.pool.acquire().await?;
    let id: RunId = store::runs::resolve(&mut connection, project_id, run).await?.ok_or(AppError::NotFound("Run"))?;
    Ok(store::runs::delete(&mut connection, project_id, Some(id), app.clock.now()).await?)
}

/// Hides all runs of the project. Returns how many there were.
pub async fn delete_all(app: &AppState, project_id: ProjectId) -> Result<u64> {
    Ok(store::runs::delete(&mut *app.pool.acquire().await?, project_id, None, app.clock.now()).await?)
}
