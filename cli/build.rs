//! Tells the program which commit it is built from, for `otrace --version`.
//!
//! `OTRACE_COMMIT` names the commit where there is no repository, such as when a package is built from an archive.
//! With neither, the version stands alone: nothing here makes a build fail, and the same commit gives the same program.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How much of a commit's name is shown. Git's own short names grow with the repository.
const DIGITS: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=OTRACE_COMMIT");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let given = env::var("OTRACE_COMMIT").ok().and_then(|commit| short(&commit));
    let told = match given.or_else(of_repository) {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo::rustc-env=OTRACE_VERSION={told}");
}

/// The commit that is checked out here. Whether anything is changed since is not told: to know that, each build
/// would have to look at every file.
fn of_repository() -> Option<String> {
    let crate_folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    let root = crate_folder.parent()?;
    // A repository that merely surrounds an unpacked archive is somebody else's.
    if !root.join(".git").exists() {
        return None;
    }
    watch(root);
    short(&git(root, &["rev-parse", "--verify", "HEAD"])?)
}

/// Has this run again once another commit is checked out.
fn watch(root: &Path) {
    let branch = git(root, &["rev-parse", "--symbolic-full-name", "HEAD"]).unwrap_or_default();
    for name in ["HEAD", "logs/HEAD", "packed-refs", branch.as_str()] {
        let path = git(root, &["rev-parse", "--git-path", name]).map(|path| root.join(path));
        // What is not there counts as changed each time.
        if let Some(path) = path.filter(|path| path.is_file()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

fn git(root: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    for (name, _) in env::vars_os() {
        // A build that a hook starts has GIT_DIR and its like, which may point elsewhere.
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    let answer = command.args(args).current_dir(root).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
    (answer.status.success() && !text.is_empty()).then_some(text)
}

/// The first digits of a commit's name; nothing, if it is none.
fn short(commit: &str) -> Option<String> {
    let commit = commit.trim();
    let is_name = commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_name.then(|| commit.chars().take(DIGITS).collect::<String>().to_ascii_lowercase())
}
