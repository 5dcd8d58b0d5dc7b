//! Git at work for a checkout: commits, a worktree, patches.
//!
//! It runs no hooks, filters or monitors, and asks nobody. What comes from the server is a bundle, patches and
//! the name of a commit; the network is used only to ask the remotes of the user's own clone.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::capture::git;

/// A repository of the user's.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
}

/// Why git did not do it, in its own words.
pub type Result<T, E = String> = std::result::Result<T, E>;

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
        let mut git = quiet(&self.root);
        git.args(["-c", "fetch.fsckObjects=true", "fetch", "--quiet", "--no-tags", "--no-recurse-submodules"]);
        git.arg(bundle).arg("HEAD");
        output(git).await.map(|_| ())
    }

    /// Asks the remotes of this clone for what they have by now.
    pub async fn ask_remotes(&self) -> Result<()> {
        let mut asked = quiet(&self.root);
        asked.args(["config", "--get", "core.sshCommand"]);
        let mut git = quiet(&self.root);
        if output(asked).await.is_err() {
            // Its questions would go to the terminal, past git.
            git.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        }
        // Empty: no window asks either.
        git.env("GIT_ASKPASS", "").args(["fetch", "--all", "--quiet", "--no-tags", "--no-recurse-submodules"]);
        output(git).await.map(|_| ())
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
    let mut git = quiet(worktree);
    git.args(["ls-files", "--stage", "-z"]);
    let told = names(&output(git).await?);
    let links = told.iter().filter(|entry| entry.starts_with("120000 "));
    Ok(links.filter_map(|entry| Some(entry.split_once('\t')?.1.to_owned())).collect())
}

/// Whether git could name an object so. Anything else could be an option.
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
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
