//! The state that a command runs on: repository, dependencies, machine.
//!
//! Git is asked while the server is asked for a run, so its diffs get their final names only once
//! the run has its number, and its files their name. What may be captured later is [`gathering`].
//!
//! [`gathering`]: crate::capture::gathering

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use otrace_wire::{Snapshot, SnapshotFile};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::capture::bundle::Bundle;
use crate::capture::dependencies::{self, Dependency};
use crate::capture::gathering::{Gathered, Gathering};
use crate::capture::git::{self, Diffs, GitFacts};
use crate::capture::machine::{self, Machine};
use crate::capture::rebuild;
use crate::capture::stored::StoredFile;
use crate::capture::untracked::{self, Listed, Names};
use crate::error::{Error, Result};
use crate::secrets::Masker;
use crate::workspace::Workspace;

/// When git has written the diffs, its list of untracked files is waited for no longer than this.
const LISTING: Duration = Duration::from_millis(200);

/// What is known before the run has a number.
#[derive(Debug, Default)]
pub struct Beginning {
    /// Where the repository stands; nothing outside of one.
    pub git: Option<GitFacts>,
    diffs: Diffs,
    untracked: Option<Listed>,
    command: Vec<String>,
    masker: Option<Masker>,
}

/// The state that the command runs on.
#[derive(Debug)]
pub struct State {
    /// Where the repository stands; nothing outside of one.
    pub git: Option<GitFacts>,
    diffs: Diffs,
    dependencies: Vec<Dependency>,
    machine: Machine,
    root: PathBuf,
    gathering: Mutex<Option<Gathering>>,
    /// Cancelled when the command has ended.
    ended: CancellationToken,
    gathered: OnceLock<Gathered>,
}

/// Asks git how the repository stands, and then for what is not committed, if there is anything. `masker` masks secrets in all that is kept; without one, nothing is
/// masked.
pub async fn begin(workspace: &Workspace, run: Uuid, masker: Option<&Masker>) -> Beginning {
    let folder = workspace.trace_dir().join("snapshots");
    let (dirty, staged) = diff_paths(&folder, &run.to_string());
    let root = workspace.root();
    let beginning = Beginning { masker: masker.cloned(), ..Beginning::default() };
    let Some(facts) = git::facts(root, masker).await else { return beginning };
    let names = untracked_names(root, &facts);
    let diffs = git::diffs(root, facts.changes, &dirty, &staged, masker).await;
    let names = timeout(LISTING, names).await.ok().and_then(Result::ok).flatten();
    let top = facts.top.as_deref();
    let untracked = top.zip(names).map(|(top, names)| untracked::look(workspace, top, &names));
    Beginning { git: Some(facts), diffs, untracked, ..beginning }
}

/// Lists the files that git does not know, while it is asked for the rest.
fn untracked_names(root: &Path, facts: &GitFacts) -> AbortOnDropHandle<Option<Names>> {
    let (root, has_untracked) = (root.to_path_buf(), facts.changes.has_untracked);
    AbortOnDropHandle::new(tokio::spawn(async move {
        if has_untracked { untracked::names(&root).await } else { Some(Names::default()) }
    }))
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

    /// Says which command it is for: that tells which Python is meant.
    pub fn of_command(self, command: &[String]) -> Self {
        Self { command: command.to_vec(), ..self }
    }

    /// Adds the rest, now that the run's files have a name. What takes longer goes on while the
    /// command runs; [`State::settle`] waits for it.
    pub fn complete(self, workspace: &Workspace, name: &str) -> Result<State> {
        let folder = workspace.trace_dir().join("snapshots");
        let (dirty, staged) = diff_paths(&folder, name);
        let own = folder.join(name);
        let diffs =
            Diffs { dirty: rename(self.diffs.dirty, dirty)?, staged: rename(self.diffs.staged, staged)?, ..self.diffs };
        let masker = self.masker.as_ref();
        let gathering = Gathering::start(workspace, &self.command, self.git.as_ref(), self.untracked, &own, masker);
        Ok(State {
            git: self.git,
            diffs,
            dependencies: dependencies::capture(workspace.root(), &own, masker),
            machine: machine::describe(),
            root: workspace.root().to_path_buf(),
            ended: gathering.ended(),
            gathering: Mutex::new(Some(gathering)),
            gathered: OnceLock::new(),
        })
    }
}

