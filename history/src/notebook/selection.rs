//! Which of a project's runs a notebook has, and in which order.

use std::collections::{HashMap, HashSet};

use otrace_wire::{ExperimentId, Run};

use super::{Mode, is_insight};

/// The runs of a mode, the oldest first.
pub(super) fn of(runs: &[Run], mode: Mode, active: Option<ExperimentId>) -> Vec<&Run> {
    let mut chosen: Vec<&Run> = match mode {
        Mode::Chronological => runs.iter().collect(),
        Mode::Insights => runs.iter().filter(|run| run.notes.iter().any(|note| is_insight(&note.text))).collect(),
        Mode::Branch => {
            let branch = active.map(|active| branch(runs, active)).unwrap_or_default();
            runs.iter().filter(|run| branch.contains(&run.experiment_id)).collect()
        }
    };
    chosen.sort_by_key(|run| (run.created_at, run.experiment_id));
    chosen
}

/// A run, those that it goes on from, and those that go on from it.
fn branch(runs: &[Run], active: ExperimentId) -> HashSet<ExperimentId> {
    let parents: HashMap<ExperimentId, Option<ExperimentId>> =
        runs.iter().map(|run| (run.experiment_id, run.parent)).collect();
    let mut children: HashMap<ExperimentId, Vec<ExperimentId>> = HashMap::new();
    for (run, parent) in &parents {
        if let Some(parent) = parent {
            children.entry(*parent).or_default().push(*run);
        }
    }
    // Each run once, however they refer to each other.
    let mut branch = HashSet::new();
    let mut next = Some(active).filter(|active| parents.contains_key(active));
    while let Some(run) = next.filter(|run| branch.insert(*run)) {
        next = parents.get(&run).copied().flatten().filter(|parent| parents.contains_key(parent));
    }
    let mut found: Vec<ExperimentId> = children.get(&active).into_iter().flatten().copied().collect();
    while let Some(run) = found.pop() {
        if parents.contains_key(&active) && branch.insert(run) {
            found.extend(children.get(&run).into_iter().flatten().copied());
        }
    }
    branch
}
