//! Git at work for a checkout: commits, a worktree, patches.
//!
//! It runs no hooks, filters or monitors, and asks nobody. What comes from the server is a bundle, patches and
//! names of commits; the network is used only to ask the remotes of the user's own clones, and for submodules that
//! are not cloned here.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::capture::git;

/// How bundles begin.
const BUNDLES: [&[u8; 16]; 2] = [b"# v2 git bundle\n", b"# v3 git bundle\n"];

/// A repository of the user's.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
}

/// Why git did not do it, in its own words.
pub type Result<T, E = String> = std::result::Result<T, E>;

/// A submodule, as the index of a worktree has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its path from the worktree's top.
    pub path: String,
    /// The commit that is checked out there.
    pub commit: String,
}

impl Repository {
    /// The repository that a folder is in; nothing outside of one.
    pub async fn around(root: &Path) -> Option<Self> {
        let mut git = quiet(root);
        git.args(["rev-parse", "--git-dir"]);
        output(git).await.ok().map(|_| Self { root: root.to_path_buf() })
    }

    /// Whether it has this commit.
    pub async fn has(&self, commit: &str) -> bool {
        let mut git = quiet(&self.root);
        git.env("GIT_NO_LAZY_FETCH", "1").args(["cat-file", "-e", &format!("{commit}^{{commit}}")]);
        output(git).await.is_ok()
    }

    /// Takes the commits of a bundle in. They get no name: a worktree is what keeps them.
    pub async fn take_bundle(&self, bundle: &Path) -> Result<()> {
        // Git takes any other file for one that says which repository is meant: any of this machine.
        if !is_bundle(bundle) {
            return Err("it is no bundle".to_owned());
        }
        let mut git = quiet(&self.root);
        git.args(["-c", "fetch.fsckObjects=true", "fetch", "--quiet", "--no-tags", "--no-recurse-submodules"]);
        git.arg(bundle).arg("HEAD");
        output(git).await.map(|_| ())
    }

    /// Asks the remotes of this clone for what they have by now.
    pub async fn ask_remotes(&self) -> Result<()> {
        let mut git = quiet(&self.root);
        on_network(&mut git, &self.root).await;
        git.args(["fetch", "--all", "--quiet", "--no-tags", "--no-recurse-submodules"]);
        output(git).await.map(|_| ())
    }

    /// The user's own clone of a submodule, if there is one.
    pub async fn submodule(&self, path: &str) -> Option<Self> {
        let mut git = quiet(&self.root);
        git.args(["rev-parse", "--show-toplevel"]);
        let top = output(git).await.ok()?;
        let root = Path::new(OsStr::from_bytes(top.trim_ascii_end())).join(path);
        // Without it, git would find the repository around.
        root.join(".git").exists().then_some(Self { root })
    }

    /// The address of its remote `origin`.
    pub async fn address(&self) -> Option<String> {
        let mut git = quiet(&self.root);
        git.args(["config", "--get", "remote.origin.url"]);
        let told = output(git).await.ok()?;
        Some(String::from_utf8(told).ok()?.trim().to_owned())
    }

    /// The address that the user's own commit has of a submodule, whatever a run has.
    pub async fn submodule_address(&self, path: &str) -> Option<String> {
        address_in(&self.root, "HEAD:.gitmodules", path).await.ok()
    }

    /// The paths that a commit's history has touched since what the clone's own branches and remotes have.
    pub async fn new_paths(&self, commit: &str) -> Result<Vec<String>> {
        let mut git = quiet(&self.root);
        git.args(["-c", "log.showSignature=false", "log", "--format=", "--name-only", "-z", "-m", "--no-renames"]);
        git.args(["--no-ext-diff", "--no-textconv", "--diff-filter=AM"]);
        git.args(["--not", "--branches", "--remotes", "--tags", "--not", commit]);
        Ok(names(&output(git).await?))
    }

    /// Makes a worktree of a commit in an empty folder. No file of it is there yet: see [`fill`].
    pub async fn add_worktree(&self, target: &Path, commit: &str) -> Result<()> {
        let mut git = quiet(&self.root);
        // Twice: a checkout that was killed has left its name behind, and maybe its lock.
        git.args(["worktree", "add", "--quiet", "--force", "--force", "--detach", "--no-checkout"]);
        git.arg(target).arg(commit);
        output(git).await.map(|_| ())
    }

    /// Forgets a worktree, and removes its files.
    pub async fn remove_worktree(&self, target: &Path) {
        let mut git = quiet(&self.root);
        git.args(["worktree", "remove", "--force", "--force"]).arg(target);
        let _ = output(git).await;
    }
}

/// Writes the files of a worktree's commit.
pub async fn fill(worktree: &Path) -> Result<()> {
    let mut git = unfiltered(worktree).await?;
    git.args(["reset", "--hard", "--quiet"]);
    output(git).await.map(|_| ())
}

