//! The code that a run ran on: commit, what was not committed, dependencies, and whether that is all.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otrace_wire::details::{Hardware, HowWell, LeftOut, Rebuild, Submodule};

use super::{RunHeader, RunTab, open};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::snapshot::{SnapshotFile, SnapshotFileKind};
use crate::domain::{ProjectId, Snapshot};
use crate::error::Result;
use crate::extract::Path;
use crate::services;
use crate::web::diff::{self, FileDiff};
use crate::web::format;
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};

/// How much of a diff is shown.
const DIFF_BYTES: u64 = 256 * 1024;
/// How many files of a diff are open from the start.
const OPEN_FILES: usize = 8;
/// The files that can be downloaded, in the order in which they are needed.
const FILE_GROUPS: [(SnapshotFileKind, &str); 3] = [
    (SnapshotFileKind::GitBundle, "Commits on no remote"),
    (SnapshotFileKind::Untracked, "Untracked files"),
    (SnapshotFileKind::Packages, "Installed packages"),
];

#[derive(Template)]
#[template(path = "runs/code.html")]
struct CodePage {
    shell: Shell,
    head: RunHeader,
    commit: Option<String>,
    branch: Option<String>,
    remote: Option<String>,
    /// What the state of the tree means for who wants it back.
    verdict: Verdict,
    diffs: Vec<Diff>,
    files: Vec<ChangedFile>,
    dependencies: Vec<Dependency>,
    groups: Vec<FileGroup>,
    left_out: Vec<Detail>,
    submodules: Vec<Detail>,
    hardware: Vec<Detail>,
    added: usize,
    removed: usize,
    has_snapshot: bool,
    is_over: bool,
}

/// What the state of the tree means.
struct Verdict {
    is_warning: bool,
    text: String,
    /// Why not fully, where there is more than one reason.
    reasons: Vec<String>,
}

/// Files of one kind.
struct FileGroup {
    title: &'static str,
    files: Vec<Dependency>,
}

/// Something with a name, and what there is to say about it.
struct Detail {
    name: String,
    text: String,
}

/// A diff that was uploaded.
struct Diff {
    label: &'static str,
    raw_url: String,
    is_cut: bool,
}

/// The changes of one file.
struct ChangedFile {
    anchor: String,
    is_staged: bool,
    is_open: bool,
    change: FileDiff,
}

/// A file that can be downloaded, or was merely there.
struct Dependency {
    path: String,
    size: Option<String>,
    raw_url: Option<String>,
}

/// `GET /projects/{slug}/runs/{run}/code`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, run)): Path<(String, String)>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Code).await?;
    let snapshot = view.full.snapshot.as_ref();
    let empty = Snapshot::default();
    let state = snapshot.unwrap_or(&empty);
    let (diffs, files) = read_diffs(&app, member.project.id, &head.base, state).await?;
    Ok(page(&CodePage {
        commit: state.git_commit.as_deref().map(terminal::clean),
        branch: state.git_branch.as_deref().map(terminal::clean),
        remote: state.git_remote_url.as_deref().map(terminal::clean),
        verdict: Verdict::of(state, !diffs.is_empty()),
        dependencies: dependencies(&head.base, state),
        groups: groups(&head.base, state),
        left_out: state.rebuild.iter().flat_map(|rebuild| &rebuild.left_out).map(Detail::of_left_out).collect(),
        submodules: state.rebuild.iter().flat_map(|rebuild| &rebuild.submodules).map(Detail::of_submodule).collect(),
        hardware: state.hardware.as_ref().map(hardware).unwrap_or_default(),
        added: files.iter().map(|file| file.change.added).sum(),
        removed: files.iter().map(|file| file.change.removed).sum(),
        diffs,
        files,
        has_snapshot: snapshot.is_some(),
        is_over: view.full.run.status.is_final(),
        shell,
        head,
    }))
}

