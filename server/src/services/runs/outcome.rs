//! How a run goes, and its end.

use otrace_wire::{ExperimentId, RunOutcome};

use crate::app::AppState;
use crate::auth::ProjectKey;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::{ProjectId, Run, RunRef, timestamp};
use crate::error::{AppError, Result};
use crate::services::audit;
use crate::store;
use crate::store::runs::Outcome;

/// Writes down how a run goes; what is absent stays as it is.
pub async fn update(app: &AppState, project_id: ProjectId, run: RunRef, input: RunOutcome) -> Result<Run> {
    let outcome = check_outcome(input)?;
    let mut connection = app.pool.acquire().await?;
    let id = store::runs::resolve(&mut connection, project_id, run).await?.ok_or(AppError::NotFound("Run"))?;
    if !store::runs::update_outcome(&mut connection, project_id, id, &outcome, app.clock.now()).await? {
        return Err(AppError::NotFound("Run"));
    }
    let run = store::runs::load(&mut connection, project_id, &[id]).await?.pop().ok_or(AppError::NotFound("Run"))?;
    super::publish(app, &run, false);
    Ok(run)
}

/// How a run goes, as it is written, if it can go so.
pub(in crate::services) fn check_outcome(input: RunOutcome) -> Result<Outcome> {
    if input.duration_seconds.is_some_and(|seconds| !seconds.is_finite() || seconds < 0.0) {
        return Err(AppError::invalid("duration_seconds must be 0 or more."));
    }
    if input.signal.as_ref().is_some_and(|name| !is_signal(name)) {
        return Err(AppError::invalid("signal must be a signal's name, such as SIGKILL."));
    }
    Ok(Outcome {
        status: input.status,
        exit_code: input.exit_code,
        signal: input.signal,
        duration_seconds: input.duration_seconds,
        started_at: input.started_at.as_deref().map(timestamp::parse).transpose()?,
        finished_at: input.finished_at.as_deref().map(timestamp::parse).transpose()?,
    })
}

fn is_signal(name: &str) -> bool {
    let is_of_a_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'+';
    name.len() <= 32 && name.starts_with("SIG") && name.bytes().all(is_of_a_name)
}

/// Hides a run. Its number is not given out again.
pub async fn delete(app: &AppState, key: &ProjectKey, run: RunRef) -> Result<u64> {
    let now = app.clock.now();
    let project_id = key.project.id;
    let mut transaction = app.pool.begin().await?;
    let id = store::runs::resolve(&mut transaction, project_id, run).await?.ok_or(AppError::NotFound("Run"))?;
    let target =
        store::runs::load(&mut transaction, project_id, &[id]).await?.pop().ok_or(AppError::NotFound("Run"))?;
    let deleted = store::runs::delete(&mut transaction, project_id, Some(id), now).await?;
    if deleted == 0 {
        // Somebody else deleted it at this moment.
        return Err(AppError::NotFound("Run"));
    }
    let event = NewEvent::new(Action::RunDeleted, ExperimentId::new(target.number).to_string());
    audit::record(&mut transaction, Chain::Project(project_id), &key.actor(), event, now).await?;
    transaction.commit().await?;
    Ok(deleted)
}

/// Hides all runs of the project. Returns how many there were.
pub async fn delete_all(app: &AppState, key: &ProjectKey) -> Result<u64> {
    let now = app.clock.now();
    let project_id = key.project.id;
    let mut transaction = app.pool.begin().await?;
    let deleted = store::runs::delete(&mut transaction, project_id, None, now).await?;
    if deleted > 0 {
        let event = NewEvent::new(Action::AllRunsDeleted, key.project.slug.clone()).with("runs", deleted.to_string());
        audit::record(&mut transaction, Chain::Project(project_id), &key.actor(), event, now).await?;
    }
    transaction.commit().await?;
    Ok(deleted)
}
