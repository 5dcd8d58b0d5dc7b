//! What is in the files of two runs.

use std::collections::BTreeMap;
use std::time::Duration;

use otrace_wire::{Artifact, ExperimentId, Sha256Digest, Snapshot, SnapshotFile};
use similar::TextDiff;

use super::{FileChange, Texts};

/// Longer files are compared by their hashes.
const TEXT_MAX: i64 = 1024 * 1024;
/// So long is looked for the shortest way to tell what differs in a file.
const DIFF_TIME: Duration = Duration::from_millis(500);
/// So many lines around a change are shown.
const CONTEXT: usize = 3;

/// A file as it was in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// What it is called in both runs.
    pub(super) path: String,
    pub(super) hash: String,
    size: i64,
    /// Its text, if it is at hand.
    text: Option<String>,
}

/// The files of two runs, whose texts are asked for when they are needed.
pub(super) struct Files<'a, T> {
    texts: &'a T,
    experiments: [ExperimentId; 2],
}

/// The files of these kinds.
pub(super) fn of_snapshot(state: &Snapshot, kinds: &[&str]) -> Vec<State> {
    let files = state.files.iter().filter(|file| kinds.contains(&file.kind.as_str()));
    let state = |file: &SnapshotFile| State {
        // Our own files are called after their runs.
        path: match file.kind.as_str() {
            "staged_diff" => "staged changes".to_owned(),
            "dirty_diff" => "changes that are not staged".to_owned(),
            _ => file.path.clone(),
        },
        hash: file.hash.to_string(),
        size: file.size_bytes,
        text: None,
    };
    files.map(state).collect()
}

/// The declared configs.
pub(super) fn configs(artifacts: &[Artifact]) -> Vec<State> {
    let configs = artifacts.iter().filter(|artifact| artifact.kind.as_deref() == Some("config"));
    let state = |artifact: &Artifact| {
        Some(State {
            path: artifact.original_path.clone()?,
            hash: artifact.hash.clone()?,
            size: artifact.size_bytes?,
            text: artifact.text_content.clone(),
        })
    };
    configs.filter_map(state).collect()
}

impl<'a, T: Texts> Files<'a, T> {
    pub(super) fn new(texts: &'a T, experiments: [ExperimentId; 2]) -> Self {
        Self { texts, experiments }
    }

    /// The files that differ.
    pub(super) async fn changes(&self, [before, after]: [Vec<State>; 2]) -> Vec<FileChange> {
        let mut pairs: BTreeMap<String, [Option<State>; 2]> = BTreeMap::new();
        for (side, states) in [before, after].into_iter().enumerate() {
            for state in states {
                let pair = pairs.entry(state.path.clone()).or_default();
                pair[side] = Some(state);
            }
        }
        let mut changes = Vec::new();
        for (path, [before, after]) in pairs {
            let [was, is] = [&before, &after].map(|state| state.as_ref().map(|state| state.hash.clone()));
            if was == is {
                continue;
            }
            let [first, second] = self.experiments;
            let texts = [self.text(first, before.as_ref()).await, self.text(second, after.as_ref()).await];
            let diff = match &texts {
                [Some(before), Some(after)] => Some(self.diff(&path, before, after)),
                _ => None,
            };
            changes.push(FileChange { path, before: was, after: is, diff });
        }
        changes
    }

    /// The texts of a file that both runs have, if they differ.
    pub(super) async fn texts(&self, before: &[State], after: &[State]) -> Option<[String; 2]> {
        let (before, after) = (before.first()?, after.first()?);
        if before.hash == after.hash {
            return None;
        }
        let [first, second] = self.experiments;
        Some([self.text(first, Some(before)).await?, self.text(second, Some(after)).await?])
    }

    /// A text of a run. A file that is not there has none in it.
    async fn text(&self, run: ExperimentId, state: Option<&State>) -> Option<String> {
        let Some(state) = state else { return Some(String::new()) };
        if let Some(text) = &state.text {
            return Some(text.clone());
        }
        let digest: Sha256Digest = state.hash.parse().ok()?;
        if state.size > TEXT_MAX {
            return None;
        }
        self.texts.text(run, &digest).await.filter(|text| !text.contains('\0'))
    }

    fn diff(&self, path: &str, before: &str, after: &str) -> String {
        let [first, second] = self.experiments.map(|experiment| format!("{experiment}/{path}"));
        let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(before, after);
        diff.unified_diff().context_radius(CONTEXT).header(&first, &second).to_string()
    }
}
