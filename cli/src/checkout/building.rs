//! Writing what was planned: the code, what was changed in it, and the files beside it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use otrace_wire::details::HowWell;
use otrace_wire::{Artifact, Run, SnapshotFile};

use super::destination::Destination;
use super::plan::{Base, Plan};
use super::tree::Tree;
use super::{copying, git, guide, lfs, names, submodules};
use crate::error::{Error, Result};
use crate::export::links;
use crate::workspace::Workspace;

/// So many contents of one name find a place.
const SAME_NAME_MAX: usize = 9;
/// So much of a file is read to see what it asks for.
const LOOK: u64 = 256 * 1024;
/// So many names are told.
const NAMED_MAX: usize = 5;

/// Where the code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Laid {
    /// It is a worktree of the commit.
    Worktree,
    /// It is a copy of the workspace.
    Copy,
    /// It is all in the patches and files.
    Nothing,
}

/// A checkout in the making.
pub struct Building<'a> {
    run: &'a Run,
    plan: &'a Plan<'a>,
    destination: &'a Destination,
    tree: Tree,
    laid: Laid,
    how_well: HowWell,
    reasons: Vec<String>,
    notes: Vec<String>,
    artifacts: Vec<(String, &'a Artifact)>,
}

/// What was made.
#[derive(Debug)]
pub struct Built {
    /// Where the code came from.
    pub laid: Laid,
    /// How well the state is got back.
    pub how_well: HowWell,
    /// Why not better.
    pub reasons: Vec<String>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// How many artifacts are there.
    pub artifacts: usize,
    /// What the script is called.
    pub script: String,
}

impl<'a> Building<'a> {
    /// Lays what the code stands on.
    pub async fn begin(
        run: &'a Run,
        plan: &'a Plan<'a>,
        workspace: &Workspace,
        destination: &'a Destination,
    ) -> Result<Self> {
        let rebuild = run.snapshot.as_ref().and_then(|snapshot| snapshot.rebuild.as_ref());
        let mut how_well = rebuild.map_or(HowWell::Partly, |rebuild| rebuild.how_well);
        let mut reasons = rebuild.map(|rebuild| rebuild.reasons.clone()).unwrap_or_default();
        if rebuild.is_none() {
            reasons.push("the client that recorded it did not say what it kept".to_owned());
        }
        let (tree, laid, reason) = lay(plan, workspace, destination).await?;
        if let Some(reason) = reason {
            how_well = HowWell::No;
            reasons.push(format!("{reason}: the code is a copy of this directory as it is now"));
        }
        let mut building =
            Self { run, plan, destination, tree, laid, how_well, reasons, notes: Vec::new(), artifacts: Vec::new() };
        for missing in &plan.missing {
            building.lacks(missing.clone());
        }
        Ok(building)
    }

    /// Adds all else.
    pub async fn finish(mut self) -> Result<Built> {
        self.apply_patches().await?;
        self.put_submodules().await;
        for (file, content) in &self.plan.untracked {
            self.put_untracked(file, content);
        }
        self.put_dependencies();
        self.put_artifacts()?;
        self.put_configs();
        self.look_around().await;
        let script = self.put_guides()?;
        self.destination.finish(&self.tree)?;
        let (artifacts, laid, how_well) = (self.artifacts.len(), self.laid, self.how_well);
        Ok(Built { laid, how_well, reasons: self.reasons, notes: self.notes, artifacts, script })
    }

    async fn apply_patches(&mut self) -> Result<()> {
        let patches = [(&self.plan.staged, true), (&self.plan.dirty, false)];
        for (patch, is_staged) in patches {
            let Some(patch) = patch else { continue };
            let folder = self.destination.path();
            let applied = match self.laid {
                Laid::Worktree => git::apply(folder, patch, is_staged).await,
                Laid::Copy | Laid::Nothing => git::apply_outside(folder, patch).await,
            };
            if let Err(said) = applied {
                let name = if is_staged { "trace-unapplied/staged.diff" } else { "trace-unapplied/changes.diff" };
                self.put(name, patch, false).map_err(|error| self.failed(name, &error))?;
                self.lacks(format!("its uncommitted changes could not be applied ({said}); they are in {name}"));
            }
        }
        Ok(())
    }

    async fn put_submodules(&mut self) {
        let (Base::Commit(repository, _), Laid::Worktree) = (&self.plan.base, self.laid) else { return };
        let rebuild = self.run.snapshot.as_ref().and_then(|snapshot| snapshot.rebuild.as_ref());
        let recorded = rebuild.map_or(&[] as &[_], |rebuild| rebuild.submodules.as_slice());
        let told = submodules::check_out(repository, &self.tree, self.destination.path(), recorded).await;
        for reason in told.unwrap_or_else(|said| vec![format!("its submodules could not be listed ({said})")]) {
            self.lacks(reason);
        }
    }

