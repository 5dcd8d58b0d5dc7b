//! What is in the files of two runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use otrace_wire::{Artifact, ExperimentId, Sha256Digest, Snapshot, SnapshotFile};
use similar::TextDiff;

use super::{FileChange, Texts};

/// Longer files are compared by their hashes.
const TEXT_MAX: i64 = 1024 * 1024;
/// So long is looked for the shortest way to tell what differs in a file.
const DIFF_TIME: Duration = Duration::from_millis(500);
/// All diffs of a comparison together are at most so long, in bytes.
const DIFFS_MAX: usize = 8 * 1024 * 1024;
/// So long texts are asked for and compared in all.
const TIME: Duration = Duration::from_secs(5);
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

/// The files of two runs, whose texts are asked for when they are needed, as long as there is room and time for them.
pub(super) struct Files<'a, T> {
    texts: &'a T,
    experiments: [ExperimentId; 2],
    /// How long the diffs that are still to come may be, in bytes.
    room: usize,
    /// No text is asked for after it.
    deadline: Instant,
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
        Self { texts, experiments, room: DIFFS_MAX, deadline: Instant::now() + TIME }
    }

    /// The files that differ. Those for which no room or time is left are without a diff.
    pub(super) async fn changes(&mut self, [before, after]: [Vec<State>; 2]) -> Vec<FileChange> {
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
            let diff = self.difference(&path, before.as_ref(), after.as_ref()).await;
            changes.push(FileChange { path, before: was, after: is, diff });
        }
        changes
    }

    /// The texts of a file that both runs have, if they differ.
    pub(super) async fn texts(&self, before: &[State], after: &[State]) -> Option<[String; 2]> {
        let (before, after) = (before.first()?, after.first()?);
        if before.hash == after.hash || self.is_spent() {
            return None;
        }
        let [first, second] = self.experiments;
        Some([self.text(first, Some(before)).await?, self.text(second, Some(after)).await?])
    }

    /// Whether no further text is looked at.
    fn is_spent(&self) -> bool {
        self.room == 0 || Instant::now() >= self.deadline
    }

    /// What differs in a file, if both of its texts are to be had.
    async fn difference(&mut self, path: &str, before: Option<&State>, after: Option<&State>) -> Option<String> {
        if self.is_spent() {
            return None;
        }
        let [first, second] = self.experiments;
        let texts = [self.text(first, before).await, self.text(second, after).await];
        let [Some(before), Some(after)] = texts else { return None };
        let diff = self.diff(path, &before, &after);
        let left = self.room.checked_sub(diff.len());
        // The first one that is too long is the last: others would be looked for only to be thrown away as well.
        self.room = left.unwrap_or(0);
        left.map(|_| diff)
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
        let time = self.deadline.saturating_duration_since(Instant::now()).min(DIFF_TIME);
        let diff = TextDiff::configure().timeout(time).diff_lines(before, after);
        diff.unified_diff().context_radius(CONTEXT).header(&first, &second).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// Two texts of 1 MiB without a line in common, and how often they were asked for.
    #[derive(Default)]
    struct Long(AtomicUsize);

    impl Texts for Long {
        async fn text(&self, run: ExperimentId, _: &Sha256Digest) -> Option<String> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let letter = if run == ExperimentId::new(1) { "a" } else { "b" };
            Some(format!("{}\n", letter.repeat(1024 * 1024 - 1)))
        }
    }

    /// What a future gives that has nothing to wait for.
    fn at_once<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("there is nothing to wait for"),
        }
    }

    #[test]
    fn long_diffs_are_told_up_to_a_bound_and_all_other_changes_without_theirs() {
        let states = |digit: &str| -> Vec<State> {
            let state = |number| State {
                path: format!("{number}.txt"),
                hash: format!("sha256:{}", digit.repeat(64)),
                size: TEXT_MAX,
                text: None,
            };
            (0..10_000).map(state).collect()
        };
        let texts = Long::default();
        let mut files = Files::new(&texts, [1, 2].map(ExperimentId::new));
        let changes = at_once(files.changes([states("1"), states("2")]));
        assert_eq!(changes.len(), 10_000);
        let diffs: Vec<&String> = changes.iter().filter_map(|change| change.diff.as_ref()).collect();
        let bytes: usize = diffs.iter().map(|diff| diff.len()).sum();
        assert!(!diffs.is_empty() && bytes <= 8 * 1024 * 1024, "{} diffs of {bytes} bytes", diffs.len());
        let asked = texts.0.load(Ordering::Relaxed);
        assert!(asked <= 2 * (diffs.len() + 1), "{asked} texts for {} diffs", diffs.len());
        assert_eq!(at_once(files.texts(&states("1"), &states("2"))), None, "nor are lists of packages read");
    }
}
