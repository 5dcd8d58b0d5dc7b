//! The code that a run ran on: commit, what was not committed, dependency files.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

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
    added: usize,
    removed: usize,
    has_snapshot: bool,
    is_over: bool,
}

/// What the state of the tree means.
struct Verdict {
    is_warning: bool,
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

/// A dependency file.
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
    let with_content = uploaded().map(|file| Dependency {
        path: terminal::clean(&file.path),
        size: Some(format::size(file.size_bytes)),
        raw_url: Some(raw_url(run_url, file)),
    });
    let names = snapshot.dependency_files.iter().filter(|path| uploaded().all(|file| file.path != **path));
    let without = names.map(|path| Dependency { path: terminal::clean(path), size: None, raw_url: None });
    with_content.chain(without).collect()
}

impl Verdict {
    fn of(snapshot: &Snapshot, has_diffs: bool) -> Self {
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
        Self { is_warning, text }
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
}
