//! Sweeping: what nothing needs any more is removed for good, and its room given back.
//!
//! That is what has been in the trash for 30 days, runs and whole projects; contents of artifacts that a rule of
//! retention deletes; contents that nothing refers to; objects that no row names; and files that were never finished.
//! A row goes first, in a transaction that proves that nothing refers to it, and its object after the commit: whatever
//! breaks off in between leaves an object without a row, which the next sweep finds by listing the store.
//!
//! What refers to a content:
//! - `artifacts`, `logs`, `log_chunks`, `result_tables` and `snapshot_files`, by `sha256` and a foreign key: the view
//!   `content_references`;
//! - `blob_parts`, by `part_sha256`: the contents that others are made of. Its `sha256` is the whole, and goes with it;
//! - `staged_runs`, in JSON, without a foreign key. While a project has an import under way, everything stays that it
//!   may have staged;
//! - nobody yet: the answers that told a client that a content is here, or has arrived. Each keeps it for a day
//!   (`blobs.kept_until`), and what may be a part of a large content for a week from its arrival.
//!
//! Series are rows, and go with their run. What refers to an object: `blobs.object_id`, and for those that are called
//! after their hash, `blobs.sha256` where `place` is `named`. No two projects share an object, but contents of one
//! project do: it goes with the last of them.

mod contents;
mod objects;
mod rehearsal;
mod report;
mod trash;
mod unknown;

use std::collections::HashMap;
use std::time::Duration as StdDuration;

use time::{Duration, OffsetDateTime};

use crate::app::AppState;
use crate::domain::ProjectId;
use crate::domain::blob::{HELD_TO_WITHIN, KEPT_FOR};
use crate::domain::chance;
use crate::error::Result;
use crate::services::projects::RESTORABLE;
use crate::services::{imports, storage_use};
use crate::store;
use crate::store::sweep::SweptProject;

use objects::Known;
pub use rehearsal::rehearse;
pub use report::{Freed, Line, Reason, Report};
pub use unknown::sweep_unknown_projects;

/// How often a server looks whether a sweep is due.
const LOOK_EVERY: StdDuration = StdDuration::from_hours(1);
/// So long an object without a row may be one that is about to get it, and a file one that is being written.
const GRACE: Duration = Duration::DAY;
/// So long a sweep is remembered.
const REMEMBERED: Duration = Duration::days(365);
/// So many projects are looked up at once.
const PROJECTS_AT_ONCE: i64 = 500;

/// Sweeps once, and says what that came to. `None`: another sweep is under way, on this server or another one.
pub async fn sweep(app: &AppState) -> Result<Option<Report>> {
    alone(app, async {
        let swept = swept(app).await;
        let outcome = if swept.is_ok() { "done" } else { "failed" };
        metrics::counter!("otrace_sweeps_total", "outcome" => outcome).increment(1);
        swept
    })
    .await
}

/// Does something while no sweep, no backup and no import of a project is under way. `None`: one is, and nothing was
/// done.
async fn alone<T>(app: &AppState, work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
    let Some(lock) = store::sweep::lock(app.pool.acquire().await?).await? else { return Ok(None) };
    let done = work.await;
    // It ends with its connection all the same.
    if let Err(error) = store::sweep::unlock(lock).await {
        tracing::warn!(%error, "could not give the lock of sweeps back");
    }
    done.map(Some)
}

async fn swept(app: &AppState) -> Result<Report> {
    let now = app.clock.now();
    let number = store::sweep::begin(&mut *app.pool.acquire().await?, now, now - REMEMBERED).await?;
    let mut sweep = Sweep { app, now, names: HashMap::new(), known: Known::default(), report: Report::new(false) };
    let done = sweep.everything().await;
    let report = sweep.report;
    report.count();
    done?;
    let freed = i64::try_from(report.freed_bytes()).unwrap_or(i64::MAX);
    store::sweep::end(&mut *app.pool.acquire().await?, number, freed, app.clock.now()).await?;
    Ok(report)
}

/// All projects, by id, some at a time.
#[derive(Default)]
struct Projects {
    after: Option<ProjectId>,
}

