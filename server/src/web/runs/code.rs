//! The code that a run ran on: commit, what was not committed, dependencies, and whether that is all.

mod forge;
mod words;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otrace_wire::details::{LeftOut, Submodule};
use serde::Deserialize;

use super::verdict::Verdict;
use super::{RunHeader, RunTab, open};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::snapshot::{SnapshotFile, SnapshotFileKind};
use crate::domain::{ProjectId, Snapshot};
use crate::error::Result;
use crate::extract::{Path, Query};
use crate::services;
use crate::web::diff;
use crate::web::diff::view::{DiffView, SPLIT};
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
    /// Where the commit can be read, if its remote is a forge that we know.
    commit_url: Option<String>,
    branch: Option<String>,
    remote: Option<String>,
    /// What the state of the tree means for who wants it back.
    verdict: Verdict,
    changes: Vec<Changes>,
    /// Whether before and after stand side by side.
    is_split: bool,
    dependencies: Vec<Dependency>,
    groups: Vec<FileGroup>,
    left_out: Vec<Detail>,
    submodules: Vec<Detail>,
    added: usize,
    removed: usize,
    has_snapshot: bool,
    is_over: bool,
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

/// The staged changes, or the others: one diff that was uploaded.
struct Changes {
    /// `Staged` or `Not staged`.
    title: &'static str,
    /// What a button to download the diff says.
    patch_label: &'static str,
    raw_url: String,
    is_cut: bool,
    files: Vec<ChangedFile>,
}

/// The changes of one file.
struct ChangedFile {
    anchor: String,
    path: String,
    is_staged: bool,
    is_open: bool,
    notes: Vec<String>,
    added: usize,
    removed: usize,
    view: DiffView,
}

/// A file that can be downloaded, or was merely there.
struct Dependency {
    path: String,
    size: Option<String>,
    raw_url: Option<String>,
}

/// `?view=split`
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    view: String,
}

/// `GET /projects/{slug}/runs/{run}/code`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Code).await?;
    let snapshot = view.full.snapshot.as_ref();
    let empty = Snapshot::default();
    let state = snapshot.unwrap_or(&empty);
    let is_split = wanted.view == SPLIT;
    let changes = read_changes(&app, member.project.id, &head.base, state, is_split).await?;
    let files = || changes.iter().flat_map(|changes| &changes.files);
    Ok(page(&CodePage {
        commit: state.git_commit.as_deref().map(terminal::clean),
        commit_url: forge::commit_url(state.git_remote_url.as_deref(), state.git_commit.as_deref()),
        branch: state.git_branch.as_deref().map(terminal::clean),
        remote: state.git_remote_url.as_deref().map(terminal::clean),
        verdict: Verdict::of(state, !changes.is_empty()),
        dependencies: dependencies(&head.base, state),
        groups: groups(&head.base, state),
        left_out: state.rebuild.iter().flat_map(|rebuild| &rebuild.left_out).map(Detail::of_left_out).collect(),
        submodules: state.rebuild.iter().flat_map(|rebuild| &rebuild.submodules).map(Detail::of_submodule).collect(),
        added: files().map(|file| file.added).sum(),
        removed: files().map(|file| file.removed).sum(),
        has_snapshot: snapshot.is_some(),
        is_over: view.full.run.status.is_final(),
        is_split,
        changes,
        shell,
        head,
    }))
}

/// The staged changes, then the others: the order in which they are applied.
async fn read_changes(
    app: &AppState,
    project_id: ProjectId,
    run_url: &str,
    snapshot: &Snapshot,
    is_split: bool,
) -> Result<Vec<Changes>> {
    let kinds = [
        (SnapshotFileKind::StagedDiff, "Staged", "Patch of what was staged"),
        (SnapshotFileKind::DirtyDiff, "Not staged", "Patch of what was not staged"),
    ];
    let (mut all, mut number) = (Vec::new(), 0);
    for (kind, title, patch_label) in kinds {
        for file in snapshot.files.iter().filter(|file| file.kind == kind && file.size_bytes > 0) {
            let text = services::snapshots::read(app, project_id, file, DIFF_BYTES).await?;
            let mut files = Vec::new();
            for change in diff::parse(&text) {
                number += 1;
                files.push(ChangedFile {
                    anchor: format!("file-{number}"),
                    is_staged: kind == SnapshotFileKind::StagedDiff,
                    is_open: number <= OPEN_FILES,
                    notes: change.notes,
                    added: change.added,
                    removed: change.removed,
                    view: DiffView::new(words::lines(&change.lines), is_split),
                    path: change.path,
                });
            }
            let is_cut = file.size_bytes.unsigned_abs() > DIFF_BYTES;
            all.push(Changes { title, patch_label, raw_url: raw_url(run_url, file), is_cut, files });
        }
    }
    Ok(all)
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
