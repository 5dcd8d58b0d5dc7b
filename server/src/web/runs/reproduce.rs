//! Getting a run back: how well that goes, why not better, and what to type.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::verdict::Verdict;
use super::{RunHeader, RunTab, open};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::Snapshot;
use crate::domain::snapshot::SnapshotFileKind;
use crate::error::Result;
use crate::extract::Path;
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};

#[derive(Template)]
#[template(path = "runs/reproduce.html")]
struct ReproducePage {
    shell: Shell,
    head: RunHeader,
    verdict: Verdict,
    command: String,
    /// What a checkout brings back, and what it can't.
    parts: Vec<Part>,
    has_snapshot: bool,
    is_over: bool,
}

/// A part of the state, and whether it comes back.
struct Part {
    name: &'static str,
    text: &'static str,
    is_there: bool,
}

/// `GET /projects/{slug}/runs/{run}/reproduce`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Reproduce).await?;
    let snapshot = view.full.snapshot.as_ref();
    let empty = Snapshot::default();
    let state = snapshot.unwrap_or(&empty);
    Ok(page(&ReproducePage {
        verdict: Verdict::of(state, has_diff(state)),
        command: terminal::clean(&view.full.run.command),
        parts: parts(state),
        has_snapshot: snapshot.is_some(),
        is_over: view.full.run.status.is_final(),
        shell,
        head,
    }))
}

fn has(snapshot: &Snapshot, kind: SnapshotFileKind) -> bool {
    snapshot.files.iter().any(|file| file.kind == kind && file.size_bytes > 0)
}

fn has_diff(snapshot: &Snapshot) -> bool {
    has(snapshot, SnapshotFileKind::DirtyDiff) || has(snapshot, SnapshotFileKind::StagedDiff)
}

fn parts(snapshot: &Snapshot) -> Vec<Part> {
    let part = |name, is_there, there: &'static str, missing: &'static str| Part {
        name,
        text: if is_there { there } else { missing },
        is_there,
    };
    let is_clean = snapshot.git_dirty == Some(false);
    let has_packages = has(snapshot, SnapshotFileKind::Packages);
    vec![
        part(
            "Commit",
            snapshot.git_commit.is_some(),
            "It is checked out from your clone, its remote, or what was sent with the run.",
            "The command ran outside of a git repository, or before its first commit.",
        ),
        part(
            "Changes that were not committed",
            is_clean || has_diff(snapshot) || has(snapshot, SnapshotFileKind::Untracked),
            if is_clean { "There were none." } else { "They are applied to the checkout." },
            "They stayed on the machine, or there were none.",
        ),
        part(
            "Dependency files",
            has(snapshot, SnapshotFileKind::Dependency),
            "They are put beside the code as they were.",
            "None were sent.",
        ),
        part(
            "Installed packages",
            has_packages,
            "Their versions are listed, to be installed from.",
            "They were not listed.",
        ),
    ]
}
