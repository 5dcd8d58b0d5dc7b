//! Runs side by side: what was asked for, what they ran on, and what came out.
//!
//! What differs is found by `otrace_history::compare`, each run against the baseline; [`table`] puts those answers
//! side by side. The work is bounded: [`RUNS_MAX`] runs, texts up to a size each and in all ([`texts`]), and of series
//! as many points as are drawn.

mod table;
mod texts;

use std::collections::{BTreeMap, HashSet};

use otrace_history::compare::{Comparison, compare};
use otrace_wire::{self as wire, ExperimentId, RunStatus, Sha256Digest};
use sqlx::PgConnection;

use crate::app::AppState;
use crate::domain::result::Directions;
use crate::domain::snapshot::SnapshotFileKind;
use crate::domain::{Artifact, ProjectId, Run, RunId, RunRef, RunResult, Snapshot, parameters};
use crate::error::{AppError, Result};
use crate::services::projects;
use crate::services::runs::{FullRun, as_wire};
use crate::services::series::{self, Chart};
use crate::store;
use crate::store::lineage::LineageRun;
use texts::ProjectTexts;

pub use table::{ResultRow, Section, SectionKind, ValueRow};

/// So many runs are compared at most.
pub const RUNS_MAX: usize = 20;
/// So many runs are offered to be chosen.
const CANDIDATES: i64 = 50;
/// So many configs of a run are read.
const CONFIGS_MAX: usize = 20;
/// All runs together get about so many points on a page of charts.
const POINTS: usize = 4_800;
/// A curve has no fewer points than this, and no more than that.
const CURVE_POINTS: (usize, usize) = (40, 200);

/// A run that is compared.
#[derive(Debug)]
pub struct ComparedRun {
    /// The run.
    pub run: Run,
    /// Named values at its end.
    pub results: Vec<RunResult>,
    /// The files kept with it.
    pub artifacts: Vec<Artifact>,
    /// The state that it ran on.
    pub snapshot: Option<Snapshot>,
}

/// A run that was asked for, in its place.
#[derive(Debug)]
pub enum Column {
    /// It is there.
    Run(Box<ComparedRun>),
    /// It was deleted; its column stays.
    Deleted {
        /// Its number.
        experiment: ExperimentId,
        /// What it was called.
        heading: String,
    },
}

/// Runs side by side.
#[derive(Debug, Default)]
pub struct Compared {
    /// The runs, in the order in which they were asked for.
    pub columns: Vec<Column>,
    /// Those of which the project has none.
    pub unknown: Vec<ExperimentId>,
    /// Which column the others are compared with; `None`: there is no run left.
    pub baseline: Option<usize>,
    /// What was asked for and what they ran on; never a section without rows.
    pub sections: Vec<Section>,
    /// What came out.
    pub results: Vec<ResultRow>,
    /// Which way results get better.
    pub directions: Directions,
}

/// The curves of some series.
#[derive(Debug)]
pub struct Curves {
    /// Each series by its name, with the run that each curve belongs to by its place among those asked for.
    pub charts: Vec<(String, Vec<(usize, Chart)>)>,
    /// Whether more series are shared.
    pub has_more: bool,
}

impl Column {
    /// Its run, if that is there.
    pub fn run(&self) -> Option<&ComparedRun> {
        match self {
            Self::Run(run) => Some(run),
            Self::Deleted { .. } => None,
        }
    }

    /// The run's number.
    pub fn experiment(&self) -> ExperimentId {
        match self {
            Self::Run(run) => run.run.experiment_id(),
            Self::Deleted { experiment, .. } => *experiment,
        }
    }
}

impl ComparedRun {
    /// The run as clients read it, without texts.
    fn to_wire(&self) -> wire::Run {
        let full = FullRun {
            run: self.run.clone(),
            results: self.results.clone(),
            tables: Vec::new(),
            logs: Vec::new(),
            artifacts: self.artifacts.clone(),
            snapshot: self.snapshot.clone(),
            notes: Vec::new(),
        };
        let mut run = as_wire::summary(full);
        for (told, artifact) in run.artifacts.iter_mut().zip(&self.artifacts) {
            // The hash that was checked, whatever the client said.
            if let Some(digest) = artifact.sha256 {
                told.hash = Some(digest.to_string());
            }
        }
        run
    }

