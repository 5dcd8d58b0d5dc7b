//! The repositories within the repository: where each of them stands.
//!
//! It asks git with blocking calls, on a thread of its own, while the command runs.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use otrace_wire::details::Submodule;

use crate::capture::git::{self, ChangedSubmodule};

/// Of more than this many, the rest is not told.
const SUBMODULES_MAX: usize = 100;

/// A submodule, and whether others can get its commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// What is sent of it.
    pub submodule: Submodule,
    /// Whether its commit is on none of its remotes.
    pub is_unpushed: bool,
}

/// The submodules of the repository that begins at `top`.
pub fn list(top: &Path, changed: &[ChangedSubmodule]) -> Vec<Found> {
    if !top.join(".gitmodules").is_file() {
        return Vec::new();
    }
    let indexed = indexed(top).unwrap_or_default();
    indexed.into_iter().map(|(path, commit)| find(top, path, commit, changed)).collect()
}

/// Path and commit of each, as the index has them.
fn indexed(top: &Path) -> Option<Vec<(String, String)>> {
    let mut child = git::in_background(top).args(["ls-files", "--stage", "-z"]).spawn().ok()?;
    let mut found = Vec::new();
    for entry in BufReader::new(child.stdout.take()?).split(0) {
        let Ok(entry) = entry else { break };
        if found.len() < SUBMODULES_MAX {
            found.extend(gitlink(&entry));
        }
    }
    child.wait().ok()?.success().then_some(found)
}

/// `160000 COMMIT 0<tab>PATH`
fn gitlink(entry: &[u8]) -> Option<(String, String)> {
    let entry = std::str::from_utf8(entry).ok()?.strip_prefix("160000 ")?;
    let (about, path) = entry.split_once('\t')?;
    let (commit, _stage) = about.split_once(' ')?;
    Some((path.to_owned(), commit.to_owned()))
}

fn find(top: &Path, path: String, indexed: String, changed: &[ChangedSubmodule]) -> Found {
    let place = top.join(&path);
    if !place.join(".git").exists() {
        // It was not checked out: the command did without it.
        return Found { submodule: Submodule { path, commit: indexed, dirty: false }, is_unpushed: false };
    }
    let changed = changed.iter().find(|changed| changed.path == path);
    let commit = match changed {
        Some(changed) if changed.is_at_other_commit => answer(&place, &["rev-parse", "HEAD"]).unwrap_or(indexed),
        _ => indexed,
    };
    let unpushed = answer(&place, &["rev-list", "--max-count=1", "--not", "--remotes", "--not", &commit]);
    let is_unpushed = unpushed.is_none_or(|commits| !commits.is_empty());
    let dirty = changed.is_some_and(|changed| changed.is_dirty);
    Found { submodule: Submodule { path, commit, dirty }, is_unpushed }
}

fn answer(place: &Path, question: &[&str]) -> Option<String> {
    let answer = git::in_background(place).args(question).output().ok()?;
    answer.status.success().then(|| String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_commit_is_told_from_a_file() {
        let entry = b"160000 6e23037f689865c4625148ec3199ac55ff657fd4 0\tlibs/my lib";
        let commit = "6e23037f689865c4625148ec3199ac55ff657fd4".to_owned();
        assert_eq!(gitlink(entry), Some(("libs/my lib".to_owned(), commit)));
        assert_eq!(gitlink(b"100644 008e8edaf3165b09395d7d5fe13cb3e657072b74 0\tREADME"), None);
    }

    #[test]
    fn a_folder_without_submodules_has_none() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(list(folder.path(), &[]), []);
    }
}
