//! What git knows about the workspace: the commit, the branch, and what was changed since.
//!
//! A directory that is no repository, a repository without a commit, and a machine without git are
//! all fine: they are recorded as such. Git is run so that it changes nothing, asks nothing and
//! runs nothing that the repository brings along (hooks, monitors, external diffs).

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::process::Command as AsyncCommand;

use crate::capture::masked::{self, Masked, Masking};
use crate::capture::stored::StoredFile;
use crate::secrets::{Masker, Surface};
use crate::workspace::{AGENTS_FILE, IGNORE_FILE};
use crate::{printer, private_files};

/// Where the repository stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitFacts {
    /// The commit that is checked out; nothing before the first one.
    pub commit: Option<String>,
    /// The branch that is checked out; nothing when the head is detached.
    pub branch: Option<String>,
    /// `remote.origin.url`, else another remote's, without a password in it.
    pub remote_url: Option<String>,
    /// Whether anything is changed and not committed, untracked files included.
    pub dirty: bool,
    /// The folder that the repository begins at.
    pub top: Option<PathBuf>,
    /// What is changed and not committed, so that git is asked for nothing that is not there.
    pub changes: Changes,
    /// Whether a merge has left conflicts, which no patch can hold.
    pub has_conflicts: bool,
    /// The submodules that are not as the index has them.
    pub changed_submodules: Vec<ChangedSubmodule>,
}

/// Which kinds of changes there are that are not committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Of files that git tracks, not staged.
    pub has_unstaged: bool,
    /// Staged ones.
    pub has_staged: bool,
    /// Files that git neither tracks nor ignores.
    pub has_untracked: bool,
}

/// A submodule that is not as the index has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedSubmodule {
    /// Its path from the repository's top.
    pub path: String,
    /// Whether another commit is checked out in it.
    pub is_at_other_commit: bool,
    /// Whether anything in it is changed and not committed.
    pub is_dirty: bool,
}

/// What is changed and not committed, as patches that `git apply` takes.
#[derive(Clone, Debug, Default)]
pub struct Diffs {
    /// What is not staged.
    pub dirty: Option<StoredFile>,
    /// What is staged.
    pub staged: Option<StoredFile>,
    /// Whether git could not write one of them.
    pub is_incomplete: bool,
    /// Whether a secret was masked in one of them.
    pub is_masked: bool,
}

/// The state of the repository that `root` is in; nothing outside of one.
pub async fn facts(root: &Path, masker: Option<&Masker>) -> Option<GitFacts> {
    let (status, remote_url) = tokio::join!(status(root), remote_url(root));
    let mask = |url: String| masker.map_or_else(|| url.clone(), |masker| masker.mask_text(&Surface::RemoteUrl, &url));
    let remote_url = remote_url.map(mask);
    status.map(|facts| GitFacts { remote_url, top: top(root), ..facts })
}

/// Writes those `changes` of the repository that are not committed into two files. A file that would be empty is
/// not there.
pub async fn diffs(root: &Path, changes: Changes, dirty: &Path, staged: &Path, masker: Option<&Masker>) -> Diffs {
    let masking = |surface| masker.map(|masker| (masker, surface));
    let dirty = async {
        if !changes.has_unstaged {
            return Ok(None);
        }
        diff(root, dirty, &[], masking(Surface::DirtyDiff)).await
    };
    let staged = async {
        if !changes.has_staged {
            return Ok(None);
        }
        diff(root, staged, &["--cached"], masking(Surface::StagedDiff)).await
    };
    let (dirty, staged) = tokio::join!(dirty, staged);
    let is_incomplete = dirty.is_err() || staged.is_err();
    let (dirty, staged) = (dirty.ok().flatten(), staged.ok().flatten());
    let is_masked = [&dirty, &staged].into_iter().flatten().any(|diff| diff.is_masked);
    let file = |diff: Option<Masked>| diff.map(|diff| diff.file);
    Diffs { dirty: file(dirty), staged: file(staged), is_incomplete, is_masked }
}

async fn status(root: &Path) -> Option<GitFacts> {
    let mut git = asking(root);
    git.args(["status", "--porcelain=v2", "--branch", "-z"]);
    git.args(["--untracked-files=normal", "--no-renames"]);
    let answer = git.output().await.ok()?;
    if !answer.status.success() {
        let reason = String::from_utf8_lossy(&answer.stderr);
        if !reason.contains("not a git repository") {
            let reason = reason.lines().next().unwrap_or_default().to_owned();
            printer::warning(format_args!("git could not be asked about this directory: {reason}"));
        }
        return None;
    }
    Some(parse_status(&String::from_utf8_lossy(&answer.stdout)))
}

