//! What git knows about the workspace: the commit, the branch, and what was changed since.
//!
//! A directory that is no repository, a repository without a commit, and a machine without git are
//! all fine: they are recorded as such. Git is run so that it changes nothing, asks nothing and
//! runs nothing that the repository brings along (hooks, monitors, external diffs).

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::capture::stored::{self, StoredFile};
use crate::workspace::{AGENTS_FILE, IGNORE_FILE};
use crate::{printer, private_files};

/// Where the repository stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitFacts {
    /// The commit that is checked out; nothing before the first one.
    pub commit: Option<String>,
    /// The branch that is checked out; nothing when the head is detached.
    pub branch: Option<String>,
    /// `remote.origin.url`, without a password in it.
    pub remote_url: Option<String>,
    /// Whether anything is changed and not committed, untracked files included.
    pub dirty: bool,
}

/// What is changed and not committed, as patches that `git apply` takes.
#[derive(Clone, Debug, Default)]
pub struct Diffs {
    /// What is not staged.
    pub dirty: Option<StoredFile>,
    /// What is staged.
    pub staged: Option<StoredFile>,
}

/// The state of the repository that `root` is in; nothing outside of one.
pub async fn facts(root: &Path) -> Option<GitFacts> {
    let (status, remote_url) = tokio::join!(status(root), remote_url(root));
    status.map(|facts| GitFacts { remote_url, ..facts })
}

/// Writes the uncommitted changes of the repository into two files. A file that would be empty is
/// not there.
pub async fn diffs(root: &Path, dirty: &Path, staged: &Path) -> Diffs {
    let (dirty, staged) = tokio::join!(diff(root, dirty, &[]), diff(root, staged, &["--cached"]));
    Diffs { dirty, staged }
}

async fn status(root: &Path) -> Option<GitFacts> {
    let mut git = git(root);
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
            facts.dirty |= !is_ours(path);
        } else if !record.is_empty() && !record.starts_with("# ") {
            facts.dirty = true;
        }
    }
    facts
}

/// What `otrace` itself writes into a workspace must not make every commit look changed.
fn is_ours(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name == AGENTS_FILE || name == IGNORE_FILE || (name.starts_with("otrace_") && name.ends_with("_runspec.yaml"))
}

async fn remote_url(root: &Path) -> Option<String> {
    let answer = git(root).args(["config", "--get", "remote.origin.url"]).output().await.ok()?;
    let url = String::from_utf8(answer.stdout).ok()?;
    (answer.status.success() && !url.trim().is_empty()).then(|| without_password(url.trim()))
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

async fn diff(root: &Path, target: &Path, which: &[&str]) -> Option<StoredFile> {
    // Git writes into the file itself: a diff can be larger than memory.
    let file = private_files::file(target).ok()?;
    let mut git = git(root);
    git.args(["diff", "--binary", "--no-ext-diff", "--no-textconv", "--no-color"]);
    git.args(["--no-relative", "--submodule=short", "--src-prefix=a/", "--dst-prefix=b/"]);
    let ended = git.args(which).stdout(file).stderr(Stdio::null()).status().await;
    if ended.is_ok_and(|status| status.success())
        && let Ok(stored) = stored::measure(target.to_path_buf())
        && stored.size > 0
    {
        return Some(stored);
    }
    // Empty, or git's complaint that there is no repository: either way there is no diff.
    let _ = std::fs::remove_file(target);
    None
}

fn git(root: &Path) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        // GIT_DIR and its like would point git elsewhere.
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
        .current_dir(root)
        .env("GIT_TERMINAL_PROMPT", "0")
        // Without this, asking for the status would rewrite the index under a running editor.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
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
        let changed = "# branch.oid abc\x001 .M N... 100644 100644 100644 a b train.py\0";
        assert!(parse_status(changed).dirty);
        assert!(parse_status("# branch.oid abc\0? notes.txt\0").dirty);
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
