//! The state that a command runs on: repository, dependencies, machine.
//!
//! Git is asked while the server is asked for a run, so its diffs get their final names only once
//! the run has its number, and its files their name.

use std::path::{Path, PathBuf};

use otrace_wire::{Snapshot, SnapshotFile};
use uuid::Uuid;

use crate::capture::dependencies::{self, Dependency};
use crate::capture::git::{self, Diffs, GitFacts};
use crate::capture::machine::{self, Machine};
use crate::capture::stored::StoredFile;
use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// What is known before the run has a number.
#[derive(Debug, Default)]
pub struct Beginning {
    /// Where the repository stands; nothing outside of one.
    pub git: Option<GitFacts>,
    diffs: Diffs,
}

/// The state that the command runs on.
#[derive(Debug)]
pub struct State {
    /// Where the repository stands; nothing outside of one.
    pub git: Option<GitFacts>,
    diffs: Diffs,
    dependencies: Vec<Dependency>,
    machine: Machine,
}

/// Asks git, all its questions at once.
pub async fn begin(workspace: &Workspace, run: Uuid) -> Beginning {
    let folder = workspace.trace_dir().join("snapshots");
    let (dirty, staged) = diff_paths(&folder, &run.to_string());
    let (git, diffs) = tokio::join!(git::facts(workspace.root()), git::diffs(workspace.root(), &dirty, &staged));
    Beginning { git, diffs }
}

/// Throws away what was begun for a run that there will not be.
pub fn discard(workspace: &Workspace, run: Uuid) {
    let (dirty, staged) = diff_paths(&workspace.trace_dir().join("snapshots"), &run.to_string());
    for diff in [dirty, staged] {
        let _ = std::fs::remove_file(diff);
    }
}

impl Beginning {
    /// Throws the diffs away: there will be no run.
    pub fn discard(self) {
        for diff in [self.diffs.dirty, self.diffs.staged].into_iter().flatten() {
            let _ = std::fs::remove_file(diff.path);
        }
    }

    /// Adds the rest, now that the run's files have a name.
    pub fn complete(self, workspace: &Workspace, name: &str) -> Result<State> {
        let folder = workspace.trace_dir().join("snapshots");
        let (dirty, staged) = diff_paths(&folder, name);
        Ok(State {
            git: self.git,
            diffs: Diffs { dirty: rename(self.diffs.dirty, dirty)?, staged: rename(self.diffs.staged, staged)? },
            dependencies: dependencies::capture(workspace.root(), &folder.join(name)),
            machine: machine::describe(),
        })
    }
}

impl State {
    /// The files that belong to it.
    pub fn files(&self) -> Vec<StoredFile> {
        let diffs = [&self.diffs.dirty, &self.diffs.staged].into_iter().flatten();
        let copies = self.dependencies.iter().map(|dependency| &dependency.copy);
        diffs.chain(copies).cloned().collect()
    }

    /// It, as it is written on the wire.
    pub fn to_wire(&self, workspace: &Workspace, python_version: Option<String>) -> Snapshot {
        let path = |file: &StoredFile| workspace.relative(&file.path);
        let git = self.git.clone();
        Snapshot {
            git_dirty: git.as_ref().map(|git| git.dirty),
            git_commit: git.as_ref().and_then(|git| git.commit.clone()),
            git_branch: git.as_ref().and_then(|git| git.branch.clone()),
            git_remote_url: git.and_then(|git| git.remote_url),
            dirty_diff_path: self.diffs.dirty.as_ref().map(path),
            staged_diff_path: self.diffs.staged.as_ref().map(path),
            dependency_files: self.dependencies.iter().map(|d| d.name.to_owned()).collect(),
            dependency_file_copies: self.dependencies.iter().map(|d| path(&d.copy)).collect(),
            python_version,
            platform: self.machine.platform.clone(),
            hostname: self.machine.hostname.clone(),
            requirements_hash: dependencies::requirements_hash(&self.dependencies),
            files: self.wire_files(workspace),
            ..Snapshot::default()
        }
    }

    /// In a line: `commit abcdef12, dirty`.
    pub fn summary(&self) -> String {
        let Some(git) = &self.git else {
            return "no git repository".to_owned();
        };
        let commit = match &git.commit {
            Some(commit) => format!("commit {}", commit.get(..8).unwrap_or(commit)),
            None => "no commit yet".to_owned(),
        };
        if git.dirty { format!("{commit}, dirty") } else { commit }
    }

    fn wire_files(&self, workspace: &Workspace) -> Vec<SnapshotFile> {
        let file = |kind: &str, path: String, stored: &StoredFile| SnapshotFile {
            kind: kind.to_owned(),
            path,
            hash: stored.digest,
            size_bytes: stored.wire_size(),
        };
        let diff = |kind: &'static str, stored: Option<&StoredFile>| {
            stored.map(|stored| file(kind, workspace.relative(&stored.path), stored))
        };
        let diffs = [diff("dirty_diff", self.diffs.dirty.as_ref()), diff("staged_diff", self.diffs.staged.as_ref())];
        let dependencies =
            self.dependencies.iter().map(|dependency| file("dependency", dependency.name.to_owned(), &dependency.copy));
        diffs.into_iter().flatten().chain(dependencies).collect()
    }
}

fn diff_paths(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    (folder.join(format!("{name}.diff")), folder.join(format!("{name}.staged.diff")))
}

fn rename(file: Option<StoredFile>, path: PathBuf) -> Result<Option<StoredFile>> {
    let Some(file) = file else { return Ok(None) };
    std::fs::rename(&file.path, &path).map_err(|error| Error::file("write", &path, &error))?;
    Ok(Some(StoredFile { path, ..file }))
}
