//! Which declared files are followed, and what their series are called.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::declared_files::{Lookout, Seen, may_be_many};
use crate::series::rows::Kind;

/// So many files are followed at most.
const FILES_MAX: usize = 100;
/// A path that is longer is told by its hash.
const SOURCE_MAX_BYTES: usize = 200;

/// Looks for declared files, again and again.
#[derive(Debug)]
pub struct Finder {
    lookout: Lookout,
    /// One file alone gives its series plain names.
    is_alone: bool,
    known: BTreeSet<PathBuf>,
}

/// A file that was not known before.
#[derive(Debug)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// What its points are counted under.
    pub source: String,
    /// How it is read.
    pub kind: Kind,
    /// What the names of its series begin with.
    pub prefix: Option<String>,
}

impl Finder {
    /// Looks for these paths and globs, which count from `root`.
    pub fn new(root: &Path, declared: &[String]) -> Self {
        let may_hold_series = |path: &&String| {
            let path = root.join(path);
            may_be_many(&path) || Kind::of(&path).is_some()
        };
        let declared: BTreeSet<String> = declared.iter().filter(may_hold_series).cloned().collect();
        let only = declared.first().filter(|_| declared.len() == 1).map(|path| root.join(path));
        Self {
            is_alone: only.is_some_and(|path| !may_be_many(&path)),
            lookout: Lookout::new(root, declared.into_iter().collect()),
            known: BTreeSet::new(),
        }
    }

    /// The files that are there now and were not known before.
    pub fn look(&mut self) -> Vec<Found> {
        let seen = self.lookout.look();
        seen.into_iter().filter_map(|seen| self.add(seen)).collect()
    }

    fn add(&mut self, Seen { path, is_by_name }: Seen) -> Option<Found> {
        let kind = Kind::of(&path)?;
        if self.known.len() >= FILES_MAX || !self.known.insert(path.clone()) {
            return None;
        }
        let prefix = if is_by_name { self.prefix(&path) } else { Some(self.whole(&path)) };
        Some(Found { source: source(self.lookout.shown(&path)), path, kind, prefix })
    }

    /// The stem of a file that was declared by its path, or its whole path where another one has that stem too.
    ///
    /// It depends on nothing but what was declared, so that who looks later gives the same names.
    fn prefix(&self, path: &Path) -> Option<String> {
        if self.is_alone {
            return None;
        }
        let stem = path.file_stem().unwrap_or_default();
        let has_stem = |declared: &&String| Path::new(declared).file_stem() == Some(stem);
        let is_only_one = self.lookout.declared().iter().filter(has_stem).count() == 1;
        Some(if is_only_one { stem.to_string_lossy().into_owned() } else { self.whole(path) })
    }

    /// A path as people write it, without its suffix.
    fn whole(&self, path: &Path) -> String {
        self.lookout.shown(path).with_extension("").to_string_lossy().into_owned()
    }
}

/// A path as a source is named.
fn source(shown: &Path) -> String {
    let shown = shown.to_string_lossy();
    if shown.len() <= SOURCE_MAX_BYTES && !shown.chars().any(char::is_control) {
        return format!("file:{shown}");
    }
    let digest = Sha256::digest(shown.as_bytes());
    digest.iter().fold("hash:".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn look(root: &Path, declared: &[&str]) -> Vec<(String, Option<String>)> {
        let declared: Vec<String> = declared.iter().map(|path| (*path).to_owned()).collect();
        let mut finder = Finder::new(root, &declared);
        let found = finder.look();
        assert!(finder.look().is_empty(), "each is found once");
        let mut found: Vec<_> = found.into_iter().map(|found| (found.source, found.prefix)).collect();
        found.sort();
        found
    }

    fn found(path: &str, prefix: Option<&str>) -> (String, Option<String>) {
        (format!("file:{path}"), prefix.map(str::to_owned))
    }

    #[test]
    fn files_are_found_by_path_glob_and_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        fs::create_dir_all(root.join("out/deep")).expect("made");
        fs::create_dir_all(root.join(".trace")).expect("made");
        for name in ["m.csv", "out/a.csv", "out/m.csv", "out/model.pt", "out/deep/a.tsv", ".trace/x.csv"] {
            fs::write(root.join(name), "").expect("written");
        }
        assert_eq!(look(&root, &["m.csv", "model.pt"]), [found("m.csv", None)]);
        assert_eq!(look(&root, &["*.csv"]), [found("m.csv", Some("m"))]);
        let both = [found("m.csv", Some("m")), found("out/a.csv", Some("a"))];
        assert_eq!(look(&root, &["out/a.csv", "m.csv"]), both);
        let same = [found("m.csv", Some("m")), found("out/m.csv", Some("out/m"))];
        assert_eq!(look(&root, &["out/m.csv", "m.csv"]), same);
        let all = ["out/a.csv", "out/deep/a.tsv", "out/m.csv"].map(|path| found(path, Some(&path[..path.len() - 4])));
        assert_eq!(look(&root, &["out"]), all);
        assert_eq!(look(&root, &["out/**/*.?sv"]), all);
        assert!(look(&root, &["nothing.csv", ".trace/*.csv"]).is_empty());
    }

    #[test]
    fn nothing_is_followed_out_of_the_workspace() {
        let folder = tempfile::tempdir().expect("a folder");
        let elsewhere = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        let secret = elsewhere.path().join("secret.csv");
        fs::write(&secret, "").expect("written");
        symlink(&secret, root.join("link.csv")).expect("linked");
        assert!(look(&root, &["link.csv"]).is_empty());
        assert!(look(&root, &["*.csv"]).is_empty());
        let declared = look(&root, &[secret.to_str().expect("text")]);
        assert_eq!(declared.len(), 1, "declared as one from elsewhere");
    }

    #[test]
    fn a_source_fits_into_a_name() {
        assert_eq!(source(Path::new("out/a.csv")), "file:out/a.csv");
        for path in ["x".repeat(1000), "a\nb".to_owned()] {
            let source = source(Path::new(&path));
            assert!(source.len() < 255 && source.starts_with("hash:"), "{source}");
        }
    }
}