fn parse_status(text: &str) -> GitFacts {
    let mut facts = GitFacts::default();
    for record in text.split('\0') {
        if let Some(commit) = record.strip_prefix("# branch.oid ") {
            facts.commit = (commit != "(initial)").then(|| commit.to_owned());
        } else if let Some(branch) = record.strip_prefix("# branch.head ") {
            facts.branch = (branch != "(detached)").then(|| branch.to_owned());
        } else if let Some(path) = record.strip_prefix("? ") {
            facts.changes.has_untracked |= !is_ours(path);
        } else if !record.is_empty() && !record.starts_with("# ") {
            facts.changes.note(record);
            facts.has_conflicts |= record.starts_with("u ");
            facts.changed_submodules.extend(changed_submodule(record));
        }
    }
    let Changes { has_unstaged, has_staged, has_untracked } = facts.changes;
    GitFacts { dirty: has_unstaged || has_staged || has_untracked, ..facts }
}

impl Changes {
    /// `1 XY …`: X is what the index has changed, Y what the files have; a dot is nothing. What reads otherwise may be
    /// both.
    fn note(&mut self, record: &str) {
        let state = record.strip_prefix("1 ").unwrap_or("UU");
        self.has_staged |= !state.starts_with('.');
        self.has_unstaged |= state.as_bytes().get(1) != Some(&b'.');
    }
}

/// `1 .M SCM. 160000 160000 160000 OID OID path`: `C` another commit, `M` changes, `U` untracked files.
fn changed_submodule(record: &str) -> Option<ChangedSubmodule> {
    let mut fields = record.strip_prefix("1 ")?.splitn(8, ' ');
    let state = fields.nth(1)?.strip_prefix('S')?;
    let path = fields.nth(5)?.to_owned();
    let is_at_other_commit = state.starts_with('C');
    Some(ChangedSubmodule { path, is_at_other_commit, is_dirty: state.contains(['M', 'U']) })
}

/// What `otrace` itself writes into a workspace must not make every commit look changed.
pub(super) fn is_ours(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name == AGENTS_FILE || name == IGNORE_FILE || (name.starts_with("otrace_") && name.ends_with("_runspec.yaml"))
}

/// Git could be asked for it too; but another process is more than the command's start may cost.
fn top(root: &Path) -> Option<PathBuf> {
    root.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_path_buf)
}

async fn remote_url(root: &Path) -> Option<String> {
    let answer = asking(root).args(["config", "-z", "--get-regexp", r"^remote\..*\.url$"]).output().await.ok()?;
    let told = String::from_utf8(answer.stdout).ok()?;
    let remotes: Vec<_> = told.split('\0').filter_map(|remote| remote.split_once('\n')).collect();
    let origin = remotes.iter().find(|(name, _)| *name == "remote.origin.url");
    let (_, url) = origin.or(remotes.first())?;
    (!url.trim().is_empty()).then(|| without_password(url.trim()))
}

/// People do put tokens into remotes; they are nobody's business on the server.
fn without_password(remote: &str) -> String {
    match reqwest::Url::parse(remote) {
        Ok(mut url) if matches!(url.scheme(), "http" | "https") => {
            let cleared = url.set_username("").and_then(|()| url.set_password(None));
            if cleared.is_ok() { url.into() } else { remote.to_owned() }
        }
        _ => remote.to_owned(),
    }
}

/// Git could not write a patch.
struct NotWritten;

async fn diff(root: &Path, target: &Path, which: &[&str], masking: Masking<'_>) -> Result<Option<Masked>, NotWritten> {
    // Git writes into the file itself: a diff can be larger than memory.
    let file = private_files::file(target).map_err(|_| NotWritten)?;
    let mut git = asking(root);
    git.args(["diff", "--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--unified=3"]);
    git.args(["--no-relative", "--submodule=short", "--ignore-submodules=dirty"]);
    git.args(["--src-prefix=a/", "--dst-prefix=b/"]);
    let ended = git.args(which).stdout(file).stderr(Stdio::null()).status().await;
    let is_written = ended.is_ok_and(|status| status.success());
    let diff = if is_written { masked::in_place(target.to_path_buf(), masking).ok() } else { None };
    if diff.as_ref().is_none_or(|diff| diff.file.size == 0) {
        // Empty, or git's complaint that there is no repository: either way there is no diff.
        let _ = std::fs::remove_file(target);
    }
    diff.map(|diff| Some(diff).filter(|diff| diff.file.size > 0)).ok_or(NotWritten)
}

