//! What changed between two runs: how they were run, their code, configs, packages, machines and results.
//!
//! [`compare`] asks for the files that differ and are texts; [`fields`] compares values, [`files`] what is in files.

mod fields;
mod files;

use std::future::Future;

use otrace_wire::{ExperimentId, Run, Sha256Digest, Snapshot};
use serde::Serialize;
use serde_json::Value;

use files::{Files, State};

/// Where the texts of files are to be had.
pub trait Texts: Sync {
    /// The text that a run names by its hash; `None`: it is not there, too long, or no text.
    fn text(&self, run: ExperimentId, sha256: &Sha256Digest) -> impl Future<Output = Option<String>> + Send;
}

/// What differs. What is the same on both sides is not in it.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The first run.
    pub before: Side,
    /// The second one.
    pub after: Side,
    /// What was asked for, and how it ended.
    pub run: Vec<FieldChange>,
    /// Commit and branch.
    pub code: Vec<FieldChange>,
    /// What was not committed, and files that git does not track.
    pub patches: Vec<FileChange>,
    /// Declared configs.
    pub configs: Vec<FileChange>,
    /// The files that say which packages are wanted.
    pub dependencies: Vec<FileChange>,
    /// What was installed.
    pub packages: Vec<FieldChange>,
    /// The machine, and the Python on it.
    pub environment: Vec<FieldChange>,
    /// Named values at the end.
    pub results: Vec<ResultChange>,
    /// How many results are the same.
    pub same_results: usize,
}

/// One of the two runs.
#[derive(Debug, Serialize)]
pub struct Side {
    /// Its number.
    pub experiment_id: ExperimentId,
    /// Its title.
    pub title: Option<String>,
}

/// A value that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// What it is called.
    pub name: String,
    /// What it was; nothing, if it was not there.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its path.
    pub path: String,
    /// The hash of what it was; nothing, if it was not there.
    pub before: Option<String>,
    /// The hash of what it is.
    pub after: Option<String>,
    /// What differs in it, as a unified diff, where both are texts that are known, and the diffs before have left room
    /// and time for it.
    pub diff: Option<String>,
}

/// A result that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResultChange {
    /// What it measures.
    pub name: String,
    /// What it was; nothing, if it was not there.
    pub before: Option<Value>,
    /// What it is.
    pub after: Option<Value>,
    /// How much more it is, where both are numbers.
    pub difference: Option<f64>,
    /// The same in percent of what it was.
    pub percent: Option<f64>,
}

impl Comparison {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        let fields = [&self.run, &self.code, &self.packages, &self.environment];
        let files = [&self.patches, &self.configs, &self.dependencies];
        fields.iter().all(|changes| changes.is_empty())
            && files.iter().all(|changes| changes.is_empty())
            && self.results.is_empty()
    }
}

/// Compares two runs. Files whose texts are not to be had are compared by their hashes alone.
pub async fn compare(texts: &impl Texts, before: &Run, after: &Run) -> Comparison {
    let none = Snapshot::default();
    let states = [before, after].map(|run| run.snapshot.as_ref().unwrap_or(&none));
    let of_kinds = |kinds: &[&str]| states.map(|state| files::of_snapshot(state, kinds));
    let mut files = Files::new(texts, [before.experiment_id, after.experiment_id]);
    // The packages first: of them nothing at all could be told once room or time have run out.
    let [before_packages, after_packages] = of_kinds(&["packages"]);
    let packages = files.texts(&before_packages, &after_packages).await;
    let patches = files.changes(of_kinds(&["staged_diff", "dirty_diff", "untracked"])).await;
    let dependencies = files.changes(of_kinds(&["dependency"])).await;
    let configs: [Vec<State>; 2] = [before, after].map(|run| files::configs(&run.artifacts));
    let (results, same_results) = fields::results(&before.results, &after.results);
    Comparison {
        before: side(before),
        after: side(after),
        run: fields::of_runs(before, after),
        code: fields::of_code(states[0], states[1]),
        patches,
        configs: files.changes(configs).await,
        dependencies,
        packages: packages.map(|[before, after]| fields::packages(&before, &after)).unwrap_or_default(),
        environment: fields::of_environment(states[0], states[1]),
        results,
        same_results,
    }
}

fn side(run: &Run) -> Side {
    Side { experiment_id: run.experiment_id, title: run.title.clone() }
}
