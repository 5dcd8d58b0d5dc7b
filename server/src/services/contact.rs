//! Whether a run's machine is heard of: the truth about runs that say they go on.

use std::time::Duration;

use otrace_wire::RunStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::app::AppState;
use crate::domain::run::OUT_OF_CONTACT_AFTER;
use crate::domain::webhook::{Event, SILENCE_TOLD_WITHIN};
use crate::domain::{ProjectId, RunRef};
use crate::error::{AppError, Result};
use crate::live::RunEvent;
use crate::store;
use crate::store::contacts::{HeardRun, SilentRun};

/// How often runs are looked for that fell silent.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A run's machine says that it goes on. One that was taken for lost is back. Returns where the run stands.
pub async fn heartbeat(app: &AppState, project_id: ProjectId, run: RunRef) -> Result<RunStatus> {
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    let heard = note(&mut transaction, project_id, run, now).await?;
    transaction.commit().await?;
    if heard.was_away {
        tell(app, project_id, heard, now);
    }
    Ok(heard.status)
}

/// Notes in a transaction of the caller's that a run's machine was heard of, and what webhooks tell of one that is back.
/// Holds the run's row until the transaction ends.
pub(super) async fn note(
    transaction: &mut PgConnection,
    project_id: ProjectId,
    run: RunRef,
    now: OffsetDateTime,
) -> Result<HeardRun> {
    let heard = store::contacts::note(transaction, project_id, run, now).await?;
    let heard = heard.ok_or(AppError::NotFound("Run"))?;
    if heard.was_away {
        store::webhooks::outbox::queue_return(transaction, project_id, heard.id, now).await?;
    }
    Ok(heard)
}

/// Tells open pages of a run that was heard of just now. Call it after the commit.
pub(super) fn tell(app: &AppState, project_id: ProjectId, heard: HeardRun, now: OffsetDateTime) {
    let HeardRun { number, status, was_away, .. } = heard;
    app.live.publish(RunEvent { project_id, number, status, is_new: false, is_output: !was_away, updated_at: now });
}

/// Looks once for runs that fell silent: pages are told of those that are out of contact since lately, and
/// those that were silent for too long are given up. Webhooks tell of both. Every server may do so; the second finds nothing.
pub async fn look_for_silent_runs(app: &AppState) -> Result<()> {
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    let until = now - OUT_OF_CONTACT_AFTER;
    let silent = store::contacts::last_heard_between(&mut transaction, until - LOOK_EVERY * 2, until).await?;
    store::webhooks::outbox::queue_silences(&mut transaction, until - SILENCE_TOLD_WITHIN, until, now).await?;
    let hours = i64::from(app.config.runs.silence_hours);
    let given_up = if hours == 0 {
        Vec::new()
    } else {
        store::contacts::give_up(&mut transaction, now - time::Duration::hours(hours), now).await?
    };
    if !given_up.is_empty() {
        let runs: Vec<_> = given_up.iter().map(|run| (run.project_id, run.id)).collect();
        store::webhooks::outbox::queue(&mut transaction, &runs, Event::CaptureFailed, now).await?;
    }
    transaction.commit().await?;
    for SilentRun { project_id, number, status, updated_at, .. } in silent.into_iter().chain(given_up) {
        app.live.publish(RunEvent { project_id, number, status, is_new: false, is_output: false, updated_at });
    }
    Ok(())
}

/// Looks for silent runs now and then, until the server stops.
pub async fn keep_looking(app: AppState) {
    let closed = app.live.closed();
    let looking = async {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = look_for_silent_runs(&app).await {
                tracing::warn!(%error, "could not look for runs that fell silent; trying again");
            }
        }
    };
    tokio::select! {
        () = closed => {}
        () = looking => {}
    }
}