    /// The lists of what was installed.
    fn packages(&self) -> impl Iterator<Item = Sha256Digest> {
        let files = self.snapshot.iter().flat_map(|snapshot| &snapshot.files);
        files.filter(|file| file.kind == SnapshotFileKind::Packages).map(|file| file.sha256)
    }
}

/// Puts runs side by side, at most [`RUNS_MAX`], against one of them; against the first, where that one is not there.
pub async fn show(app: &AppState, project_id: ProjectId, numbers: &[i32], baseline: Option<i32>) -> Result<Compared> {
    let (columns, unknown) = columns(app, project_id, numbers).await?;
    let is_baseline = |column: &Column| column.run().is_some_and(|run| Some(run.run.number) == baseline);
    let first = || columns.iter().position(|column| column.run().is_some());
    let place = columns.iter().position(is_baseline).or_else(first);
    let Some((place, base)) = place.and_then(|place| Some((place, columns[place].run()?.to_wire()))) else {
        return Ok(Compared { columns, unknown, ..Compared::default() });
    };
    let parameters = read_parameters(app, project_id, &columns).await;
    let (own, changes) = compare_all(app, project_id, &columns, place, &base).await;
    let sections = table::sections(&columns, place, &own, &changes, &parameters);
    let directions = projects::directions(app, project_id).await?;
    let results = table::results(&columns, &directions);
    Ok(Compared { columns, unknown, baseline: Some(place), sections, results, directions })
}

/// The newest runs, of which some may be chosen to be compared.
pub async fn candidates(app: &AppState, project_id: ProjectId) -> Result<Vec<LineageRun>> {
    Ok(store::lineage::newest(&mut *app.pool.acquire().await?, project_id, CANDIDATES).await?)
}

/// What differs between two runs, with the differences within their files.
pub async fn code(app: &AppState, project_id: ProjectId, before: i32, after: i32) -> Result<Comparison> {
    let (columns, _) = columns(app, project_id, &[before, after]).await?;
    let run_of = |number: i32| {
        let found = columns.iter().filter_map(Column::run).find(|run| run.run.number == number);
        found.map(ComparedRun::to_wire).ok_or(AppError::NotFound("Run"))
    };
    let (before, after) = (run_of(before)?, run_of(after)?);
    let (app, handle) = (app.clone(), tokio::runtime::Handle::current());
    // Looking for what differs in long texts takes a processor for a while.
    let compared = tokio::task::spawn_blocking(move || {
        let texts = ProjectTexts::of_all(&app, project_id);
        handle.block_on(compare(&texts, &before, &after))
    });
    Ok(compared.await.map_err(anyhow::Error::new)?)
}

/// The curves of the series that at least two of the runs have, so many of them after the first `skip`.
pub async fn curves(
    app: &AppState,
    project_id: ProjectId,
    runs: &[RunId],
    text: &str,
    skip: usize,
    limit: usize,
) -> Result<Curves> {
    let [skip, more] = [skip, limit + 1].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
    let text = text.trim().to_lowercase();
    let mut connection = app.pool.acquire().await?;
    let mut names = store::comparison::shared_series(&mut connection, project_id, runs, &text, skip, more).await?;
    drop(connection);
    let has_more = names.len() > limit;
    names.truncate(limit);
    let points = (POINTS / (runs.len() * names.len()).max(1)).clamp(CURVE_POINTS.0, CURVE_POINTS.1);
    let mut charts: Vec<(String, Vec<(usize, Chart)>)> = names.iter().map(|name| (name.clone(), Vec::new())).collect();
    if names.is_empty() {
        return Ok(Curves { charts, has_more });
    }
    // One run after the other: so no more than its points are in memory at once.
    for (place, run) in runs.iter().enumerate() {
        for chart in series::charts(app, project_id, RunRef::Id(*run), &names, points).await? {
            if let Some((_, curves)) = charts.iter_mut().find(|(name, _)| *name == chart.series.name) {
                curves.push((place, chart));
            }
        }
    }
    Ok(Curves { charts, has_more })
}

