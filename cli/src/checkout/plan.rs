//! What a checkout will write, and where it comes from. All of it is fetched before anything is written.

use std::path::{Path, PathBuf};

use otrace_wire::{Artifact, Run, Sha256Digest, Snapshot, SnapshotFile};

use super::contents::Contents;
use super::git::{self, Repository};
use super::names;
use crate::error::Result;
use crate::workspace::Workspace;

/// What a checkout will write.
pub struct Plan<'a> {
    /// What the code stands on.
    pub base: Base,
    /// The folder of the checkout that the command ran in: the parts of its name.
    pub home: Vec<String>,
    /// The changes that were staged.
    pub staged: Option<PathBuf>,
    /// The changes that were not.
    pub dirty: Option<PathBuf>,
    /// Files that git did not know.
    pub untracked: Vec<(&'a SnapshotFile, PathBuf)>,
    /// Files that say which packages the command needs.
    pub dependencies: Vec<(&'a SnapshotFile, PathBuf)>,
    /// The list of what was installed.
    pub packages: Option<PathBuf>,
    /// What the command read and left behind.
    pub artifacts: Vec<(&'a Artifact, PathBuf)>,
    /// What could not be had of all this, as clauses.
    pub missing: Vec<String>,
    /// The paths that come from the server, apart from artifacts.
    pub paths: Vec<String>,
}

/// What the code stands on.
#[derive(Debug)]
pub enum Base {
    /// A commit that the repository has.
    Commit(Repository, String),
    /// Nothing: the run was made before the first commit.
    Nothing,
    /// The workspace as it is, because the commit can't be had. A clause says why.
    Here(String),
}

impl<'a> Plan<'a> {
    /// Finds out what to write, and fetches it.
    pub async fn of(run: &'a Run, workspace: &Workspace, contents: &mut Contents<'_>) -> Result<Self> {
        let mut plan = Self {
            base: Base::Nothing,
            home: Vec::new(),
            staged: None,
            dirty: None,
            untracked: Vec::new(),
            dependencies: Vec::new(),
            packages: None,
            artifacts: Vec::new(),
            missing: Vec::new(),
            paths: Vec::new(),
        };
        match &run.snapshot {
            Some(snapshot) => {
                plan.find_base(snapshot, workspace, contents).await?;
                plan.fetch_files(snapshot, contents).await?;
                plan.find_home(snapshot);
            }
            None => plan.base = Base::Here("the server knows nothing of what the run ran on".to_owned()),
        }
        for artifact in &run.artifacts {
            plan.fetch_artifact(artifact, contents).await?;
        }
        Ok(plan)
    }

    async fn find_base(
        &mut self,
        snapshot: &Snapshot,
        workspace: &Workspace,
        contents: &mut Contents<'_>,
    ) -> Result<()> {
        self.base = match snapshot.git_commit.as_deref() {
            // A client that tells this looked at a repository.
            None if snapshot.git_dirty.is_some() => Base::Nothing,
            None => Base::Here("the run was in no git repository".to_owned()),
            Some(commit) if !git::is_commit(commit) => Base::Here("its commit is none that git knows".to_owned()),
            Some(commit) => match Repository::around(workspace.root()).await {
                None => Base::Here("this directory is in no git repository".to_owned()),
                Some(repository) => self.find_commit(repository, commit, snapshot, contents).await?,
            },
        };
        Ok(())
    }

    async fn find_commit(
        &mut self,
        repository: Repository,
        commit: &str,
        snapshot: &Snapshot,
        contents: &mut Contents<'_>,
    ) -> Result<Base> {
        if repository.has(commit).await {
            return Ok(Base::Commit(repository, commit.to_owned()));
        }
        let bundle = match snapshot.files.iter().find(|file| file.kind == "git_bundle") {
            Some(file) => self.fetch(file, "the bundle of its commits", contents).await?,
            None => None,
        };
        Ok(self.bring(repository, commit, bundle.as_deref()).await)
    }

    /// Gets a commit that the repository lacks.
    async fn bring(&mut self, repository: Repository, commit: &str, bundle: Option<&Path>) -> Base {
        let mut reason = "no remote of this clone has its commit".to_owned();
        let taken = match bundle {
            Some(bundle) => repository.take_bundle(bundle).await,
            None => Err(reason.clone()),
        };
        if taken.is_err() {
            if let Err(said) = repository.ask_remotes().await {
                reason = format!("{reason} ({said})");
            }
            // It stands on what the remotes have.
            if let Some(bundle) = bundle
                && let Err(said) = repository.take_bundle(bundle).await
            {
                reason = format!("the bundle of its commits could not be taken in ({said})");
            }
        } else {
            "the bundle of its commits has others, and not the one that it ran on".clone_into(&mut reason);
        }
        if !repository.has(commit).await {
            return Base::Here(reason);
        }
        if bundle.is_some() {
            match repository.new_paths(commit).await {
                Ok(paths) => self.paths.extend(paths),
                Err(said) => return Base::Here(format!("its commits could not be looked at ({said})")),
            }
        }
        Base::Commit(repository, commit.to_owned())
    }

    async fn fetch_files(&mut self, snapshot: &'a Snapshot, contents: &mut Contents<'_>) -> Result<()> {
        for file in &snapshot.files {
            match file.kind.as_str() {
                "staged_diff" => self.staged = self.fetch_patch(file, "its staged changes", contents).await?,
                "dirty_diff" => self.dirty = self.fetch_patch(file, "its changes", contents).await?,
                "packages" => self.packages = self.fetch(file, "the list of its packages", contents).await?,
                "untracked" => {
                    if let Some(content) = self.fetch(file, &file.path, contents).await? {
                        self.paths.push(file.path.clone());
                        self.untracked.push((file, content));
                    }
                }
                "dependency" => {
                    if let Some(content) = self.fetch(file, &file.path, contents).await? {
                        self.paths.push(file.path.clone());
                        self.dependencies.push((file, content));
                    }
                }
                _ => {}
            }
        }
        // Published clients say that there are changes, and keep them on their machine.
        let is_told = [&snapshot.dirty_diff_path, &snapshot.staged_diff_path].into_iter().any(Option::is_some);
        if is_told && !snapshot.files.iter().any(|file| file.kind.ends_with("_diff")) {
            self.missing.push("its uncommitted changes were never sent to the server".to_owned());
        }
        Ok(())
    }

    async fn fetch_patch(
        &mut self,
        file: &SnapshotFile,
        what: &str,
        contents: &mut Contents<'_>,
    ) -> Result<Option<PathBuf>> {
        let Some(patch) = self.fetch(file, what, contents).await? else { return Ok(None) };
        match git::paths_of(&patch).await {
            Ok(paths) => {
                self.paths.extend(paths);
                Ok(Some(patch))
            }
            Err(said) => {
                self.missing.push(format!("{what} are no patch that git can read ({said})"));
                Ok(None)
            }
        }
    }

    async fn fetch(&mut self, file: &SnapshotFile, what: &str, contents: &mut Contents<'_>) -> Result<Option<PathBuf>> {
        let fetched = contents.get(file.hash, file.size_bytes).await?;
        Ok(fetched.map_err(|said| self.missing.push(format!("the server did not give {what} ({said})"))).ok())
    }

    async fn fetch_artifact(&mut self, artifact: &'a Artifact, contents: &mut Contents<'_>) -> Result<()> {
        let digest: Option<Sha256Digest> = artifact.hash.as_deref().and_then(|hash| hash.parse().ok());
        let name = artifact.original_path.as_deref().unwrap_or("an artifact");
        let (Some(digest), Some(size)) = (digest, artifact.size_bytes) else {
            self.missing.push(format!("the content of {name} is not stored"));
            return Ok(());
        };
        match contents.get(digest, size).await? {
            Ok(content) => {
                // A config may go where the command read it.
                self.paths
                    .extend(artifact.original_path.clone().filter(|_| artifact.kind.as_deref() == Some("config")));
                self.artifacts.push((artifact, content));
            }
            Err(said) => self.missing.push(format!("the content of {name} could not be had ({said})")),
        }
        Ok(())
    }

    fn find_home(&mut self, snapshot: &Snapshot) {
        let Some(directory) = snapshot.rebuild.as_ref().and_then(|rebuild| rebuild.directory.as_deref()) else {
            return;
        };
        match names::parts(directory) {
            Ok(parts) => self.home = parts.into_iter().map(str::to_owned).collect(),
            Err(reason) => self.missing.push(format!("the folder that it ran in is not used: {reason}")),
        }
    }
}
