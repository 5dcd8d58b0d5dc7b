//! What members do to several runs of a list at once, and the trash that deleted ones lie in.

use otrace_wire::ExperimentId;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::{Role, RunRef};
use crate::error::{AppError, Result};
use crate::services::{audit, tags};
use crate::store;

pub use crate::store::run_list::trash::DeletedRun;

/// So many runs are changed at once.
pub const SELECTED_MAX: usize = 200;
/// So many deleted runs a page shows.
pub const TRASH_PAGE: u16 = 50;

fn check(member: &ProjectMember, runs: &[ExperimentId]) -> Result<()> {
    member.require(Role::Editor)?;
    match runs.len() {
        0 => Err(AppError::invalid("Choose at least one run.")),
        1..=SELECTED_MAX => Ok(()),
        _ => Err(AppError::invalid("Choose at most 200 runs at once.")),
    }
}

/// Puts a tag on runs. Those that are gone by now are left out; returns how many there were.
pub async fn tag_selected(app: &AppState, member: &ProjectMember, runs: &[ExperimentId], tag: &str) -> Result<usize> {
    check(member, runs)?;
    let added = [tag.to_owned()];
    let mut done = 0;
    for run in runs {
        match tags::change(app, member.project.id, RunRef::Experiment(*run), &added, &[]).await {
            Ok(_) => done += 1,
            Err(AppError::NotFound(_)) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(done)
}

/// Hides runs. Those that are gone already are left out; returns how many there were.
pub async fn delete_selected(app: &AppState, member: &ProjectMember, runs: &[ExperimentId]) -> Result<usize> {
    check(member, runs)?;
    let (project_id, now) = (member.project.id, app.clock.now());
    let mut transaction = app.pool.begin().await?;
    let mut deleted = Vec::new();
    for run in in_order(runs) {
        let Some(id) = store::runs::resolve(&mut transaction, project_id, RunRef::Experiment(run)).await? else {
            continue;
        };
        if store::runs::delete(&mut transaction, project_id, Some(id), now).await? > 0 {
            deleted.push(run);
        }
    }
    note(&mut transaction, member, Action::RunDeleted, &deleted, now).await?;
    transaction.commit().await?;
    Ok(deleted.len())
}

/// Shows deleted runs again. Those that are not deleted stay as they are; returns how many came back.
pub async fn restore_selected(app: &AppState, member: &ProjectMember, runs: &[ExperimentId]) -> Result<usize> {
    check(member, runs)?;
    let (project_id, now) = (member.project.id, app.clock.now());
    let mut transaction = app.pool.begin().await?;
    let (mut restored, mut ids) = (Vec::new(), Vec::new());
    for run in in_order(runs) {
        let found =
            store::run_edits::resolve_also_deleted(&mut transaction, project_id, RunRef::Experiment(run)).await?;
        let Some(id) = found else { continue };
        if store::run_edits::restore(&mut transaction, project_id, id, now).await? {
            restored.push(run);
            ids.push(id);
        }
    }
    let shown = store::runs::load(&mut transaction, project_id, &ids).await?;
    note(&mut transaction, member, Action::RunRestored, &restored, now).await?;
    transaction.commit().await?;
    for run in &shown {
        super::publish(app, run, false);
    }
    Ok(restored.len())
}

/// Rows are locked in one order, so that two who change the same runs don't wait for each other for ever.
fn in_order(runs: &[ExperimentId]) -> Vec<ExperimentId> {
    let mut runs = runs.to_vec();
    runs.sort_unstable();
    runs.dedup();
    runs
}

/// Records what was done to each of the runs; last in its transaction.
async fn note(
    connection: &mut PgConnection,
    member: &ProjectMember,
    action: Action,
    runs: &[ExperimentId],
    now: OffsetDateTime,
) -> Result<()> {
    for run in runs {
        let event = NewEvent::new(action, run.to_string());
        audit::record(connection, Chain::Project(member.project.id), &member.actor(), event, now).await?;
    }
    Ok(())
}

/// Deleted runs of the member's project, the last deleted first, and whether there are more behind them.
pub async fn trash(
    app: &AppState,
    member: &ProjectMember,
    after: Option<(OffsetDateTime, i32)>,
) -> Result<(Vec<DeletedRun>, bool)> {
    let mut connection = app.pool.acquire().await?;
    let wanted = i64::from(TRASH_PAGE) + 1;
    let mut found = store::run_list::trash::page(&mut connection, member.project.id, after, wanted).await?;
    let has_more = found.len() > usize::from(TRASH_PAGE);
    found.truncate(TRASH_PAGE.into());
    Ok((found, has_more))
}
