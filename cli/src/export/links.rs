//! Symbolic links that stay in their tree.

use std::path::{Component, Path};

/// Whether a link, given its path from the tree's top, leads to something below that top, whichever links there are
/// on the way. Going up is fine at the beginning only: after another link, nobody knows where it leads.
pub fn stays_below(link: &Path, target: &Path) -> bool {
    let Some(folder) = link.parent() else { return false };
    let mut depth = folder.components().count();
    let mut has_gone_down = false;
    for part in target.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(_) => has_gone_down = true,
            Component::ParentDir if !has_gone_down && depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_within_the_tree_are_told_from_others() {
        let stays = |link: &str, target: &str| stays_below(Path::new(link), Path::new(target));
        assert!(stays("a", "b") && stays("sub/a", "../b") && stays("x/y/a", "../../b/c") && stays("a", "."));
        assert!(!stays("a", "/etc/passwd") && !stays("a", "../b") && !stays("sub/a", "../../b"));
        // `here` may be a link to `.`.
        assert!(!stays("a", "here/../b"));
    }
}