/// The runs with these numbers in this order, and the numbers that no run has.
async fn columns(app: &AppState, project_id: ProjectId, numbers: &[i32]) -> Result<(Vec<Column>, Vec<ExperimentId>)> {
    let mut connection = app.pool.acquire().await?;
    let named = store::comparison::named_runs(&mut connection, project_id, numbers).await?;
    let ids: Vec<RunId> = named.iter().filter(|run| !run.is_deleted).map(|run| run.id).collect();
    let mut loaded = load(&mut connection, project_id, &ids).await?;
    let (mut columns, mut unknown) = (Vec::with_capacity(numbers.len()), Vec::new());
    for number in numbers {
        let experiment = ExperimentId::new(*number);
        let found = named.iter().find(|run| run.number == *number);
        match (loaded.remove(number), found) {
            (Some(run), _) => columns.push(Column::Run(Box::new(run))),
            (None, Some(run)) => columns.push(Column::Deleted { experiment, heading: run.heading.clone() }),
            (None, None) => unknown.push(experiment),
        }
    }
    Ok((columns, unknown))
}

/// What is compared of these runs, by their numbers: one query per table.
async fn load(
    connection: &mut PgConnection,
    project_id: ProjectId,
    ids: &[RunId],
) -> Result<BTreeMap<i32, ComparedRun>> {
    let runs = store::runs::load(connection, project_id, ids).await?;
    let mut results = store::results::list(connection, project_id, ids).await?;
    let mut artifacts = store::artifacts::list(connection, project_id, ids).await?;
    let mut snapshots = store::snapshots::list(connection, project_id, ids).await?;
    let compared = runs.into_iter().map(|run| {
        let compared = ComparedRun {
            results: results.extract_if(.., |(id, _)| *id == run.id).map(|(_, result)| result).collect(),
            artifacts: artifacts.extract_if(.., |artifact| artifact.run_id == run.id).collect(),
            snapshot: snapshots.extract_if(.., |(id, _)| *id == run.id).map(|(_, snapshot)| snapshot).last(),
            run,
        };
        (compared.run.number, compared)
    });
    Ok(compared.collect())
}

/// The parameters of each run's configs, by the paths of those that can be read.
async fn read_parameters(
    app: &AppState,
    project_id: ProjectId,
    columns: &[Column],
) -> Vec<BTreeMap<String, BTreeMap<String, String>>> {
    let texts = ProjectTexts::of_all(app, project_id);
    let mut all = Vec::with_capacity(columns.len());
    for column in columns {
        let artifacts = column.run().map(|run| run.artifacts.as_slice()).unwrap_or_default();
        let configs = artifacts.iter().filter(|artifact| artifact.kind == "config").take(CONFIGS_MAX);
        let configs: Vec<(&String, Sha256Digest)> =
            configs.filter_map(|config| Some((config.original_path.as_ref()?, config.sha256?))).collect();
        let mut files = BTreeMap::new();
        for (path, digest) in configs {
            let text = texts.read(&digest).await;
            if let Some(found) = text.and_then(|text| parameters::read(path, &text)) {
                files.insert(path.clone(), found);
            }
        }
        all.push(files);
    }
    all
}

/// Compares the baseline with a run that has nothing, which tells all that it has, and each run with the baseline.
async fn compare_all(
    app: &AppState,
    project_id: ProjectId,
    columns: &[Column],
    place: usize,
    base: &wire::Run,
) -> (Comparison, Vec<(usize, Comparison)>) {
    let runs: Vec<(usize, &ComparedRun)> =
        columns.iter().enumerate().filter_map(|(place, column)| Some((place, column.run()?))).collect();
    // What differs within files is not asked for here, only which packages do.
    let packages: HashSet<Sha256Digest> = runs.iter().flat_map(|(_, run)| run.packages()).collect();
    let texts = ProjectTexts::only(app, project_id, packages);
    let own = compare(&texts, &with_nothing(base), base).await;
    let mut changes = Vec::with_capacity(runs.len());
    for (other, run) in runs {
        if other != place {
            changes.push((other, compare(&texts, base, &run.to_wire()).await));
        }
    }
    (own, changes)
}

/// A run like this one of which nothing is known.
fn with_nothing(run: &wire::Run) -> wire::Run {
    wire::Run {
        title: None,
        intent: String::new(),
        setup: String::new(),
        command: String::new(),
        status: RunStatus::Created,
        tags: Vec::new(),
        working_directory: None,
        results: Vec::new(),
        tables: Vec::new(),
        logs: Vec::new(),
        artifacts: Vec::new(),
        snapshot: None,
        notes: Vec::new(),
        ..run.clone()
    }
}
