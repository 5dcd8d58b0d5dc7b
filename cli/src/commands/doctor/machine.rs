//! What can be wrong with git, `.trace/`, the disk, and runs that are not sent.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;

use nix::unistd::{AccessFlags, access, geteuid};
use tokio::process::Command;

use super::{Check, Report};
use crate::capture::git::{self, GitFacts};
use crate::capture::machine::on_path;
use crate::printer;
use crate::spool::{Entry, Spool, bound};
use crate::system_metrics::disk_free;
use crate::workspace::{TRACE_DIR, Workspace};

/// With less room than this a run's own logs may not fit.
const ROOM_MIN: u64 = 100 << 20;
/// With less than this it is time to make room.
const ROOM_WANTED: u64 = 1 << 30;

/// Looks at all of it.
pub async fn check(workspace: &Workspace, report: &mut Report) {
    report.add(repository(workspace).await);
    report.add(folder(workspace));
    report.add(disk(workspace));
    report.add(unsent(workspace));
}

async fn repository(workspace: &Workspace) -> Check {
    let Some(program) = on_path("git") else {
        return Check::warning("git", "git is not installed, so that no run knows its code. Install git.");
    };
    let version = version(&program).await.unwrap_or_else(|| "git".to_owned());
    match git::facts(workspace.root(), None).await {
        Some(facts) => in_repository(&version, &facts),
        None => Check::warning(
            "git",
            "this directory is in no git repository, so that no run knows its code. Run `git init` and commit it.",
        ),
    }
}

fn in_repository(version: &str, facts: &GitFacts) -> Check {
    let Some(commit) = &facts.commit else {
        return Check::warning("git", "the repository has no commit yet, so that no run knows its code. Commit it.");
    };
    if facts.has_conflicts {
        return Check::warning("git", "a merge has left conflicts, which no run can hold. Resolve them and commit.");
    }
    let branch = facts.branch.as_ref().map_or_else(|| "no branch".to_owned(), |branch| format!("branch {branch}"));
    let commit: String = commit.chars().take(12).collect();
    let changes = if facts.dirty { ", with changes that are not committed" } else { "" };
    Check::ok("git", format_args!("{version}: {branch} at {commit}{changes}"))
}

/// As git says it: `git version 2.39.5`.
async fn version(program: &Path) -> Option<String> {
    let answer = Command::new(program).arg("--version").stdin(Stdio::null()).output().await.ok()?;
    let told = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    told.starts_with("git version ").then_some(told)
}

/// Whether what runs leave on this machine has a place, and is its owner's alone.
fn folder(workspace: &Workspace) -> Check {
    let (name, root, path) = ("workspace", workspace.root(), workspace.trace_dir());
    let found = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let shown = root.display();
            return if is_usable(root) {
                Check::ok(name, format_args!("{shown} has no {TRACE_DIR} yet; the first run makes it"))
            } else {
                let told = format!("{shown} can't be written to. Give it to your account, or work elsewhere.");
                Check::failed(name, told)
            };
        }
        Err(error) => return Check::failed(name, format_args!("{} can't be looked at: {error}", path.display())),
        Ok(found) => found,
    };
    let shown = path.display();
    if !found.is_dir() {
        let told = format!("{shown} is a link or a file, and has to be a directory. Move it away.");
        return Check::failed(name, told);
    }
    if found.uid() != geteuid().as_raw() && !geteuid().is_root() {
        let told = format!("{shown} belongs to another account. Move it away, or give it to yours with chown.");
        return Check::failed(name, told);
    }
    if !is_usable(&path) {
        return Check::failed(name, format_args!("{shown} can't be written to. Run `chmod 700` on it."));
    }
    let mode = found.mode() & 0o777;
    if mode & 0o077 != 0 {
        let told = format!("{shown} is open to others (mode {mode:o}). Run `chmod 700` on it, as the next run does.");
        return Check::warning(name, told);
    }
    Check::ok(name, format_args!("{shown} is for your account alone"))
}

fn is_usable(folder: &Path) -> bool {
    access(folder, AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}

fn disk(workspace: &Workspace) -> Check {
    let trace = workspace.trace_dir();
    let place = if trace.is_dir() { trace.as_path() } else { workspace.root() };
    match disk_free(place) {
        Ok(free) => room(free),
        Err(error) => Check::warning("disk", format_args!("the room on the disk is not known: {error}")),
    }
}

fn room(free: u64) -> Check {
    let told = printer::bytes(free);
    match free {
        ..ROOM_MIN => Check::failed("disk", format_args!("{told} free, which is too little for a run. Make room.")),
        ROOM_MIN..ROOM_WANTED => Check::warning("disk", format_args!("{told} free. Make room soon.")),
        _ => Check::ok("disk", format_args!("{told} free")),
    }
}

fn unsent(workspace: &Workspace) -> Check {
    let entries = Spool::of(workspace).entries();
    let idle = entries.iter().filter(|entry| is_idle(entry)).count();
    let busy = entries.len() - idle;
    if let Some(warning) = bound::warning(workspace) {
        return Check::warning("unsent", warning);
    }
    match (idle, busy) {
        (0, 0) => Check::ok("unsent", "everything is sent"),
        (0, busy) => Check::ok("unsent", format_args!("{} being recorded or sent", runs(busy))),
        (idle, _) => Check::warning(
            "unsent",
            format_args!("the server lacks something of {}. `otrace sync` sends it.", runs(idle)),
        ),
    }
}

/// Whether no `otrace` works on the run just now.
fn is_idle(entry: &Entry) -> bool {
    !matches!(entry.lock(), Ok(None))
}

fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn too_little_room_fails_and_little_warns() {
        let of = |free| room(free).status;
        assert_eq!((of(0), of(ROOM_MIN), of(ROOM_WANTED)), (Status::Failed, Status::Warning, Status::Ok));
    }

    #[test]
    fn a_repository_is_told_by_what_a_run_would_hold_of_it() {
        let commit = Some("b81abba8d0f1aaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned());
        let facts = GitFacts { commit, branch: Some("main".to_owned()), dirty: true, ..GitFacts::default() };
        let told = in_repository("git version 2.39.5", &facts).message;
        assert_eq!(told, "git version 2.39.5: branch main at b81abba8d0f1, with changes that are not committed");
        let conflicts = GitFacts { has_conflicts: true, ..facts };
        assert_eq!(in_repository("git", &conflicts).status, Status::Warning);
        assert_eq!(in_repository("git", &GitFacts::default()).status, Status::Warning);
    }
}
