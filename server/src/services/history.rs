//! What a project's runs tell together: its notebook, and what was learned. Page by page, however many runs there are.

use std::collections::HashMap;

use otrace_history::notebook::{Entry, Mode};
use otrace_wire::{self as wire, ExperimentId};
use sqlx::PgConnection;

use crate::app::AppState;
use crate::domain::{ProjectId, RunId, RunRef};
use crate::error::{AppError, Result};
use crate::services::runs::{FullRun, as_wire};
use crate::store;

pub use crate::store::history::{Insight, NotePlace, RunPlace};

/// So many runs of a notebook are read at once, and so many insights.
pub const PAGE: u8 = 50;

/// Which runs of a project a notebook has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// All of them.
    All,
    /// Those with something that was learned.
    WithInsights,
    /// This one, those that it goes on from, and those that go on from it.
    BranchOf(ExperimentId),
    /// The branch of a run, where there is none.
    Nothing,
}

/// A part of a notebook.
#[derive(Debug)]
pub struct NotebookPage {
    /// Its runs, the oldest first.
    pub entries: Vec<Entry>,
    /// Where the next part begins; `None`: this is the last one.
    pub next: Option<RunPlace>,
}

/// A part of what was learned.
#[derive(Debug)]
pub struct InsightsPage {
    /// The newest first.
    pub insights: Vec<Insight>,
    /// Where the next part begins; `None`: this is the last one.
    pub next: Option<NotePlace>,
}

/// Which runs a mode has. A branch is that of the run that is named so, else of the project's newest.
pub async fn choose(app: &AppState, project_id: ProjectId, mode: Mode, run: Option<RunRef>) -> Result<Chosen> {
    match (mode, run) {
        (Mode::Chronological, _) => Ok(Chosen::All),
        (Mode::Insights, _) => Ok(Chosen::WithInsights),
        (Mode::Branch, Some(run)) => {
            let mut connection = app.pool.acquire().await?;
            let id = store::runs::resolve(&mut connection, project_id, run).await?.ok_or(AppError::NotFound("Run"))?;
            let found = store::runs::load(&mut connection, project_id, &[id]).await?.pop();
            Ok(Chosen::BranchOf(found.ok_or(AppError::NotFound("Run"))?.experiment_id()))
        }
        (Mode::Branch, None) => {
            let newest = store::history::newest(&mut *app.pool.acquire().await?, project_id).await?;
            Ok(newest.map_or(Chosen::Nothing, |number| Chosen::BranchOf(ExperimentId::new(number))))
        }
    }
}

/// The runs of a notebook after a place: at most [`PAGE`].
pub async fn notebook(
    app: &AppState,
    project_id: ProjectId,
    chosen: Chosen,
    after: Option<RunPlace>,
) -> Result<NotebookPage> {
    let mut connection = app.pool.acquire().await?;
    // One more than is told says whether there is a next page.
    let limit = i64::from(PAGE) + 1;
    let mut placed = match chosen {
        Chosen::All => store::history::all(&mut connection, project_id, after, limit).await?,
        Chosen::WithInsights => store::history::with_insights(&mut connection, project_id, after, limit).await?,
        Chosen::BranchOf(run) => {
            store::history::branch(&mut connection, project_id, run.number(), after, limit).await?
        }
        Chosen::Nothing => Vec::new(),
    };
    let has_more = placed.len() > usize::from(PAGE);
    placed.truncate(PAGE.into());
    let last = placed.last().map(|run| RunPlace { created_at: run.created_at, number: run.number });
    let ids: Vec<RunId> = placed.into_iter().map(|run| run.id).collect();
    Ok(NotebookPage { entries: entries(&mut connection, project_id, &ids).await?, next: last.filter(|_| has_more) })
}

/// How much was learned in the project, in all.
pub async fn count_insights(app: &AppState, project_id: ProjectId) -> Result<i64> {
    Ok(store::history::count_insights(&mut *app.pool.acquire().await?, project_id).await?)
}

