//! Lists of runs, as pages and exports show them. They never touch series or contents.

use std::collections::HashMap;

use otrace_wire::{ExperimentId, RunStatus};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::search::{self, Window};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::parameters::Parameter;
use crate::domain::query::{Place, Query, Sort};
use crate::domain::result::{Direction, Directions};
use crate::domain::{ProjectId, Run, RunId};
use crate::error::Result;
use crate::live::RunEvent;
use crate::services::projects;
use crate::store;
use crate::store::run_list::values::ListedState;
use crate::store::run_query::RunQuery;

pub use crate::store::run_list::values::ListedValue;

/// So many runs a page shows.
pub const LIST_PAGE: u16 = 50;
/// Of each status so many runs are counted: a project of a million must not wait for its numbers.
pub const COUNTED_MAX: i64 = 10_000;
/// So many results are shown, unless others are chosen.
const COLUMNS: usize = 4;
/// So many results, and values of configs, are offered to choose from.
const NAMES: i64 = 40;

/// Which runs to list, and with what.
#[derive(Clone, Debug, Default)]
pub struct RunsPageRequest {
    /// Which runs.
    pub query: Query,
    /// In which order.
    pub sort: Sort,
    /// From where on.
    pub from: Window,
    /// The names of the results to show; `None`: those that most of the runs have.
    pub columns: Option<Vec<String>>,
    /// The names of the parameters to show.
    pub parameters: Vec<String>,
}

/// Some runs in their order, with what a list shows of them.
#[derive(Debug, Default)]
pub struct ListedRuns {
    /// The runs.
    pub rows: Vec<RunRow>,
    /// The results that are shown of each.
    pub columns: Vec<ResultColumn>,
    /// Names of numeric results that these runs have, the most frequent first.
    pub names: Vec<String>,
    /// Names of parameters that these runs have, those in which they differ first.
    pub parameter_names: Vec<String>,
    /// What the page before is read up to; `None`: this is the first one.
    pub newer: Option<Place>,
    /// What the next page is read from; `None`: this is the last one.
    pub older: Option<Place>,
}

/// A run in a list.
#[derive(Debug)]
pub struct RunRow {
    /// The run.
    pub run: Run,
    /// Its value of each column.
    pub values: Vec<Option<ListedValue>>,
    /// Whether each value is the best in the list.
    pub best: Vec<bool>,
    /// Those of its parameters that are shown, by name.
    pub parameters: HashMap<String, Parameter>,
    /// Paths that were declared and not there.
    pub missing_paths: Vec<String>,
    /// Whether anything was changed and not committed; `None`: not known.
    pub dirty: Option<bool>,
    /// The commit that it ran on.
    pub git_commit: Option<String>,
    /// The branch that it ran on.
    pub git_branch: Option<String>,
}

/// A result shown for every run of a list.
#[derive(Clone, Debug)]
pub struct ResultColumn {
    /// The result's name.
    pub name: String,
    /// Which way it gets better.
    pub direction: Direction,
}

/// How many runs a project has, by status; [`COUNTED_MAX`] of each at most.
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
        let all: i64 = by_status.values().sum();
        Self {
            all: all.min(COUNTED_MAX),
            created: of(RunStatus::Created),
            running: of(RunStatus::Running),
            completed: of(RunStatus::Completed),
            failed: of(RunStatus::Failed),
            capture_failed: of(RunStatus::CaptureFailed),
        }
    }
}

/// How many runs the project has, by status.
pub async fn counts(app: &AppState, project_id: ProjectId) -> Result<StatusCounts> {
    let mut connection = app.pool.acquire().await?;
    let rows = store::run_list::count_by_status(&mut connection, project_id, COUNTED_MAX).await?;
    Ok(StatusCounts::from_rows(rows))
}

/// How many runs the project has, and no more than [`COUNTED_MAX`].
pub async fn count_up_to_max(app: &AppState, project_id: ProjectId) -> Result<i64> {
    Ok(store::run_list::count_up_to(&mut *app.pool.acquire().await?, project_id, COUNTED_MAX).await?)
}

/// One page of the runs that a member asks for, of at most `limit`.
pub async fn page(app: &AppState, member: &ProjectMember, request: &RunsPageRequest, limit: u16) -> Result<ListedRuns> {
    let project_id = member.project.id;
    let asked = RunQuery {
        project_id,
        query: &request.query,
        sort: &request.sort,
        me: &member.account.email,
        now: app.clock.now(),
        among: None,
    };
    let found = search::look(app, asked, &request.from, limit).await?;
    let mut connection = app.pool.acquire().await?;
    let names = store::results::common_names(&mut connection, project_id, &found.ids, NAMES).await?;
    let parameter_names = store::run_parameters::names_of(&mut connection, project_id, &found.ids, NAMES).await?;
    let shown = request.columns.clone().unwrap_or_else(|| names.iter().take(COLUMNS).cloned().collect());
    let directions = projects::directions_in(&mut connection, project_id).await?;
    let columns = columns(&directions, shown);
    let rows = rows(&mut connection, project_id, &found.ids, &columns, &request.parameters).await?;
    Ok(ListedRuns { rows, columns, names, parameter_names, newer: found.newer, older: found.older })
}