/// The staged changes, then the others: the order in which they are applied.
async fn read_diffs(
    app: &AppState,
    project_id: ProjectId,
    run_url: &str,
    snapshot: &Snapshot,
) -> Result<(Vec<Diff>, Vec<ChangedFile>)> {
    let (mut diffs, mut files) = (Vec::new(), Vec::new());
    for (kind, label) in [(SnapshotFileKind::StagedDiff, "Staged"), (SnapshotFileKind::DirtyDiff, "Not staged")] {
        for file in snapshot.files.iter().filter(|file| file.kind == kind && file.size_bytes > 0) {
            let text = services::snapshots::read(app, project_id, file, DIFF_BYTES).await?;
            for change in diff::parse(&text) {
                let anchor = format!("file-{}", files.len() + 1);
                let (is_staged, is_open) = (kind == SnapshotFileKind::StagedDiff, files.len() < OPEN_FILES);
                files.push(ChangedFile { anchor, is_staged, is_open, change });
            }
            let is_cut = file.size_bytes.unsigned_abs() > DIFF_BYTES;
            diffs.push(Diff { label, raw_url: raw_url(run_url, file), is_cut });
        }
    }
    Ok((diffs, files))
}

fn raw_url(run_url: &str, file: &SnapshotFile) -> String {
    format!("{run_url}/code/{}/raw", file.position)
}

/// Every dependency file that was there; those whose content was uploaded can be downloaded.
fn dependencies(run_url: &str, snapshot: &Snapshot) -> Vec<Dependency> {
    let uploaded = || snapshot.files.iter().filter(|file| file.kind == SnapshotFileKind::Dependency);
    let with_content = uploaded().map(|file| Dependency::of(run_url, file));
    let names = snapshot.dependency_files.iter().filter(|path| uploaded().all(|file| file.path != **path));
    let without = names.map(|path| Dependency { path: terminal::clean(path), size: None, raw_url: None });
    with_content.chain(without).collect()
}

/// The other files that were uploaded, by what they are.
fn groups(run_url: &str, snapshot: &Snapshot) -> Vec<FileGroup> {
    FILE_GROUPS
        .into_iter()
        .map(|(kind, title)| {
            let files = snapshot.files.iter().filter(|file| file.kind == kind);
            FileGroup { title, files: files.map(|file| Dependency::of(run_url, file)).collect() }
        })
        .filter(|group| !group.files.is_empty())
        .collect()
}

/// What the machine had to compute with.
fn hardware(hardware: &Hardware) -> Vec<Detail> {
    let cpu = match (&hardware.cpu, hardware.cpu_count) {
        (Some(cpu), Some(count)) => Some(format!("{} × {}", format::count(count), terminal::clean(cpu))),
        (Some(cpu), None) => Some(terminal::clean(cpu)),
        (None, count) => count.map(format::count),
    };
    let gpus = hardware.gpus.iter().map(|gpu| {
        let driver = gpu.driver.as_deref().map(|driver| format!("driver {}", terminal::clean(driver)));
        let parts = [Some(terminal::clean(&gpu.name)), gpu.memory_bytes.map(format::size), driver];
        ("GPU", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    });
    let known = [("CPU", cpu), ("Memory", hardware.memory_bytes.map(format::size))];
    let known = known.into_iter().filter_map(|(name, text)| Some((name, text?)));
    known.chain(gpus).map(|(name, text)| Detail { name: name.to_owned(), text }).collect()
}

impl Dependency {
    fn of(run_url: &str, file: &SnapshotFile) -> Self {
        Self {
            path: terminal::clean(&file.path),
            size: Some(format::size(file.size_bytes)),
            raw_url: Some(raw_url(run_url, file)),
        }
    }
}

impl Detail {
    fn of_left_out(file: &LeftOut) -> Self {
        Self { name: terminal::clean(&file.path), text: terminal::clean(&file.reason) }
    }

    fn of_submodule(submodule: &Submodule) -> Self {
        let commit = format::short(&terminal::clean(&submodule.commit), 12);
        let text = if submodule.dirty { format!("{commit}, dirty") } else { commit };
        Self { name: terminal::clean(&submodule.path), text }
    }
}

impl Verdict {
    fn of(snapshot: &Snapshot, has_diffs: bool) -> Self {
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