/// Applies a patch in a worktree, to its index as well where that is wanted.
pub async fn apply(worktree: &Path, patch: &Path, is_staged: bool) -> Result<()> {
    let mut git = unfiltered(worktree).await?;
    git.args(["apply", "--whitespace=nowarn"]);
    if is_staged {
        git.arg("--index");
    }
    git.arg(patch);
    output(git).await.map(|_| ())
}

/// Applies a patch in a folder that is no repository.
pub async fn apply_outside(folder: &Path, patch: &Path) -> Result<()> {
    let mut git = unfiltered(folder).await?;
    alone(&mut git, folder);
    git.args(["apply", "--whitespace=nowarn"]).arg(patch);
    output(git).await.map(|_| ())
}

/// The paths that a patch touches. Nothing is applied.
pub async fn paths_of(patch: &Path) -> Result<Vec<String>> {
    let folder = patch.parent().unwrap_or(Path::new("/"));
    let mut git = quiet(folder);
    alone(&mut git, folder);
    git.args(["apply", "--numstat", "-z"]).arg(patch);
    let told = names(&output(git).await?);
    // `1<tab>2<tab>PATH`
    Ok(told.iter().map(|line| line.splitn(3, '\t').nth(2).unwrap_or_default().to_owned()).collect())
}

/// The symbolic links of a worktree that git knows.
pub async fn links(worktree: &Path) -> Result<Vec<String>> {
    let entries = indexed(worktree, "120000 ").await?;
    Ok(entries.into_iter().map(|link| link.path).collect())
}

/// The submodules of a worktree. None of them need be there yet.
pub async fn submodules(worktree: &Path) -> Result<Vec<Link>> {
    indexed(worktree, "160000 ").await
}

/// What the index has of one kind: `MODE COMMIT STAGE<tab>PATH`.
async fn indexed(worktree: &Path, mode: &str) -> Result<Vec<Link>> {
    let mut git = quiet(worktree);
    git.args(["ls-files", "--stage", "-z"]);
    let told = names(&output(git).await?);
    let entries = told.iter().filter_map(|entry| {
        let (about, path) = entry.strip_prefix(mode)?.split_once('\t')?;
        let (commit, _stage) = about.split_once(' ')?;
        Some(Link { path: path.to_owned(), commit: commit.to_owned() })
    });
    Ok(entries.collect())
}

/// The address that the worktree's `.gitmodules` has of a submodule.
pub async fn submodule_address(worktree: &Path, path: &str) -> Result<String> {
    // From the index: in the folder, it may be a link to any file.
    address_in(worktree, ":.gitmodules", path).await
}

/// The address that this `.gitmodules` has of a submodule.
async fn address_in(folder: &Path, blob: &str, path: &str) -> Result<String> {
    let mut git = quiet(folder);
    git.args(["config", "--blob", blob, "-z", "--get-regexp", r"^submodule\..*\.(path|url)$"]);
    let told = names(&output(git).await.map_err(|_| "nothing says where it is kept".to_owned())?);
    let settings: Vec<_> = told.iter().filter_map(|setting| setting.split_once('\n')).collect();
    let section = settings.iter().find_map(|(key, value)| key.strip_suffix(".path").filter(|_| *value == path));
    let key = section.map(|section| format!("{section}.url"));
    let address = settings.iter().find(|(name, _)| key.as_deref() == Some(*name)).map(|(_, value)| (*value).to_owned());
    address.ok_or_else(|| "nothing says where it is kept".to_owned())
}

/// Clones a repository of another machine into an empty folder. No file of it is there yet: see [`switch_to`].
pub async fn clone(worktree: &Path, address: &str, target: &Path) -> Result<()> {
    let mut git = quiet(worktree);
    on_network(&mut git, worktree).await;
    git.env("GIT_ALLOW_PROTOCOL", "https:ssh");
    git.args(["clone", "--quiet", "--no-checkout", "--no-tags", "--no-recurse-submodules", "--template="]);
    git.arg("--").arg(address).arg(target);
    output(git).await.map(|_| ())
}

