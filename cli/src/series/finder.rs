//! Which declared files are followed, and what their series are called.
//!
//! The same files as are kept with the run: nothing found below the workspace is followed out of it, nothing of
//! ours or of git's, and what a glob finds can be left out by `.traceignore`.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use glob::{MatchOptions, Pattern};
use sha2::{Digest as _, Sha256};

use crate::series::rows::Kind;
use crate::traceignore::TraceIgnore;
use crate::workspace::{TRACE_DIR, Workspace};

/// So many files are followed at most.
const FILES_MAX: usize = 100;
/// Globs are looked through so often at most, and for at most this part of the time.
const GLOBS_EVERY: Duration = Duration::from_secs(5);
const GLOBS_TAKE: u32 = 50;
/// One look takes no longer.
const LOOK_MAX: Duration = Duration::from_millis(100);
/// A path that is longer is told by its hash.
const SOURCE_MAX_BYTES: usize = 200;

/// As in a shell, `*` does not find hidden files.
const GLOB: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Looks for declared files, again and again.
#[derive(Debug)]
pub struct Finder {
    root: PathBuf,
    ignore: TraceIgnore,
    declared: Vec<String>,
    /// One file alone gives its series plain names.
    is_alone: bool,
    known: BTreeSet<PathBuf>,
    globs_from: Option<Instant>,
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
        let workspace = Workspace::current().ok().filter(|workspace| workspace.root() == root);
        let may_hold_series = |path: &&String| {
            let path = root.join(path);
            path.is_dir() || is_glob(&path) || Kind::of(&path).is_some()
        };
        let declared: BTreeSet<String> = declared.iter().filter(may_hold_series).cloned().collect();
        let only = declared.first().filter(|_| declared.len() == 1).map(|path| root.join(path));
        Self {
            root: root.to_path_buf(),
            ignore: workspace.map_or_else(TraceIgnore::default, |workspace| TraceIgnore::load(&workspace)),
            is_alone: only.is_some_and(|path| !path.is_dir() && !is_glob(&path)),
            declared: declared.into_iter().collect(),
            known: BTreeSet::new(),
            globs_from: None,
        }
    }

    /// The files that are there now and were not known before.
    pub fn look(&mut self) -> Vec<Found> {
        let begun = Instant::now();
        let with_globs = self.globs_from.is_none_or(|from| begun >= from);
        let mut paths = Vec::new();
        for declared in &self.declared {
            let path = self.root.join(declared);
            if path.is_file() {
                let prefix = self.prefix(&path);
                paths.extend(Some((path, prefix)).filter(|(path, _)| self.stays_inside(path)));
            } else if with_globs && (path.is_dir() || is_glob(&path)) {
                self.expand(declared, &path, begun, &mut paths);
            }
        }
        if with_globs {
            self.globs_from = Some(Instant::now() + GLOBS_EVERY.max(begun.elapsed() * GLOBS_TAKE));
        }
        paths.into_iter().filter_map(|(path, prefix)| self.add(path, prefix)).collect()
    }

    fn expand(&self, declared: &str, path: &Path, begun: Instant, paths: &mut Vec<(PathBuf, Option<String>)>) {
        let pattern = if path.is_dir() {
            format!("{}/**/*", Pattern::escape(&path.to_string_lossy()))
        } else if Path::new(declared).is_absolute() {
            declared.to_owned()
        } else {
            format!("{}/{declared}", Pattern::escape(&self.root.to_string_lossy()))
        };
        let Ok(found) = glob::glob_with(&pattern, GLOB) else { return };
        for path in found.flatten() {
            if begun.elapsed() > LOOK_MAX {
                return;
            }
            if path.is_file() && !self.is_left_out(&path) && self.stays_inside(&path) {
                let prefix = self.shown(&path).with_extension("").to_string_lossy().into_owned();
                paths.push((path, Some(prefix)));
            }
        }
    }

    fn add(&mut self, path: PathBuf, prefix: Option<String>) -> Option<Found> {
        let kind = Kind::of(&path)?;
        if self.known.len() >= FILES_MAX || !self.known.insert(path.clone()) {
            return None;
        }
        Some(Found { source: source(self.shown(&path)), path, kind, prefix })
    }

    /// The stem of a file that was declared by its path, or its whole path where another one has that stem too.
    ///
    /// It depends on nothing but what was declared, so that who looks later gives the same names.
    fn prefix(&self, path: &Path) -> Option<String> {
        let stem = path.file_stem().unwrap_or_default();
        let has_stem = |declared: &&String| Path::new(declared).file_stem() == Some(stem);
        let is_only_one = self.declared.iter().filter(has_stem).count() == 1;
        let whole = self.shown(path).with_extension("");
        let prefix = if is_only_one { Path::new(stem) } else { whole.as_path() };
        (!self.is_alone).then(|| prefix.to_string_lossy().into_owned())
    }

    /// A path as people write it.
    fn shown<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    fn is_left_out(&self, path: &Path) -> bool {
        path.strip_prefix(&self.root)
            .is_ok_and(|path| path.starts_with(TRACE_DIR) || path.starts_with(".git") || self.ignore.leaves_out(path))
    }

    /// Whether a path below the workspace leads to a file in it; others were declared as from elsewhere.
    fn stays_inside(&self, path: &Path) -> bool {
        let is_outside = path.components().any(|part| part == Component::ParentDir) || !path.starts_with(&self.root);
        is_outside || path.canonicalize().is_ok_and(|target| target.starts_with(&self.root))
    }
}

fn is_glob(path: &Path) -> bool {
    !path.exists() && path.to_string_lossy().contains(['*', '?', '['])
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
