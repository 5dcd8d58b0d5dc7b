//! Declared files, looked for again and again while the command runs.
//!
//! The same files as are kept with the run in the end: nothing found below the workspace is followed out of it,
//! nothing below a declared directory out of that, nothing of ours or of git's, and what a glob finds can be left
//! out by `.traceignore`. A look takes little time, however much there is to look through.

use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use glob::{MatchOptions, Pattern};

use crate::traceignore::TraceIgnore;
use crate::workspace::{TRACE_DIR, Workspace};

/// Globs are looked through so often at most, and for at most this part of the time.
const GLOBS_EVERY: Duration = Duration::from_secs(1);
const GLOBS_TAKE: u32 = 50;
/// One look takes no longer.
const LOOK_MAX: Duration = Duration::from_millis(100);

/// As in a shell, `*` does not find hidden files.
const GLOB: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Looks for declared files.
#[derive(Debug)]
pub struct Lookout {
    root: PathBuf,
    ignore: TraceIgnore,
    declared: Vec<String>,
    globs_from: Option<Instant>,
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was declared by its path, not by a glob or a directory.
    pub is_by_name: bool,
}

impl Lookout {
    /// Looks for these paths and globs, which count from `root`.
    pub fn new(root: &Path, declared: Vec<String>) -> Self {
        let workspace = Workspace::current().ok().filter(|workspace| workspace.root() == root);
        let ignore = workspace.map_or_else(TraceIgnore::default, |workspace| TraceIgnore::load(&workspace));
        Self { root: root.to_path_buf(), ignore, declared, globs_from: None }
    }

    /// What it looks for.
    pub fn declared(&self) -> &[String] {
        &self.declared
    }

    /// A path as people write it.
    pub fn shown<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// The files that are there now. Those of globs are not told each time.
    pub fn look(&mut self) -> Vec<Seen> {
        let begun = Instant::now();
        let with_globs = self.globs_from.is_none_or(|from| begun >= from);
        let mut seen = Vec::new();
        for declared in &self.declared {
            let path = self.root.join(declared);
            if path.is_file() {
                seen.extend(self.stays_inside(&path).then_some(Seen { path, is_by_name: true }));
            } else if with_globs && may_be_many(&path) {
                self.expand(declared, &path, begun, &mut seen);
            }
        }
        if with_globs {
            self.globs_from = Some(Instant::now() + GLOBS_EVERY.max(begun.elapsed() * GLOBS_TAKE));
        }
        seen
    }

    fn expand(&self, declared: &str, path: &Path, begun: Instant, seen: &mut Vec<Seen>) {
        let (pattern, bounds) = if path.is_dir() {
            let Some(bounds) = self.bounds(path) else { return };
            (format!("{}/**/*", Pattern::escape(&path.to_string_lossy())), Some(bounds))
        } else if Path::new(declared).is_absolute() {
            (declared.to_owned(), None)
        } else {
            (format!("{}/{declared}", Pattern::escape(&self.root.to_string_lossy())), None)
        };
        let Ok(found) = glob::glob_with(&pattern, GLOB) else { return };
        for path in found.flatten() {
            if begun.elapsed() > LOOK_MAX {
                return;
            }
            let is_inside = |path: &Path| match &bounds {
                Some(bounds) => leads_into(path, bounds),
                None => self.stays_inside(path),
            };
            if path.is_file() && !self.is_left_out(&path) && is_inside(&path) {
                seen.push(Seen { path, is_by_name: false });
            }
        }
    }

    /// What the files below a declared directory must not lead out of.
    fn bounds(&self, directory: &Path) -> Option<PathBuf> {
        if self.is_outside(directory) {
            return directory.canonicalize().ok();
        }
        leads_into(directory, &self.root).then(|| self.root.clone())
    }

    fn is_left_out(&self, path: &Path) -> bool {
        path.strip_prefix(&self.root)
            .is_ok_and(|path| path.starts_with(TRACE_DIR) || path.starts_with(".git") || self.ignore.leaves_out(path))
    }

    /// Whether a path below the workspace leads to a file in it; others were declared as from elsewhere.
    fn stays_inside(&self, path: &Path) -> bool {
        self.is_outside(path) || leads_into(path, &self.root)
    }

    fn is_outside(&self, path: &Path) -> bool {
        path.components().any(|part| part == Component::ParentDir) || !path.starts_with(&self.root)
    }
}

/// Whether a declared path may stand for several files: it is a directory, or a glob.
pub fn may_be_many(path: &Path) -> bool {
    path.is_dir() || (!path.exists() && path.to_string_lossy().contains(['*', '?', '[']))
}

/// Whether a path, with all links followed, is one below a directory.
fn leads_into(path: &Path, directory: &Path) -> bool {
    path.canonicalize().is_ok_and(|target| target.starts_with(directory))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn look(root: &Path, declared: &[&str]) -> Vec<(String, bool)> {
        let declared = declared.iter().map(|path| (*path).to_owned()).collect();
        let mut lookout = Lookout::new(root, declared);
        let seen = lookout.look();
        seen.iter().map(|seen| (lookout.shown(&seen.path).to_string_lossy().into_owned(), seen.is_by_name)).collect()
    }

    #[test]
    fn files_are_told_each_time_and_globs_not_so_often() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        let mut lookout = Lookout::new(&root, vec!["a.log".to_owned(), "*.out".to_owned()]);
        assert!(lookout.look().is_empty());
        lookout.globs_from = Some(Instant::now() + Duration::from_hours(1));
        fs::write(root.join("a.log"), "").expect("written");
        fs::write(root.join("b.out"), "").expect("written");
        for _ in 0..2 {
            assert_eq!(lookout.look(), [Seen { path: root.join("a.log"), is_by_name: true }]);
        }
        assert_eq!(look(&root, &["a.log", "*.out"]), [("a.log".to_owned(), true), ("b.out".to_owned(), false)]);
    }

    #[test]
    fn no_link_leads_out_of_a_directory_that_was_declared_as_from_elsewhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let elsewhere = tempfile::tempdir().expect("a folder");
        let (root, elsewhere) = (folder.path().canonicalize(), elsewhere.path().canonicalize());
        let (root, elsewhere) = (root.expect("a path"), elsewhere.expect("a path"));
        fs::create_dir(elsewhere.join("logs")).expect("made");
        fs::write(elsewhere.join("secret"), "").expect("written");
        fs::write(elsewhere.join("logs/a.log"), "").expect("written");
        symlink(elsewhere.join("secret"), elsewhere.join("logs/link.log")).expect("linked");
        let logs = elsewhere.join("logs");
        let found = look(&root, &[logs.to_str().expect("text")]);
        assert_eq!(found, [(logs.join("a.log").to_string_lossy().into_owned(), false)]);
    }
}