impl State {
    /// Waits for what is captured while the command runs. Until then, it is not among the files.
    pub async fn settle(&self) {
        // Held until all is there: whoever asks a second time waits for the same.
        let mut gathering = self.gathering.lock().await;
        if let Some(gathering) = gathering.take() {
            let _ = self.gathered.set(gathering.finish().await);
        }
    }

    /// Says that the command has ended, so that nothing is waited for that it may not have used.
    pub fn command_ended(&self) {
        self.ended.cancel();
    }

    /// The files that belong to it.
    pub fn files(&self) -> Vec<StoredFile> {
        let diffs = [&self.diffs.dirty, &self.diffs.staged].into_iter().flatten();
        let copies = self.dependencies.iter().map(|dependency| &dependency.copy);
        let gathered = self.gathered.get().into_iter().flat_map(gathered_files).map(|(_, _, stored)| stored);
        diffs.chain(copies).chain(gathered).cloned().collect()
    }

    /// It, as it is written on the wire.
    pub fn to_wire(&self, workspace: &Workspace, python_version: Option<String>) -> Snapshot {
        let path = |file: &StoredFile| workspace.relative(&file.path);
        let git = self.git.clone();
        let gathered = self.gathered.get();
        let packages = gathered.and_then(|gathered| gathered.packages.as_ref());
        Snapshot {
            git_dirty: git.as_ref().map(|git| git.dirty),
            git_commit: git.as_ref().and_then(|git| git.commit.clone()),
            git_branch: git.as_ref().and_then(|git| git.branch.clone()),
            git_remote_url: git.and_then(|git| git.remote_url),
            dirty_diff_path: self.diffs.dirty.as_ref().map(path),
            staged_diff_path: self.diffs.staged.as_ref().map(path),
            dependency_files: self.dependencies.iter().map(|d| d.name.to_owned()).collect(),
            dependency_file_copies: self.dependencies.iter().map(|d| path(&d.copy)).collect(),
            python_version: packages.map(|packages| packages.version.clone()).or(python_version),
            platform: self.machine.platform.clone(),
            hostname: self.machine.hostname.clone(),
            requirements_hash: dependencies::requirements_hash(&self.dependencies),
            files: self.wire_files(workspace),
            rebuild: Some(rebuild::judge(&self.root, self.git.as_ref(), &self.diffs, gathered)),
            hardware: gathered.map(|gathered| gathered.hardware.clone()),
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
        let gathered = self.gathered.get().into_iter().flat_map(gathered_files);
        let gathered = gathered.map(|(kind, path, stored)| file(kind, path, stored));
        diffs.into_iter().flatten().chain(dependencies).chain(gathered).collect()
    }
}

/// The files that were captured while the command ran: their kinds, paths and copies.
fn gathered_files(gathered: &Gathered) -> Vec<(&'static str, String, &StoredFile)> {
    let bundle = match &gathered.history.bundle {
        Bundle::Made { file, .. } => Some(("git_bundle", "commits.bundle".to_owned(), file)),
        Bundle::NotNeeded | Bundle::LeftOut(_) => None,
    };
    let untracked = gathered.untracked.iter().flat_map(|untracked| &untracked.files);
    let untracked = untracked.map(|file| ("untracked", file.path.clone(), &file.copy));
    let packages = gathered.packages.iter().map(|packages| ("packages", "packages.txt".to_owned(), &packages.list));
    bundle.into_iter().chain(untracked).chain(packages).collect()
}

fn diff_paths(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    (folder.join(format!("{name}.diff")), folder.join(format!("{name}.staged.diff")))
}

fn rename(file: Option<StoredFile>, path: PathBuf) -> Result<Option<StoredFile>> {
    let Some(file) = file else { return Ok(None) };
    std::fs::rename(&file.path, &path).map_err(|error| Error::file("write", &path, &error))?;
    Ok(Some(StoredFile { path, ..file }))
}
