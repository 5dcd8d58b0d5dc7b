//! What a project and each of its runs take.
//!
//! A page of a project counts anew when what was counted is older than some minutes; the numbers of a project of very
//! many runs are those of the last sweep.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::retention::Rule;
use crate::domain::{ProjectId, RunId};
use crate::error::Result;
use crate::services::{retention, runs};
use crate::store;
use crate::store::storage_use::NamedRun;

pub use crate::store::storage_use::{Counted, Sizes};

/// So long what was counted is shown as it is.
const FRESH_FOR: Duration = Duration::minutes(10);
/// So many runs are counted in one statement.
const RUNS_AT_ONCE: i64 = 1_000;
/// So many of the largest runs are kept.
const LARGEST: usize = 20;

/// What a project takes, and what its owners have settled about it.
#[derive(Debug)]
pub struct StorageUse {
    /// What was counted, and when; `None`: not yet, as there are very many runs, or as that
    /// goes on.
    pub counted: Option<(Counted, OffsetDateTime)>,
    /// The largest runs that are still there, the largest first, and what each takes, in bytes.
    pub largest: Vec<(NamedRun, i64)>,
    /// When the last sweep began.
    pub swept_at: Option<OffsetDateTime>,
    /// The rules of retention.
    pub rules: Vec<Rule>,
    /// The tags that spare a run from them; none: any tag does.
    pub sparing_tags: Vec<String>,
}

/// The projects that are being counted for a page: each by one request of this server at a time.
#[derive(Debug, Default)]
pub struct Counting(Mutex<HashSet<ProjectId>>);

impl Counting {
    /// The turn to count a project; `None`: another one is counting it.
    fn begin(&self, project_id: ProjectId) -> Option<Turn<'_>> {
        let is_first = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(project_id);
        is_first.then(|| Turn { counting: self, project_id })
    }
}

/// It ends when it is dropped: a request may be given up.
struct Turn<'a> {
    counting: &'a Counting,
    project_id: ProjectId,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.counting.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.project_id);
    }
}

/// What the member's project takes. While another request counts it, what was counted last is told.
pub async fn of_project(app: &AppState, member: &ProjectMember) -> Result<StorageUse> {
    let project_id = member.project.id;
    let now = app.clock.now();
    let mut counted = store::storage_use::last(&mut *app.pool.acquire().await?, project_id).await?;
    let is_fresh = counted.as_ref().is_some_and(|(_, at)| now - *at < FRESH_FOR);
    if !is_fresh
        && let Some(_turn) = app.counting.begin(project_id)
        && runs::count_up_to_max(app, project_id).await? < runs::COUNTED_MAX
    {
        counted = Some((count(app, project_id).await?, now));
    }
    let mut connection = app.pool.acquire().await?;
    let largest = counted.as_ref().map(|(counted, _)| counted.largest.clone()).unwrap_or_default();
    let ids: Vec<RunId> = largest.iter().map(|(id, _)| *id).collect();
    let named = store::storage_use::headings(&mut connection, project_id, &ids).await?;
    let mut named: HashMap<RunId, NamedRun> = named.into_iter().map(|run| (run.id, run)).collect();
    Ok(StorageUse {
        counted,
        largest: largest.into_iter().filter_map(|(id, bytes)| Some((named.remove(&id)?, bytes))).collect(),
        swept_at: store::sweep::last(&mut connection).await?,
        rules: store::retention::rules(&mut connection, project_id).await?,
        sparing_tags: store::retention::sparing_tags(&mut connection, project_id).await?,
    })
}

/// What one run takes.
pub async fn of_run(app: &AppState, project_id: ProjectId, run_id: RunId) -> Result<Sizes> {
    let sizes = store::storage_use::of_run(&mut *app.pool.acquire().await?, project_id, run_id).await?;
    Ok(sizes.unwrap_or_default())
}

/// Counts what a project takes, and keeps it for its page.
pub(super) async fn count(app: &AppState, project_id: ProjectId) -> Result<Counted> {
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    store::sweep::trash::take_time(&mut transaction).await?;
    let stored_bytes = store::storage_use::stored(&mut transaction, project_id).await?;
    transaction.commit().await?;
    let (expiring_artifacts, expiring_bytes) = retention::expiring(app, project_id, now).await?;
    let mut counted = Counted { stored_bytes, expiring_artifacts, expiring_bytes, ..Counted::default() };
    let mut above = 0;
    loop {
        let mut connection = app.pool.acquire().await?;
        let page = store::storage_use::runs(&mut connection, project_id, above, RUNS_AT_ONCE).await?;
        let Some(last) = page.last() else {
            store::storage_use::keep(&mut connection, project_id, &counted, now).await?;
            return Ok(counted);
        };
        above = last.number;
        for run in page {
            let total = run.sizes.total();
            if run.is_deleted {
                counted.trash_runs += 1;
                counted.trash_bytes = counted.trash_bytes.saturating_add(total);
                continue;
            }
            counted.runs = counted.runs.plus(run.sizes);
            if total > 0 {
                counted.largest.push((run.id, total));
            }
        }
        counted.largest.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        counted.largest.truncate(LARGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_counted_once_at_a_time_and_others_meanwhile() {
        let (counting, project, other) = (Counting::default(), ProjectId::new(), ProjectId::new());
        let turn = counting.begin(project);
        assert!(turn.is_some() && counting.begin(project).is_none());
        assert!(counting.begin(other).is_some());
        drop(turn);
        assert!(counting.begin(project).is_some());
    }
}
