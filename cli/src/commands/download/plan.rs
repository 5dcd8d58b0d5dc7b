//! Which of a run's files are wanted, and where they belong. Pure.
//!
//! Names come from whoever recorded the run, and from the server: none leads out of the folder, into a git
//! repository's own files, or to two different files.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};
use otrace_wire::{Artifact, Sha256Digest};

use crate::checkout::names::is_taken_for;
use crate::commands::artifacts::name;
use crate::error::{Error, Result};

/// As in a shell, though hidden files are found: they were declared.
const GLOB: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// Names that git takes for those of a repository.
const GITS: [&str; 2] = [".git", "git~1"];

/// What to download.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) wanted: Vec<Wanted>,
    /// What can't be, and why.
    pub(crate) left_out: Vec<(String, String)>,
}

/// A file to download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What it is called.
    pub(crate) name: String,
    /// Where it belongs below the folder.
    pub(crate) place: PathBuf,
    pub(crate) digest: Sha256Digest,
    pub(crate) size: u64,
    /// Whether it may have been recorded by its path, size and hash alone.
    pub(crate) is_doubtful: bool,
}

/// Chooses files by paths, folders and globs, or all of them. One that chooses none is an error.
pub(crate) fn plan(artifacts: &[Artifact], patterns: &[String], experiment: &str) -> Result<Plan> {
    let mut is_chosen = vec![patterns.is_empty(); artifacts.len()];
    for pattern in patterns {
        let mut found = false;
        for (artifact, is_chosen) in artifacts.iter().zip(&mut is_chosen) {
            if matches(pattern, name(artifact))? {
                (*is_chosen, found) = (true, true);
            }
        }
        if !found {
            let told = format!("{experiment} has no file {pattern}");
            return Err(Error::new(told).with_hint(format!("`otrace artifacts {experiment}` lists its files.")));
        }
    }
    let mut plan = Plan::default();
    let mut taken = BTreeMap::new();
    let chosen = artifacts.iter().zip(is_chosen).filter(|(_, is_chosen)| *is_chosen);
    for (artifact, _) in chosen {
        match wanted(artifact, &mut taken) {
            Ok(wanted) => plan.wanted.extend(wanted),
            Err(reason) => plan.left_out.push((name(artifact).to_owned(), reason.to_owned())),
        }
    }
    Ok(plan)
}

fn matches(pattern: &str, name: &str) -> Result<bool> {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    let folder = pattern.trim_end_matches('/');
    let is_below = name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    if name == pattern || (is_below && !folder.is_empty()) {
        return Ok(true);
    }
    let glob = Pattern::new(pattern)
        .map_err(|error| Error::new(format!("{pattern} is no glob: {error}")).with_hint("Put it in quotes."))?;
    Ok(glob.matches_with(name, GLOB))
}

/// Nothing, where the same file goes to the same place already.
fn wanted(
    artifact: &Artifact,
    taken: &mut BTreeMap<PathBuf, Sha256Digest>,
) -> std::result::Result<Option<Wanted>, &'static str> {
    let name = name(artifact).to_owned();
    if artifact.content_deleted_at.is_some() {
        return Err("its content was deleted by a rule of the project");
    }
    let digest: Option<Sha256Digest> = artifact.hash.as_deref().and_then(|hash| hash.parse().ok());
    let size = artifact.size_bytes.and_then(|size| u64::try_from(size).ok());
    let Some((digest, size)) = digest.zip(size) else { return Err("its content is not stored") };
    let mut place = place(&name)?;
    if taken.get(&place).is_some_and(|other| *other != digest) {
        // A config that the command changed: one is what it was before, the other what it was after.
        let mut other = place.into_os_string();
        other.push(format!(".{}", &digest.hex()[..8]));
        place = other.into();
    }
    if taken.insert(place.clone(), digest).is_some() {
        return Ok(None);
    }
    Ok(Some(Wanted { name, place, digest, size, is_doubtful: artifact.stored_path.is_none() }))
}

