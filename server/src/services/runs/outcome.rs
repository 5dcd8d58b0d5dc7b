//! How a run goes, and its end.

use otrace_wire::{ExperimentId, RunOutcome};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;

use super::reading::{load_one, resolve_in};
use crate::app::AppState;
use crate::auth::ProjectKey;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::webhook::Event;
use crate::domain::{ProjectId, Run, RunId, RunRef, timestamp};
use crate::error::{AppError, Result};
use crate::services::audit;
use crate::store;
use crate::store::runs::Outcome;

/// Writes down how a run goes; what is absent stays as it is.
pub async fn update(app: &AppState, project_id: ProjectId, run: RunRef, input: RunOutcome) -> Result<Run> {
    let outcome = check_outcome(input)?;
    let now = app.clock.now();
    let mut connection = app.pool.acquire().await?;
    let found = store::runs::resolve_with_webhooks(&mut connection, project_id, run).await?;
    let (id, has_webhooks) = found.ok_or(AppError::NotFound("Run"))?;
    let told = outcome.status.and_then(Event::of_status).filter(|_| has_webhooks);
    let is_there = match told {
        None => store::runs::update_outcome(&mut connection, project_id, id, &outcome, now).await?,
        Some(end) => update_and_tell(&mut connection, project_id, id, &outcome, end, now).await?,
    };
    if !is_there {
        return Err(AppError::NotFound("Run"));
    }
    let run = load_one(&mut connection, project_id, id).await?;
    super::publish(app, &run, false);
    Ok(run)
}

/// Writes down how a run ended, and with it what webhooks tell of that, unless it had ended so before. `false`: the
/// project has no such run.
async fn update_and_tell(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: RunId,
    outcome: &Outcome,
    end: Event,
    now: OffsetDateTime,
) -> Result<bool> {
    let mut transaction = connection.begin().await?;
    let before = store::runs::hold_status(&mut transaction, project_id, id).await?;
    let is_there = store::runs::update_outcome(&mut transaction, project_id, id, outcome, now).await?;
    if is_there && before != outcome.status {
        store::webhooks::outbox::queue(&mut transaction, &[(project_id, id)], end, now).await?;
    }
    transaction.commit().await?;
    Ok(is_there)
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
    let id = resolve_in(&mut transaction, project_id, run).await?;
    let target = load_one(&mut transaction, project_id, id).await?;
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