    fn put_untracked(&mut self, file: &SnapshotFile, content: &Path) {
        let rebuild = self.run.snapshot.as_ref().and_then(|snapshot| snapshot.rebuild.as_ref());
        let is_executable = rebuild.is_some_and(|rebuild| rebuild.executable.contains(&file.path));
        if let Err(error) = self.put(&file.path, content, is_executable) {
            self.lacks(format!("the untracked file {} was left out ({error})", file.path));
        }
    }

    fn put_dependencies(&mut self) {
        let is_exact = self.laid == Laid::Worktree && self.how_well == HowWell::Fully;
        for (file, content) in &self.plan.dependencies {
            let name = self.at_home(&file.path);
            let is_there = names::parts(&name).is_ok_and(|parts| self.tree.has(&parts));
            // What commit and patches make of it is what it was; in our copy, a secret may be masked.
            if is_there && is_exact {
                continue;
            }
            if let Err(error) = self.put(&name, content, false) {
                self.lacks(format!("the dependency file {} was left out ({error})", file.path));
            }
        }
    }

    fn put_artifacts(&mut self) -> Result<()> {
        let folder = self.free(&["trace-artifacts"]);
        let mut seen = BTreeSet::new();
        for (artifact, content) in &self.plan.artifacts {
            if !seen.insert((&artifact.original_path, &artifact.hash)) {
                continue;
            }
            let path = self.put_artifact(&folder, artifact, content);
            let path = path.map_err(|error| self.failed(&folder, &error))?;
            self.artifacts.push((path, *artifact));
        }
        Ok(())
    }

    /// Puts an artifact where its path says, or else where its hash says.
    fn put_artifact(&self, folder: &str, artifact: &Artifact, content: &Path) -> io::Result<String> {
        let original = artifact.original_path.as_deref().or(artifact.stored_path.as_deref()).unwrap_or_default();
        let wanted = names::below(folder, original);
        // A path without any name leaves it to the hash.
        let last = if wanted == folder { 0 } else { SAME_NAME_MAX };
        for number in 1..=last {
            let name = if number == 1 { wanted.clone() } else { format!("{wanted}.{number}") };
            match self.add(&name, content, false) {
                Ok(()) => return Ok(name),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if is_for_disk(&error) => return Err(error),
                Err(_) => break,
            }
        }
        let hash: String =
            artifact.hash.iter().flat_map(|hash| hash.chars()).filter(char::is_ascii_alphanumeric).collect();
        let name = format!("{folder}/{hash}");
        match self.add(&name, content, false) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(name),
        }
    }

    /// A config that git was told to ignore is in none of the rest.
    fn put_configs(&self) {
        for (artifact, content) in &self.plan.artifacts {
            let original = artifact.original_path.as_deref().filter(|_| artifact.kind.as_deref() == Some("config"));
            if let Some(original) = original {
                let _ = self.add(&self.at_home(original), content, false);
            }
        }
    }

    async fn look_around(&mut self) {
        let is_worktree = self.laid == Laid::Worktree;
        let pointers = if is_worktree { lfs::lacking(self.destination.path(), &self.tree).await } else { None };
        let attributes = self.tree.read(&[".gitattributes"], LOOK);
        if let Some(reason) = pointers {
            self.lacks(reason);
        } else if attributes.is_ok_and(|text| String::from_utf8_lossy(&text).contains("filter=")) {
            let note = "filters were not run; if they are those of Git LFS, `git lfs pull` fetches its files";
            self.notes.push(note.to_owned());
        }
        if !is_worktree {
            return;
        }
        let path = self.destination.path();
        let links = git::links(path).await.unwrap_or_default();
        let leads_out = |link: &String| {
            let target = std::fs::read_link(path.join(link));
            target.is_ok_and(|target| !links::stays_below(Path::new(link), &target))
        };
        let links: Vec<_> = links.into_iter().filter(leads_out).collect();
        if !links.is_empty() {
            let named = links.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
            self.notes.push(match links.len() {
                1 => format!("1 symbolic link leads out of this folder: {named}"),
                count => format!("{count} symbolic links lead out of this folder, such as {named}"),
            });
        }
    }

    fn put_guides(&mut self) -> Result<String> {
        let experiment = self.run.experiment_id;
        let packages = match &self.plan.packages {
            Some(list) => {
                let name = self.free(&["trace-packages.txt"]);
                self.put(&name, list, false).map_err(|error| self.failed(&name, &error))?;
                Some(name)
            }
            None => None,
        };
        let script = self.free(&["reproduce.sh", "trace-reproduce.sh"]);
        let page = self.free(&["trace-reproduction.md"]);
        let home = self.plan.home.join("/");
        let home = Some(home.as_str()).filter(|home| !home.is_empty());
        let text = guide::script(experiment, home, &self.run.command);
        self.write(&script, &text, true)?;
        let told = guide::Told {
            run: self.run,
            verdict: verdict(self.how_well, !self.reasons.is_empty()),
            reasons: &self.reasons,
            base: self.laid.sentence(),
            notes: &self.notes,
            artifacts: &self.artifacts,
            packages: packages.as_deref(),
            script: &script,
        };
        self.write(&page, &guide::page(&told), false)?;
        Ok(script)
    }

    /// Something is not as it was.
    fn lacks(&mut self, reason: String) {
        if self.how_well == HowWell::Fully {
            self.how_well = HowWell::Partly;
        }
        self.reasons.push(reason);
    }

    fn at_home(&self, path: &str) -> String {
        self.plan.home.iter().map(String::as_str).chain([path]).collect::<Vec<_>>().join("/")
    }

    /// The first of these names that the code has not taken.
    fn free(&self, names: &[&str]) -> String {
        let free = names.iter().copied().find(|name| !self.tree.has(&[*name]));
        let last = names.last().copied().unwrap_or_default();
        free.map_or_else(|| format!("{}-{last}", self.run.experiment_id), str::to_owned)
    }

    /// Writes a file, also over one that is there.
    fn put(&self, name: &str, content: &Path, is_executable: bool) -> io::Result<()> {
        self.tree.remove(&parts(name)?)?;
        self.add(name, content, is_executable)
    }

    /// Writes a file that is not there.
    fn add(&self, name: &str, content: &Path, is_executable: bool) -> io::Result<()> {
        let mut file = self.tree.create(&parts(name)?, is_executable)?;
        io::copy(&mut File::open(content)?, &mut file)?;
        Ok(())
    }

    fn write(&self, name: &str, text: &str, is_executable: bool) -> Result<()> {
        let made = self.tree.create(&[name], is_executable);
        let written = made.and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()));
        written.map_err(|error| self.failed(name, &error))
    }

    fn failed(&self, name: &str, error: &io::Error) -> Error {
        Error::file("write", &self.destination.path().join(name), error)
    }
}