/// These runs of a list that is open, as they are now; those that are gone are left out.
pub async fn some_rows(
    app: &AppState,
    project_id: ProjectId,
    runs: &[ExperimentId],
    names: Vec<String>,
    parameters: &[String],
) -> Result<ListedRuns> {
    let numbers: Vec<i32> = runs.iter().map(|run| run.number()).collect();
    let mut connection = app.pool.acquire().await?;
    let ids = store::run_list::ids_of(&mut connection, project_id, &numbers).await?;
    let directions = projects::directions_in(&mut connection, project_id).await?;
    let columns = columns(&directions, names);
    let rows = rows(&mut connection, project_id, &ids, &columns, parameters).await?;
    Ok(ListedRuns { rows, columns, ..ListedRuns::default() })
}

fn columns(directions: &Directions, names: Vec<String>) -> Vec<ResultColumn> {
    names.into_iter().map(|name| ResultColumn { direction: directions.of(&name), name }).collect()
}

/// The rows of these runs, in their order: one query a table, however many there are.
async fn rows(
    connection: &mut PgConnection,
    project_id: ProjectId,
    ids: &[RunId],
    columns: &[ResultColumn],
    parameters: &[String],
) -> Result<Vec<RunRow>> {
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let runs = store::runs::load(connection, project_id, ids).await?;
    let values = store::run_list::values::results(connection, project_id, ids, &names).await?;
    let states = store::run_list::values::states(connection, project_id, ids).await?;
    let mut parameters = shown_parameters(connection, project_id, ids, parameters).await?;
    let best: Vec<Option<f64>> = columns.iter().map(|column| best_of(column, &values)).collect();
    let mut runs: HashMap<RunId, Run> = runs.into_iter().map(|run| (run.id, run)).collect();
    let mut states: HashMap<RunId, ListedState> = states.into_iter().map(|state| (state.run_id, state)).collect();
    let mut values: HashMap<(RunId, String), ListedValue> =
        values.into_iter().map(|value| ((value.run_id, value.name.clone()), value)).collect();
    // A run that was deleted at this moment is left out.
    let found = ids.iter().filter_map(|id| runs.remove(id));
    let row = found.map(|run| {
        let state = states.remove(&run.id);
        let values: Vec<Option<ListedValue>> =
            names.iter().map(|name| values.remove(&(run.id, name.clone()))).collect();
        RunRow {
            best: values.iter().zip(&best).map(|(value, best)| is_best(value.as_ref(), *best)).collect(),
            values,
            missing_paths: state.as_ref().map(missing_paths).unwrap_or_default(),
            dirty: state.as_ref().and_then(|state| state.git_dirty),
            git_commit: state.as_ref().and_then(|state| state.git_commit.clone()),
            git_branch: state.and_then(|state| state.git_branch),
            parameters: parameters.remove(&run.id).unwrap_or_default(),
            run,
        }
    });
    Ok(row.collect())
}

/// What these runs have under these names in their configs, by run and name.
async fn shown_parameters(
    connection: &mut PgConnection,
    project_id: ProjectId,
    ids: &[RunId],
    names: &[String],
) -> Result<HashMap<RunId, HashMap<String, Parameter>>> {
    let mut shown: HashMap<RunId, HashMap<String, Parameter>> = HashMap::new();
    if names.is_empty() {
        return Ok(shown);
    }
    for (run, parameter) in store::run_parameters::list(connection, project_id, ids, names).await? {
        shown.entry(run).or_default().insert(parameter.name.clone(), parameter);
    }
    Ok(shown)
}

fn is_best(value: Option<&ListedValue>, best: Option<f64>) -> bool {
    let number = value.and_then(|value| value.number);
    number.zip(best).is_some_and(|(number, best)| number.total_cmp(&best).is_eq())
}

/// The best value of a column, where at least two runs have one to compare.
fn best_of(column: &ResultColumn, values: &[ListedValue]) -> Option<f64> {
    let mut numbers: Vec<f64> = values
        .iter()
        .filter(|value| value.name == column.name)
        .filter_map(|value| value.number.filter(|number| !number.is_nan()))
        .collect();
    numbers.sort_by(f64::total_cmp);
    let (lowest, highest) = (*numbers.first()?, *numbers.last()?);
    let best = if column.direction == Direction::Higher { highest } else { lowest };
    (lowest < highest).then_some(best)
}

fn missing_paths(state: &ListedState) -> Vec<String> {
    let path = |missing: &Value| missing.get("path").and_then(Value::as_str).map(str::to_owned);
    state.missing_expected_paths.iter().filter_map(path).collect()
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