/// What was learned before a place, the newest first: at most [`PAGE`].
pub async fn insights(app: &AppState, project_id: ProjectId, before: Option<NotePlace>) -> Result<InsightsPage> {
    let mut connection = app.pool.acquire().await?;
    let mut insights = store::history::insights(&mut connection, project_id, before, i64::from(PAGE) + 1).await?;
    let has_more = insights.len() > usize::from(PAGE);
    insights.truncate(PAGE.into());
    let last = insights.last().map(|insight| NotePlace { created_at: insight.created_at, id: insight.id });
    Ok(InsightsPage { insights, next: last.filter(|_| has_more) })
}

/// Adds what a list of runs leaves out: their tables without the rows, their logs and their artifacts, as records.
pub async fn complete(app: &AppState, project_id: ProjectId, runs: &mut [FullRun]) -> Result<()> {
    let ids: Vec<RunId> = runs.iter().map(|full| full.run.id).collect();
    let mut connection = app.pool.acquire().await?;
    let mut tables = by_run(store::tables::list_without_rows(&mut connection, project_id, &ids).await?);
    let mut logs = by_run(store::logs::list(&mut connection, project_id, &ids).await?);
    let artifacts = store::artifacts::list(&mut connection, project_id, &ids).await?;
    let mut artifacts = by_run(artifacts.into_iter().map(|artifact| (artifact.run_id, artifact)));
    for full in runs {
        full.tables = tables.remove(&full.run.id).unwrap_or_default();
        full.logs = logs.remove(&full.run.id).unwrap_or_default();
        full.artifacts = artifacts.remove(&full.run.id).unwrap_or_default();
    }
    Ok(())
}

/// These runs as a notebook tells them, in their order. One that was deleted at this moment is left out.
async fn entries(connection: &mut PgConnection, project_id: ProjectId, ids: &[RunId]) -> Result<Vec<Entry>> {
    let above = store::history::parents(connection, project_id, ids).await?;
    let outside: Vec<RunId> = above.into_iter().filter(|id| !ids.contains(id)).collect();
    let (told, outside) = (load(connection, project_id, ids).await?, load(connection, project_id, &outside).await?);
    let all: HashMap<ExperimentId, &wire::Run> =
        told.iter().chain(&outside).map(|run| (run.experiment_id, run)).collect();
    let parent = |run: &wire::Run| run.parent.and_then(|parent| all.get(&parent).copied());
    Ok(told.iter().map(|run| Entry::new(run, parent(run))).collect())
}

/// These runs with all that a notebook tells of them, in their order.
async fn load(connection: &mut PgConnection, project_id: ProjectId, ids: &[RunId]) -> Result<Vec<wire::Run>> {
    let mut results = by_run(store::results::list(connection, project_id, ids).await?);
    let mut tables = by_run(store::tables::list_without_rows(connection, project_id, ids).await?);
    let artifacts = store::artifacts::list(connection, project_id, ids).await?;
    let mut artifacts = by_run(artifacts.into_iter().map(|artifact| (artifact.run_id, artifact)));
    let mut snapshots = by_run(store::snapshots::list(connection, project_id, ids).await?);
    let mut notes = by_run(store::notes::list(connection, project_id, ids).await?);
    let mut found: HashMap<RunId, wire::Run> = HashMap::with_capacity(ids.len());
    for run in store::runs::load(connection, project_id, ids).await? {
        let id = run.id;
        let full = FullRun {
            results: results.remove(&id).unwrap_or_default(),
            tables: tables.remove(&id).unwrap_or_default(),
            logs: Vec::new(),
            artifacts: artifacts.remove(&id).unwrap_or_default(),
            snapshot: snapshots.remove(&id).and_then(|mut snapshots| snapshots.pop()),
            notes: notes.remove(&id).unwrap_or_default(),
            run,
        };
        found.insert(id, as_wire::summary(full));
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// What belongs to each run, in its order.
fn by_run<T>(loaded: impl IntoIterator<Item = (RunId, T)>) -> HashMap<RunId, Vec<T>> {
    let mut sorted: HashMap<RunId, Vec<T>> = HashMap::new();
    for (run, item) in loaded {
        sorted.entry(run).or_default().push(item);
    }
    sorted
}
