//! Files that Git LFS keeps: a commit holds pointers to them, and a checkout runs no filter that would fetch them.

use std::path::Path;

use super::tree::Tree;
use super::{git, names};

/// What a pointer begins with.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// A clause that tells how many files are mere pointers; nothing, if none is.
pub async fn lacking(worktree: &Path, tree: &Tree) -> Option<String> {
    let files = git::lfs_files(worktree).await.unwrap_or_default();
    let pointers: Vec<_> = files.iter().filter(|file| is_pointer(tree, file)).collect();
    match pointers.as_slice() {
        [] => None,
        [one] => Some(format!("{one} is kept by Git LFS, and only its pointer is there; `git lfs pull` fetches it")),
        [first, ..] => Some(format!(
            "{} files are kept by Git LFS, such as {first}, and only their pointers are there; `git lfs pull` fetches them",
            pointers.len()
        )),
    }
}

fn is_pointer(tree: &Tree, file: &str) -> bool {
    let Ok(parts) = names::parts(file) else { return false };
    tree.read(&parts, POINTER.len() as u64).is_ok_and(|bytes| bytes == POINTER)
}