impl Projects {
    /// The next ones; `None`: there are no more.
    async fn next(&mut self, app: &AppState) -> Result<Option<Vec<SweptProject>>> {
        let some = store::sweep::projects(&mut *app.pool.acquire().await?, self.after, PROJECTS_AT_ONCE).await?;
        let Some(last) = some.last() else { return Ok(None) };
        self.after = Some(last.id);
        Ok(Some(some))
    }
}

/// A sweep that is under way.
struct Sweep<'a> {
    app: &'a AppState,
    /// When it began: what has come since stays.
    now: OffsetDateTime,
    /// What the projects are called that were seen.
    names: HashMap<ProjectId, String>,
    known: Known,
    report: Report,
}

impl Sweep<'_> {
    /// What fails in one project is told and left, and the others are swept all the same.
    async fn everything(&mut self) -> Result<()> {
        let mut projects = Projects::default();
        while let Some(some) = projects.next(self.app).await? {
            for project in &some {
                self.names.insert(project.id, project.slug.clone());
                if let Err(error) = self.project(project).await {
                    tracing::error!(%error, project = %project.id, "could not sweep a project");
                    self.report.fail(&project.slug);
                }
            }
        }
        self.unnamed().await?;
        self.unfinished().await?;
        self.known.warn();
        Ok(())
    }

    async fn project(&mut self, project: &SweptProject) -> Result<()> {
        if is_past_restoring(project, self.now) {
            return self.whole_project(project).await;
        }
        let as_of = self.as_of(project.id).await?;
        self.unneeded(project, as_of).await?;
        self.trash(project, as_of).await?;
        self.expired(project, as_of).await?;
        storage_use::count(self.app, project.id).await?;
        Ok(())
    }

    /// Contents of the project that are kept until then stay. Imports of a day ago are given up first.
    async fn as_of(&self, project_id: ProjectId) -> Result<OffsetDateTime> {
        let mut connection = self.app.pool.acquire().await?;
        store::imports::remove_older(&mut connection, project_id, self.now - imports::FORGOTTEN_AFTER).await?;
        let staged_since = store::sweep::contents::staged_since(&mut connection, project_id, None).await?;
        Ok(as_of(self.now, staged_since))
    }
}

/// What an import has staged was held then, to within an hour, and so is kept for almost a day from its beginning on.
fn as_of(now: OffsetDateTime, staged_since: Option<OffsetDateTime>) -> OffsetDateTime {
    staged_since.map_or(now, |began| now.min(began + KEPT_FOR - HELD_TO_WITHIN))
}

/// Whether a project was deleted so long ago that nobody brings it back.
fn is_past_restoring(project: &SweptProject, now: OffsetDateTime) -> bool {
    project.deleted_at.is_some_and(|deleted_at| deleted_at < now - RESTORABLE)
}

/// What a project is called; its id, where there is no such project any more.
fn name_of(names: &HashMap<ProjectId, String>, project_id: ProjectId) -> String {
    names.get(&project_id).cloned().unwrap_or_else(|| project_id.to_string())
}

/// Sweeps now and then, one server of all that share the database at a time, until this one stops.
pub async fn keep_sweeping(app: AppState) {
    if app.config.runs.sweep_hours == 0 {
        return;
    }
    let closed = app.live.closed();
    let sweeping = async {
        loop {
            // Not all servers look at once.
            tokio::time::sleep(LOOK_EVERY / 2 + chance::up_to(LOOK_EVERY)).await;
            if let Err(error) = sweep_if_due(&app).await {
                tracing::warn!(%error, "could not sweep; trying again within two hours");
            }
        }
    };
    tokio::select! {
        () = closed => {}
        () = sweeping => {}
    }
}

async fn sweep_if_due(app: &AppState) -> Result<()> {
    let last = store::sweep::last(&mut *app.pool.acquire().await?).await?;
    // Half an hour early, so that daily sweeps don't wander through the day.
    let pause = Duration::hours(app.config.runs.sweep_hours.into()) - Duration::minutes(30);
    if last.is_some_and(|last| app.clock.now() - last < pause) {
        return Ok(());
    }
    if let Some(report) = sweep(app).await? {
        tracing::info!(freed_bytes = report.freed_bytes(), failed = report.failed().len(), "swept");
    }
    Ok(())
}