/// Git at work in the background of a command: as slow as it has to be, out of reach of the
/// terminal's Ctrl-C, and never on the network.
pub(super) fn in_background(root: &Path) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "19", "git", "-c", "protocol.allow=never"]);
    harmless(&mut command, root);
    command.env("GIT_NO_LAZY_FETCH", "1").stderr(Stdio::null()).process_group(0);
    command
}

/// Git, to be asked something; dropped, it ends.
pub(crate) fn asking(root: &Path) -> AsyncCommand {
    let mut command = Command::new("git");
    harmless(&mut command, root);
    let mut command = AsyncCommand::from(command);
    command.kill_on_drop(true);
    command
}

/// Makes git change nothing, ask nothing, and run nothing that the repository brings along.
fn harmless(command: &mut Command, root: &Path) {
    for (name, _) in env::vars_os() {
        // GIT_DIR and its like would point git elsewhere.
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.symlinks=false"])
        .args(["-c", "protocol.ext.allow=never", "-c", "submodule.recurse=false"])
        .current_dir(root)
        .env("PATH", absolute_path())
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        // Without this, asking for the status would rewrite the index under a running editor.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
}

/// `PATH` without what depends on the current directory: a repository may bring a `git` along.
fn absolute_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
    env::join_paths(folders).ok().filter(|path| !path.is_empty()).unwrap_or_else(|| "/usr/bin:/bin".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_commit_branch_and_changes() {
        let facts = parse_status("# branch.oid abc\0# branch.head main\0# branch.ab +0 -0\0");
        assert_eq!(facts.commit.as_deref(), Some("abc"));
        assert_eq!(facts.branch.as_deref(), Some("main"));
        assert!(!facts.dirty);
    }

    #[test]
    fn a_status_tells_which_kinds_of_changes_there_are() {
        let of = |state: &str| {
            let facts = parse_status(&format!("# branch.oid abc\0{state}\0"));
            let Changes { has_unstaged, has_staged, has_untracked } = facts.changes;
            assert_eq!(facts.dirty, has_unstaged || has_staged || has_untracked, "{state}");
            (has_unstaged, has_staged, has_untracked)
        };
        let tracked = |state: &str| of(&format!("1 {state} N... 100644 100644 100644 a b train.py"));
        assert_eq!(tracked(".M"), (true, false, false));
        assert_eq!(tracked("M."), (false, true, false));
        assert_eq!(tracked("AM"), (true, true, false));
        assert_eq!(of("u UU N... 100644 100644 100644 100644 a b c train.py"), (true, true, false));
        assert_eq!(of("? notes.txt"), (false, false, true));
        assert_eq!(of("? TRACE_FOR_AGENTS.md"), (false, false, false));
    }

    #[test]
    fn a_status_tells_conflicts_and_changed_submodules() {
        let of = |text: &str| parse_status(&format!("# branch.oid abc\0{text}\0"));
        assert!(of("u UU N... 100644 100644 100644 100644 a b c train.py").has_conflicts);
        assert!(of("1 .M N... 100644 100644 100644 a b S/a.py").changed_submodules.is_empty());
        let found = of("1 .M SCM. 160000 160000 160000 a b libs/my lib").changed_submodules;
        let path = "libs/my lib".to_owned();
        assert_eq!(found, [ChangedSubmodule { path, is_at_other_commit: true, is_dirty: true }]);
        let found = of("1 .M S..U 160000 160000 160000 a b lib").changed_submodules;
        assert!(!found[0].is_at_other_commit && found[0].is_dirty);
    }

    #[test]
    fn before_the_first_commit_there_is_none() {
        let facts = parse_status("# branch.oid (initial)\0# branch.head main\0");
        assert_eq!((facts.commit, facts.branch.as_deref()), (None, Some("main")));
        assert_eq!(parse_status("# branch.oid abc\0# branch.head (detached)\0").branch, None);
    }

    #[test]
    fn our_own_files_change_nothing() {
        let ours = "? TRACE_FOR_AGENTS.md\0? sub/.traceignore\0? otrace_demo_runspec.yaml\0";
        assert!(!parse_status(ours).dirty);
    }

    #[test]
    fn a_password_in_the_remote_is_left_out() {
        let clean = "https://example.com/team/repo.git";
        assert_eq!(without_password("https://ada:s3cret@example.com/team/repo.git"), clean);
        assert_eq!(without_password(clean), clean);
        assert_eq!(without_password("git@example.com:team/repo"), "git@example.com:team/repo");
    }
}
