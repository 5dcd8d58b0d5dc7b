//! Lists of runs. They never touch contents.

use std::collections::HashMap;

use otrace_wire::RunStatus;
use serde_json::Value;
use time::OffsetDateTime;

use crate::app::AppState;
use crate::domain::result::Direction;
use crate::domain::{ProjectId, Run, RunId, RunResult, Snapshot};
use crate::error::Result;
use crate::live::RunEvent;
use crate::store;

/// So many runs a page shows.
const PAGE: u16 = 50;
/// So many result columns it shows.
const COLUMNS: i64 = 4;

/// Which runs to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunsPageRequest {
    /// Only runs with a number below this.
    pub before: Option<i32>,
    /// Only runs that stand so.
    pub status: Option<RunStatus>,
}

/// One page of a project's runs, the newest first.
#[derive(Debug)]
pub struct RunsPage {
    /// The runs.
    pub rows: Vec<RunRow>,
    /// The results that most of them have.
    pub columns: Vec<ResultColumn>,
    /// How many runs the request describes, on all pages.
    pub total: i64,
    /// How many runs the project has, by status.
    pub counts: StatusCounts,
    /// What `before` is on the next page; `None` on the last one.
    pub older: Option<i32>,
    /// Whether there are newer runs than these.
    pub newer: bool,
}

/// A run in a list.
#[derive(Debug)]
pub struct RunRow {
    /// The run.
    pub run: Run,
    /// Its value of each column.
    pub values: Vec<Option<RunResult>>,
    /// Whether each value is the best on the page.
    pub best: Vec<bool>,
    /// Paths that were declared and not there.
    pub missing_paths: Vec<String>,
    /// Whether anything was changed and not committed; `None`: not known.
    pub dirty: Option<bool>,
    /// The commit that it ran on.
    pub git_commit: Option<String>,
}

/// A result shown for every run of a list.
#[derive(Debug)]
pub struct ResultColumn {
    /// The result's name.
    pub name: String,
    /// Which way it gets better.
    pub direction: Direction,
}

/// How many runs a project has, by status.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatusCounts {
    /// All of them.
    pub all: i64,
    /// Recorded, not started.
    pub created: i64,
    /// Running.
    pub running: i64,
    /// Ended well.
    pub completed: i64,
    /// Ended otherwise.
    pub failed: i64,
    /// Not known how they ended.
    pub capture_failed: i64,
}

impl StatusCounts {
    /// The count of one status.
    pub const fn of(&self, status: RunStatus) -> i64 {
        match status {
            RunStatus::Created => self.created,
            RunStatus::Running => self.running,
            RunStatus::Completed => self.completed,
            RunStatus::Failed => self.failed,
            RunStatus::CaptureFailed => self.capture_failed,
        }
    }

    fn from_rows(rows: Vec<(String, i64)>) -> Self {
        let by_status: HashMap<String, i64> = rows.into_iter().collect();
        let of = |status: RunStatus| by_status.get(status.as_str()).copied().unwrap_or(0);
        Self {
            all: by_status.values().sum(),
            created: of(RunStatus::Created),
            running: of(RunStatus::Running),
            completed: of(RunStatus::Completed),
            failed: of(RunStatus::Failed),
            capture_failed: of(RunStatus::CaptureFailed),
        }
    }
}

/// One page of a project's runs.
pub async fn page(app: &AppState, project_id: ProjectId, request: RunsPageRequest) -> Result<RunsPage> {
    let mut connection = app.pool.acquire().await?;
    let mut ids =
        store::run_list::page(&mut connection, project_id, request.before, request.status, i64::from(PAGE) + 1).await?;
    let has_more = ids.len() > usize::from(PAGE);
    ids.truncate(PAGE.into());
    let counts = StatusCounts::from_rows(store::run_list::count_by_status(&mut connection, project_id).await?);
    let runs = store::runs::load(&mut connection, project_id, &ids).await?;
    let names = store::results::common_names(&mut connection, project_id, &ids, COLUMNS).await?;
    let results = store::results::list(&mut connection, project_id, &ids).await?;
    let snapshots: HashMap<RunId, Snapshot> =
        store::snapshots::list(&mut connection, project_id, &ids).await?.into_iter().collect();
    let newer = match runs.first() {
        Some(first) => store::run_list::has_newer(&mut connection, project_id, first.number, request.status).await?,
        None => false,
    };
    let older = runs.last().filter(|_| has_more).map(|last| last.number);
    let columns: Vec<ResultColumn> =
        names.into_iter().map(|name| ResultColumn { direction: Direction::of(&name), name }).collect();
    let rows = rows(runs, &columns, &results, &snapshots);
    let total = request.status.map_or(counts.all, |status| counts.of(status));
    Ok(RunsPage { rows, columns, total, counts, older, newer })
}

fn rows(
    runs: Vec<Run>,
    columns: &[ResultColumn],
    results: &[(RunId, RunResult)],
    snapshots: &HashMap<RunId, Snapshot>,
) -> Vec<RunRow> {
    let best: Vec<Option<f64>> = columns.iter().map(|column| best_of(column, results)).collect();
    let row = |run: Run| {
        let value_of = |column: &ResultColumn| {
            results
                .iter()
                .find(|(id, result)| *id == run.id && result.name == column.name)
                .map(|(_, result)| result.clone())
        };
        let values: Vec<Option<RunResult>> = columns.iter().map(value_of).collect();
        let is_best = |(value, best): (&Option<RunResult>, &Option<f64>)| {
            value
                .as_ref()
                .and_then(|value| value.number)
                .zip(*best)
                .is_some_and(|(value, best)| value.total_cmp(&best).is_eq())
        };
        let snapshot = snapshots.get(&run.id);
        RunRow {
            best: values.iter().zip(&best).map(is_best).collect(),
            values,
            missing_paths: snapshot.map(missing_paths).unwrap_or_default(),
            dirty: snapshot.and_then(|snapshot| snapshot.git_dirty),
            git_commit: snapshot.and_then(|snapshot| snapshot.git_commit.clone()),
            run,
        }
    };
    runs.into_iter().map(row).collect()
}

/// The best value of a column, where at least two runs have one to compare.
fn best_of(column: &ResultColumn, results: &[(RunId, RunResult)]) -> Option<f64> {
    let mut numbers: Vec<f64> = results
        .iter()
        .filter(|(_, result)| result.name == column.name)
        .filter_map(|(_, result)| result.number.filter(|number| !number.is_nan()))
        .collect();
    numbers.sort_by(f64::total_cmp);
    let (lowest, highest) = (*numbers.first()?, *numbers.last()?);
    let best = if column.direction == Direction::Higher { highest } else { lowest };
    (lowest < highest).then_some(best)
}

fn missing_paths(snapshot: &Snapshot) -> Vec<String> {
    let path = |missing: &Value| missing.get("path").and_then(Value::as_str).map(str::to_owned);
    snapshot.missing_expected_paths.iter().filter_map(path).collect()
}

/// The runs of a project that changed or were heard of after `since`, for a page that was away.
pub async fn changed_since(app: &AppState, project_id: ProjectId, since: OffsetDateTime) -> Result<Vec<RunEvent>> {
    let changed = store::run_list::changed_since(&mut *app.pool.acquire().await?, project_id, since).await?;
    let event = |run: store::run_list::ChangedRun| RunEvent {
        project_id,
        number: run.number,
        status: run.status,
        is_new: run.is_new,
        is_output: run.is_output,
        updated_at: run.changed_at,
    };
    Ok(changed.into_iter().map(event).collect())
}