/// Where a file of this name belongs: below the folder, in any case. One from elsewhere on its machine goes to
/// `_root` or `_up`, as in `.trace/`.
fn place(name: &str) -> std::result::Result<PathBuf, &'static str> {
    if name.chars().any(char::is_control) {
        return Err("its name holds characters that no name should hold");
    }
    let mut parts = Path::new(name).components().filter_map(|part| match part {
        Component::Normal(part) => part.to_str(),
        Component::RootDir => Some("_root"),
        Component::ParentDir => Some("_up"),
        Component::CurDir | Component::Prefix(_) => None,
    });
    let place: PathBuf = parts.clone().collect();
    if place.as_os_str().is_empty() {
        return Err("it has no name");
    }
    if parts.any(|part| is_taken_for(part, &GITS)) {
        return Err("its name is one of git's own files");
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(name: &str, byte: u8) -> Artifact {
        Artifact {
            original_path: Some(name.to_owned()),
            stored_path: Some(format!(".trace/artifacts/exp001/{name}")),
            size_bytes: Some(1),
            hash: Some(Sha256Digest::new([byte; 32]).to_string()),
            ..Artifact::default()
        }
    }

    fn places(names: &[&str], patterns: &[&str]) -> Vec<String> {
        let artifacts: Vec<_> = names.iter().map(|name| artifact(name, 7)).collect();
        let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let plan = plan(&artifacts, &patterns, "exp001").expect("a plan");
        plan.wanted.iter().map(|wanted| wanted.place.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn files_are_chosen_by_paths_folders_and_globs() {
        let names = ["a.json", "out/b.json", "out/deep/c.json", "output/d"];
        assert_eq!(places(&names, &[]), names);
        assert_eq!(places(&names, &["a.json"]), ["a.json"]);
        assert_eq!(places(&names, &["./a.json", "*.json"]), ["a.json"]);
        assert_eq!(places(&names, &["out"]), ["out/b.json", "out/deep/c.json"]);
        assert_eq!(places(&names, &["out/"]), ["out/b.json", "out/deep/c.json"]);
        assert_eq!(places(&names, &["**/*.json"]), ["a.json", "out/b.json", "out/deep/c.json"]);
        let error = plan(&[artifact("a", 1)], &["b*".to_owned()], "exp001").expect_err("none").to_string();
        assert_eq!(error, "exp001 has no file b*. `otrace artifacts exp001` lists its files.");
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for (name, expected) in [
            ("/etc/passwd", "_root/etc/passwd"),
            ("../../x", "_up/_up/x"),
            ("a/../../x", "a/_up/_up/x"),
            ("./a//b/.", "a/b"),
            ("..\\x", "..\\x"),
        ] {
            assert_eq!(place(name), Ok(PathBuf::from(expected)), "{name}");
        }
        for name in
            ["", ".", "a\0b", "a\nb", "\x1b[2J", ".git/config", "a/.GIT/hooks/x", ".g\u{200c}it/x", ".git./x", "GIT~1"]
        {
            assert!(place(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_config_that_was_changed_is_two_files_and_the_same_one_is_one() {
        let artifacts = [artifact("c.yaml", 1), artifact("c.yaml", 2), artifact("c.yaml", 1)];
        let plan = plan(&artifacts, &[], "exp001").expect("a plan");
        let places: Vec<_> = plan.wanted.iter().map(|wanted| wanted.place.clone()).collect();
        assert_eq!(places, [PathBuf::from("c.yaml"), PathBuf::from("c.yaml.02020202")]);
    }

    #[test]
    fn what_has_no_hash_is_left_out() {
        let imported = Artifact { hash: None, ..artifact("big.pt", 1) };
        let plan = plan(&[imported, artifact("a", 2)], &[], "exp001").expect("a plan");
        assert_eq!((plan.wanted.len(), plan.left_out.len()), (1, 1));
    }
}
