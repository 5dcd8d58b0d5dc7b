//! Where a run stands among the others of its project: what it went on from, what went on from it, and how good its
//! results are.

mod curves;

use std::collections::HashMap;

use otrace_wire::ExperimentId;

use crate::app::AppState;
use crate::domain::result::{Direction, Directions};
use crate::domain::{ProjectId, Run, RunId, RunRef, RunResult};
use crate::error::{AppError, Result};
use crate::services::projects;
use crate::store;
use crate::store::run_relations::{DeletedRun, RelatedRun};
use crate::store::standings::{Asked, Standing};

pub use curves::{Curve, curves};

/// So many children of a run are named.
const CHILDREN: i64 = 6;
/// So many runs are named that have a note about this one.
const MENTIONS: i64 = 20;
/// So many runs are named on either side of one that is not there.
const NEAREST: i64 = 2;
/// So many of a run's results have their rank counted.
const RANKED: usize = 30;
/// A rank is counted up to this many runs: further on it says little, and would take long in a large project.
pub const RANK_LIMIT: i64 = 100;

/// Where a run stands.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// What it went on from, the oldest first: its parent last.
    pub ancestors: Vec<RelatedRun>,
    /// What went on from it, the oldest first.
    pub children: Vec<RelatedRun>,
    /// Whether there are more children than are named.
    pub has_more_children: bool,
    /// The parent's results.
    pub parent_results: Vec<RunResult>,
    /// The name of the result by which the related runs are told apart.
    pub main_result: Option<String>,
    /// What the run and the related ones have of it.
    pub main_values: HashMap<RunId, f64>,
    /// Where the run's results stand, by their names.
    pub standings: HashMap<String, Standing>,
    /// Which way they get better.
    pub directions: Directions,
}

/// What surrounds a run.
pub async fn surroundings(app: &AppState, run: &Run, results: &[RunResult]) -> Result<Surroundings> {
    let (project_id, mut connection) = (run.project_id, app.pool.acquire().await?);
    let mut ancestors = Vec::new();
    if let Some(parent) = store::run_relations::parent(&mut connection, project_id, run.id).await? {
        let grandparent = store::run_relations::parent(&mut connection, project_id, parent.id).await?;
        ancestors.extend(grandparent);
        ancestors.push(parent);
    }
    // One more than is named tells whether there are more.
    let mut children = store::run_relations::children(&mut connection, project_id, run.id, CHILDREN + 1).await?;
    let has_more_children = i64::try_from(children.len()).unwrap_or_default() > CHILDREN;
    children.truncate(usize::try_from(CHILDREN).unwrap_or_default());

    let parent_results = match ancestors.last() {
        Some(parent) => store::results::list(&mut connection, project_id, &[parent.id]).await?,
        None => Vec::new(),
    };
    let directions = projects::directions_in(&mut connection, project_id).await?;
    let asked = asked(&directions, results);
    let main_result = asked.first().map(|asked| asked.name.clone());
    let mut main_values = HashMap::new();
    if let Some(name) = &main_result
        && !(ancestors.is_empty() && children.is_empty())
    {
        let ids: Vec<RunId> = ancestors.iter().chain(&children).map(|related| related.id).chain([run.id]).collect();
        for (id, value) in store::standings::values(&mut connection, project_id, &ids, name).await? {
            main_values.entry(id).or_insert(value);
        }
    }
    let counted = store::standings::of(&mut connection, project_id, &asked, RANK_LIMIT).await?;
    let standings = asked.into_iter().map(|asked| asked.name).zip(counted).collect();
    Ok(Surroundings {
        ancestors,
        children,
        has_more_children,
        parent_results: parent_results.into_iter().map(|(_, result)| result).collect(),
        main_result,
        main_values,
        standings,
        directions,
    })
}

/// Which values are better than those of these results. Of several with one name the first counts.
fn asked(directions: &Directions, results: &[RunResult]) -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    for result in results {
        let Some(number) = result.number.filter(|number| !number.is_nan()) else { continue };
        if asked.len() == RANKED || asked.iter().any(|asked| asked.name == result.name) {
            continue;
        }
        let (above, below) = match directions.of(&result.name) {
            Direction::Higher => (number, f64::NAN),
            Direction::Lower => (f64::NEG_INFINITY, number),
        };
        asked.push(Asked { name: result.name.clone(), above, below });
    }
    asked
}

/// The runs that have a note about this one, the newest first.
pub async fn mentions(app: &AppState, run: &Run) -> Result<Vec<RelatedRun>> {
    let (mut connection, name) = (app.pool.acquire().await?, run.experiment_id().to_string());
    Ok(store::run_relations::mentioning(&mut connection, run.project_id, run.id, &name, MENTIONS).await?)
}

/// The number of a run, also of a deleted one.
pub async fn experiment(app: &AppState, project_id: ProjectId, run: RunRef) -> Result<ExperimentId> {
    let id = match run {
        RunRef::Experiment(experiment) => return Ok(experiment),
        RunRef::Id(id) => id,
    };
    let number = store::run_relations::number(&mut *app.pool.acquire().await?, project_id, id).await?;
    number.map(ExperimentId::new).ok_or(AppError::NotFound("Run"))
}

/// What there is in the place of a run that is not found.
#[derive(Debug)]
pub enum Missing {
    /// It was deleted, and can be restored.
    Deleted(DeletedRun),
    /// It never was; these are the next ones by their numbers.
    Unknown(Vec<RelatedRun>),
}

/// What there is in the place of a run that is not found.
pub async fn missing(app: &AppState, project_id: ProjectId, run: Option<RunRef>) -> Result<Missing> {
    let mut connection = app.pool.acquire().await?;
    if let Some(run) = run
        && let Some(id) = store::run_edits::resolve_also_deleted(&mut connection, project_id, run).await?
        && let Some(deleted) = store::run_relations::deleted(&mut connection, project_id, id).await?
    {
        return Ok(Missing::Deleted(deleted));
    }
    // Nothing is near what is no number: then the newest runs are named.
    let number = match run {
        Some(RunRef::Experiment(experiment)) => experiment.number(),
        _ => i32::MAX,
    };
    let nearest = store::run_relations::nearest(&mut connection, project_id, number, NEAREST).await?;
    Ok(Missing::Unknown(nearest))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    fn result(name: &str, number: f64) -> RunResult {
        RunResult {
            kind: "scalar".to_owned(),
            name: name.to_owned(),
            value: Value::Null,
            number: Some(number),
            source_path: None,
            line: None,
            row_index: None,
            column_name: None,
            table_index: None,
            metadata: Map::new(),
        }
    }

    #[test]
    fn better_is_above_or_below_as_the_name_says_and_each_name_is_asked_once() {
        let results =
            [result("accuracy", 0.9), result("loss", 0.2), result("accuracy", 0.8), result("broken", f64::NAN)];
        let asked = asked(&Directions::default(), &results);
        let names: Vec<_> = asked.iter().map(|asked| asked.name.as_str()).collect();
        assert_eq!(names, ["accuracy", "loss"]);
        assert!(asked[0].above.total_cmp(&0.9).is_eq() && asked[0].below.is_nan());
        assert!(asked[1].above.is_infinite() && asked[1].below.total_cmp(&0.2).is_eq());
    }
}
