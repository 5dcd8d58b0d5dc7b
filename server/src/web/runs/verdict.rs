//! How well the code that a run ran on can be got back, in a sentence.

use otrace_wire::details::{HowWell, Rebuild};

use crate::domain::Snapshot;
use crate::domain::snapshot::SnapshotFileKind;
use crate::web::{format, terminal};

/// What the state of the tree means.
pub(super) struct Verdict {
    pub(super) is_warning: bool,
    pub(super) text: String,
    /// Why not fully, where there is more than one reason.
    pub(super) reasons: Vec<String>,
}

impl Verdict {
    pub(super) fn of(snapshot: &Snapshot, has_diffs: bool) -> Self {
        snapshot
            .rebuild
            .as_ref()
            .map_or_else(|| Self::guessed(snapshot, has_diffs), |rebuild| Self::told(rebuild, snapshot, has_diffs))
    }

    /// What the client that saw the tree says.
    fn told(rebuild: &Rebuild, snapshot: &Snapshot, has_diffs: bool) -> Self {
        let mut reasons: Vec<_> = rebuild.reasons.iter().map(|reason| terminal::clean(reason)).collect();
        let whole = match rebuild.how_well {
            HowWell::Fully => "Can be rebuilt fully",
            HowWell::Partly => "Can be rebuilt partly",
            HowWell::No => "Can't be rebuilt",
        };
        let mut text = match reasons.as_slice() {
            [] => format!("{whole}."),
            [reason] => format!("{whole}, because {reason}."),
            _ => format!("{whole}, because:"),
        };
        if reasons.len() < 2 {
            reasons.clear();
        }
        if rebuild.how_well == HowWell::Fully {
            text = format!("{text} {}", Self::recipe(snapshot, has_diffs));
        }
        Self { is_warning: rebuild.how_well != HowWell::Fully, text, reasons }
    }

    /// What to do, in the order in which it has to be done.
    fn recipe(snapshot: &Snapshot, has_diffs: bool) -> String {
        let has = |kind| snapshot.files.iter().any(|file| file.kind == kind);
        let commit = snapshot.git_commit.as_deref().map(|commit| format::short(&terminal::clean(commit), 7));
        let steps = [
            has(SnapshotFileKind::GitBundle).then(|| "fetch from the bundle".to_owned()),
            Some(commit.map_or_else(|| "make an empty repository".to_owned(), |commit| format!("check out {commit}"))),
            has_diffs.then(|| "apply the changes below, staged ones first".to_owned()),
            has(SnapshotFileKind::Untracked).then(|| "add the untracked files".to_owned()),
        ];
        let steps: Vec<_> = steps.into_iter().flatten().collect();
        format!("To get back what ran: {}.", steps.join(", then "))
    }

    /// What follows from what an older client tells.
    fn guessed(snapshot: &Snapshot, has_diffs: bool) -> Self {
        let commit = snapshot.git_commit.as_deref().map(|commit| format::short(&terminal::clean(commit), 7));
        let was_dirty = snapshot.git_dirty.unwrap_or(has_diffs || snapshot.dirty_diff_path.is_some());
        let (is_warning, text) = match (commit, was_dirty) {
            (None, _) => (
                true,
                "The command ran outside of a git repository, or before its first commit. Its code was not recorded."
                    .to_owned(),
            ),
            (Some(commit), true) if has_diffs => (
                true,
                format!(
                    "The working tree was not clean. To get back what ran, check out {commit} and apply the changes below, staged ones first."
                ),
            ),
            (Some(commit), true) => (
                true,
                format!(
                    "The working tree was not clean, and its changes stayed on the machine. {commit} alone may not be what ran."
                ),
            ),
            (Some(commit), false) => (false, format!("The working tree was clean: {commit} is what ran.")),
        };
        Self { is_warning, text, reasons: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_says_what_is_needed_to_get_it_back() {
        let snapshot = |commit: Option<&str>, git_dirty| Snapshot {
            git_commit: commit.map(str::to_owned),
            git_dirty,
            ..Snapshot::default()
        };
        assert!(Verdict::of(&snapshot(None, None), false).text.contains("outside of a git repository"));
        assert!(!Verdict::of(&snapshot(Some("9f3c2e1"), Some(false)), false).is_warning);
        assert!(Verdict::of(&snapshot(Some("9f3c2e1"), Some(true)), true).text.contains("staged ones first"));
        assert!(Verdict::of(&snapshot(Some("9f3c2e1"), Some(true)), false).text.contains("stayed on the machine"));
    }
    #[test]
    fn what_the_client_says_goes_before_what_can_be_guessed() {
        let told = |how_well, reasons: &[&str]| Snapshot {
            git_commit: Some("9f3c2e1".to_owned()),
            git_dirty: Some(false),
            rebuild: Some(Rebuild {
                how_well,
                reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
                ..Rebuild::default()
            }),
            ..Snapshot::default()
        };
        let fully = Verdict::of(&told(HowWell::Fully, &[]), false);
        assert_eq!(fully.text, "Can be rebuilt fully. To get back what ran: check out 9f3c2e1.");
        assert!(!fully.is_warning);
        let partly = Verdict::of(&told(HowWell::Partly, &["a file was left out"]), false);
        assert_eq!(partly.text, "Can be rebuilt partly, because a file was left out.");
        assert!(partly.is_warning && partly.reasons.is_empty());
        let no = Verdict::of(&told(HowWell::No, &["it is on no remote", "a file was left out"]), false);
        assert_eq!((no.text.as_str(), no.reasons.len()), ("Can't be rebuilt, because:", 2));
    }
}