/// Writes the files of a commit into a clone that has just been made. One that no branch leads to is asked for.
pub async fn switch_to(clone: &Path, commit: &str) -> Result<()> {
    let repository = Repository { root: clone.to_path_buf() };
    if !repository.has(commit).await {
        let mut git = quiet(clone);
        on_network(&mut git, clone).await;
        git.env("GIT_ALLOW_PROTOCOL", "https:ssh");
        git.args(["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "origin", commit]);
        output(git).await?;
    }
    let mut git = unfiltered(clone).await?;
    // No branch moves: the head alone stands at the commit.
    git.args(["checkout", "--quiet", "--force", "--detach", commit]);
    output(git).await.map(|_| ())
}

/// The files of a worktree that Git LFS is to keep.
pub async fn lfs_files(worktree: &Path) -> Result<Vec<String>> {
    let mut git = quiet(worktree);
    git.args(["ls-files", "-z", "--", ":(top,attr:filter=lfs)"]);
    Ok(names(&output(git).await?))
}

/// Whether git could name an object so. Anything else could be an option.
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_bundle(path: &Path) -> bool {
    let mut start = [0; 16];
    let is_read = File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok();
    is_read && BUNDLES.iter().any(|known| **known == start)
}

/// Git in a folder, which changes nothing that it is not told to.
fn quiet(folder: &Path) -> Command {
    let mut git = git::asking(folder);
    // Links are written as links here; the names of other systems' file systems are still minded.
    git.args(["-c", "core.symlinks=true", "-c", "core.protectHFS=true", "-c", "core.protectNTFS=true"]);
    git.args(["-c", "core.sparseCheckout=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false"]);
    git
}

/// The same, with every filter that is set up here turned off: files are written as they are in the commit.
async fn unfiltered(folder: &Path) -> Result<Command> {
    let mut asked = quiet(folder);
    asked.args(["config", "-z", "--name-only", "--get-regexp", r"^filter\."]);
    // It fails where there are none.
    let told = output(asked).await.map(|told| names(&told)).unwrap_or_default();
    let mut drivers: Vec<_> =
        told.iter().filter_map(|name| Some(name.strip_prefix("filter.")?.rsplit_once('.')?.0)).collect();
    drivers.sort_unstable();
    drivers.dedup();
    let mut git = quiet(folder);
    for driver in drivers {
        if driver.contains(['=', '\n']) {
            return Err(format!("the filter {driver} has a name with which it can't be turned off"));
        }
        for setting in ["clean=", "smudge=", "process=", "required=false"] {
            git.arg("-c").arg(format!("filter.{driver}.{setting}"));
        }
    }
    Ok(git)
}

/// Lets git speak to other machines without asking anybody anything.
async fn on_network(git: &mut Command, folder: &Path) {
    let mut asked = quiet(folder);
    asked.args(["config", "--get", "core.sshCommand"]);
    if output(asked).await.is_err() {
        // Its questions would go to the terminal, past git.
        git.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
    }
    // Empty: no window asks either.
    git.env("GIT_ASKPASS", "");
}

/// Keeps git from finding a repository around a folder: it would leave out what is outside of that one.
fn alone(git: &mut Command, folder: &Path) {
    git.env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder));
}

async fn output(mut git: Command) -> Result<Vec<u8>> {
    let answer = git.output().await.map_err(|error| format!("git could not be started: {error}"))?;
    if answer.status.success() {
        return Ok(answer.stdout);
    }
    let reason = String::from_utf8_lossy(&answer.stderr);
    let reason = reason.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("git failed");
    let reason = reason.strip_prefix("fatal: ").or(reason.strip_prefix("error: ")).unwrap_or(reason);
    Err(reason.to_owned())
}

/// What stands between NULs. A name that is not UTF-8 is still told, if not exactly.
fn names(bytes: &[u8]) -> Vec<String> {
    let names =
        bytes.split(|byte| *byte == 0).map(|name| String::from_utf8_lossy(name).trim_start_matches('\n').to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const NEW: &str = "diff --git a/conftest.py b/conftest.py\nnew file mode 100644\n--- /dev/null\n+++ b/conftest.py\n\
        @@ -0,0 +1 @@\n+x\n";

    #[test]
    fn an_option_is_no_commit() {
        assert!(is_commit(&"a1".repeat(20)) && is_commit(&"0".repeat(64)));
        assert!(!is_commit("HEAD") && !is_commit("") && !is_commit(&format!("--{}", "a".repeat(38))));
    }

    #[tokio::test]
    async fn a_patch_is_applied_where_no_repository_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let patch = folder.path().join("patch");
        fs::write(&patch, NEW).expect("written");
        assert_eq!(paths_of(&patch).await, Ok(vec!["conftest.py".to_owned()]));
        let target = folder.path().join("target");
        fs::create_dir(&target).expect("made");
        apply_outside(&target, &patch).await.expect("applied");
        assert_eq!(fs::read(target.join("conftest.py")).expect("read"), b"x\n");
    }

    #[tokio::test]
    async fn a_patch_that_leads_out_is_not_applied() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("target");
        fs::create_dir(&target).expect("made");
        for name in ["../escaped", ".git/hooks/pre-commit", "a/../../escaped"] {
            let patch = folder.path().join("patch");
            fs::write(&patch, NEW.replace("conftest.py", name)).expect("written");
            assert!(apply_outside(&target, &patch).await.is_err(), "{name}");
        }
        assert_eq!(target.read_dir().expect("read").count(), 0);
        assert!(!folder.path().join("escaped").exists());
    }
}