impl Laid {
    /// The word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worktree => "worktree",
            Self::Copy => "copy",
            Self::Nothing => "nothing",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Worktree => "The code is a git worktree of the commit, with the uncommitted changes applied.",
            Self::Copy => "The code is a copy of the directory that the checkout was made from.",
            Self::Nothing => "The run was made before the first commit: its changes and files are all of its code.",
        }
    }
}

/// How faithful a checkout is.
pub fn verdict(how_well: HowWell, has_reasons: bool) -> &'static str {
    match (how_well, has_reasons) {
        (HowWell::Fully, _) => "Rebuilt fully.",
        (HowWell::Partly, true) => "Rebuilt partly, because:",
        (HowWell::Partly, false) => "Rebuilt partly.",
        (HowWell::No, true) => "Not rebuilt, because:",
        (HowWell::No, false) => "Not rebuilt.",
    }
}

/// Lays what the code stands on. Where that is not what was wanted, a clause says why.
async fn lay(
    plan: &Plan<'_>,
    workspace: &Workspace,
    destination: &Destination,
) -> Result<(Tree, Laid, Option<String>)> {
    let reason = match &plan.base {
        Base::Nothing => return Ok((destination.mark()?, Laid::Nothing, None)),
        Base::Here(reason) => reason.clone(),
        Base::Commit(repository, commit) => {
            let path = destination.path();
            let said = match repository.add_worktree(path, commit).await {
                Ok(()) => {
                    let tree = destination.mark()?;
                    match git::fill(path).await {
                        Ok(()) => return Ok((tree, Laid::Worktree, None)),
                        Err(said) => said,
                    }
                }
                Err(said) => said,
            };
            repository.remove_worktree(path).await;
            destination.clear()?;
            format!("git could not make a worktree ({said})")
        }
    };
    let tree = destination.mark()?;
    let target = plan.home.iter().fold(PathBuf::from(destination.path()), |path, part| path.join(part));
    let copied = copying::copy(workspace.root(), &target, destination.path());
    copied.map_err(|error| Error::file("copy this directory to", &target, &error))?;
    Ok((tree, Laid::Copy, Some(reason)))
}

fn parts(name: &str) -> io::Result<Vec<&str>> {
    names::parts(name).map_err(|reason| io::Error::new(io::ErrorKind::InvalidInput, reason))
}

/// Whether any other name would fail likewise.
fn is_for_disk(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem
    )
}
