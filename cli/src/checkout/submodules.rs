//! The submodules of a checkout: the repositories within the repository.
//!
//! Which there are and at which commits is what the worktree's index says, and the run where it had others checked
//! out. A commit comes from the user's own clone of the submodule, or from that clone's remotes. Where there is no
//! such clone, one is made within the checkout, from the address in `.gitmodules`: over HTTPS or SSH only, and only if
//! the user's own commit has the same address, as that file may be the run's.

use std::path::Path;

use otrace_wire::details::Submodule;

use super::git::{self, Link, Repository};
use super::names;
use super::tree::Tree;

/// What keeps a submodule's own submodules.
const NESTED: &str = ".gitmodules";

/// Checks all of them out into a worktree of `repository`. Gives a clause for each that is not as it was.
pub async fn check_out(
    repository: &Repository,
    tree: &Tree,
    worktree: &Path,
    recorded: &[Submodule],
) -> git::Result<Vec<String>> {
    let links = git::submodules(worktree).await?;
    let mut lacking = Vec::new();
    for link in &links {
        let own = recorded.iter().find(|submodule| submodule.path == link.path);
        // The command may have run with another commit than the one that is committed.
        let commit = own.map_or(link.commit.as_str(), |submodule| submodule.commit.as_str());
        match check_out_one(repository, tree, worktree, link, commit).await {
            Ok(parts) if tree.has(&[parts.as_slice(), &[NESTED]].concat()) => {
                lacking.push(format!("the submodules of the submodule {} are not there", link.path));
            }
            Ok(_) => {}
            Err(said) => lacking.push(format!("the submodule {} is not there ({said})", link.path)),
        }
    }
    let unknown = recorded.iter().filter(|submodule| !links.iter().any(|link| link.path == submodule.path));
    lacking.extend(unknown.map(|submodule| format!("the commit has no submodule {}", submodule.path)));
    Ok(lacking)
}

/// Gives the parts of its path.
async fn check_out_one<'a>(
    repository: &Repository,
    tree: &Tree,
    worktree: &Path,
    link: &'a Link,
    commit: &str,
) -> git::Result<Vec<&'a str>> {
    let parts = names::parts(&link.path)?;
    if !git::is_commit(commit) {
        return Err("its commit is none that git knows".to_owned());
    }
    // Git works with paths, and would follow a link that a patch has put above it.
    if !tree.is_folder(&parts) {
        return Err("its folder is something else".to_owned());
    }
    let target = worktree.join(&link.path);
    match repository.submodule(&link.path).await {
        Some(clone) => from_clone(&clone, &target, commit).await?,
        None => from_address(repository, worktree, link, &target, commit).await?,
    }
    Ok(parts)
}

async fn from_clone(clone: &Repository, target: &Path, commit: &str) -> git::Result<()> {
    if !clone.has(commit).await {
        let asked = clone.ask_remotes().await;
        if !clone.has(commit).await {
            let said = asked.err().map(|said| format!(": {said}")).unwrap_or_default();
            return Err(format!("its clone here lacks the commit{said}"));
        }
    }
    clone.add_worktree(target, commit).await?;
    git::fill(target).await
}

async fn from_address(
    repository: &Repository,
    worktree: &Path,
    link: &Link,
    target: &Path,
    commit: &str,
) -> git::Result<()> {
    let told = git::submodule_address(worktree, &link.path).await?;
    let address = resolved(&told, repository.address().await.as_deref())
        .filter(|address| is_remote(address))
        .ok_or_else(|| format!("it is not cloned here, and its address is neither HTTPS nor SSH: {told}"))?;
    if repository.submodule_address(&link.path).await.as_ref() != Some(&told) {
        return Err(format!("only the run says where it is kept: {told}"));
    }
    git::clone(worktree, &address, target).await?;
    git::switch_to(target, commit).await
}

/// An address that is written relative to that of the repository, as git reads it: `../lib.git`.
fn resolved(address: &str, base: Option<&str>) -> Option<String> {
    if !address.starts_with("./") && !address.starts_with("../") {
        return Some(address.to_owned());
    }
    let mut base = base?.trim_end_matches('/');
    let (mut rest, mut separator) = (address, '/');
    loop {
        if let Some(after) = rest.strip_prefix("../") {
            let at = base.rfind(['/', ':'])?;
            separator = if base[at..].starts_with(':') { ':' } else { '/' };
            (base, rest) = (&base[..at], after);
        } else if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else {
            return Some(format!("{base}{separator}{rest}"));
        }
    }
}

/// Whether it leads to another machine in a way that nobody in between can change.
fn is_remote(address: &str) -> bool {
    if address.starts_with('-') || address.contains("::") {
        return false;
    }
    match address.split_once("://") {
        Some((scheme, _)) => matches!(scheme, "https" | "ssh"),
        // `git@example.org:team/lib.git`; a path has a slash before its first colon.
        None => address.split_once(':').is_some_and(|(host, _)| !host.is_empty() && !host.contains('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_address_is_read_as_git_reads_it() {
        let at = |address, base| resolved(address, Some(base));
        let https = "https://example.org/team/repo.git";
        assert_eq!(at("../lib.git", https).as_deref(), Some("https://example.org/team/lib.git"));
        assert_eq!(at("../../other/./lib.git", https).as_deref(), Some("https://example.org/other/./lib.git"));
        assert_eq!(at("./lib.git", https).as_deref(), Some("https://example.org/team/repo.git/lib.git"));
        assert_eq!(at("../lib.git", "git@example.org:repo.git").as_deref(), Some("git@example.org:lib.git"));
        assert_eq!(at("ssh://a/b", https).as_deref(), Some("ssh://a/b"));
        assert_eq!(resolved("../lib.git", None), None);
    }

    #[test]
    fn only_addresses_of_other_machines_are_asked() {
        for address in ["https://example.org/lib.git", "ssh://git@example.org/lib.git", "git@example.org:lib.git"] {
            assert!(is_remote(address), "{address}");
        }
        let others =
            ["ext::sh -c x", "file:///srv/lib.git", "/srv/lib.git", "../a:b", "http://a/b", "git://a/b", "-x:y"];
        for address in others {
            assert!(!is_remote(address), "{address}");
        }
    }
}
