//! Declared paths and globs, and the files that they come to.
//!
//! A declared path may lie anywhere; but nothing found *below the workspace* is taken if it is a
//! symbolic link that leads out of it, nothing in a directory elsewhere if it leads out of that
//! directory, and only regular files are ever taken.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};
use serde_json::{Value, json};

use crate::traceignore::TraceIgnore;
use crate::workspace::Workspace;

/// What a path was declared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    /// With `--config`.
    Config,
    /// With `--expect-artifact`.
    Artifact,
    /// As an artifact whose content is not stored.
    Reference,
    /// With `--expect-log`.
    Log,
}

impl Declared {
    /// The word for it on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Artifact | Self::Reference => "artifact",
            Self::Log => "log",
        }
    }
}

/// The files that declared paths come to, and the paths that come to none.
#[derive(Debug, Default)]
pub struct Found {
    /// Each file once, with what it was declared as.
    pub files: Vec<(PathBuf, Declared)>,
    /// `{path, type}` of each declared path without a file.
    pub missing: Vec<Value>,
}

/// As in a shell, `*` does not find hidden files.
const GLOB: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Expands declared paths, now.
pub fn expand(workspace: &Workspace, declared: Declared, patterns: &[String]) -> Found {
    let expansion = Expansion { workspace, ignore: TraceIgnore::load(workspace) };
    let mut found = Found::default();
    let mut seen = BTreeSet::new();
    for pattern in patterns {
        let files = expansion.files(pattern);
        if files.is_empty() {
            found.missing.push(json!({"path": pattern, "type": declared.as_str()}));
        }
        for file in files {
            if seen.insert(file.clone()) {
                found.files.push((file, declared));
            }
        }
    }
    found
}

struct Expansion<'a> {
    workspace: &'a Workspace,
    ignore: TraceIgnore,
}

impl Expansion<'_> {
    fn files(&self, pattern: &str) -> Vec<PathBuf> {
        let literal = self.workspace.root().join(pattern);
        let mut files = Vec::new();
        // A file may well be named `loss[1].csv`.
        if literal.symlink_metadata().is_ok() {
            if literal.is_dir() && self.stays_inside(&literal) {
                self.walk_all(&literal, &mut files);
            } else if self.is_takeable(&literal) {
                files.push(literal);
            }
            return files;
        }
        for path in self.matches(pattern) {
            if self.is_left_out(&path) {
                continue;
            }
            if path.is_dir() && self.stays_inside(&path) {
                self.walk_all(&path, &mut files);
            } else if self.is_takeable(&path) {
                files.push(path);
            }
        }
        files
    }

    fn matches(&self, pattern: &str) -> Vec<PathBuf> {
        let root = Pattern::escape(&self.workspace.root().to_string_lossy());
        let absolute = if Path::new(pattern).is_absolute() { pattern.to_owned() } else { format!("{root}/{pattern}") };
        // What is no glob, such as `a[`, is a path; and as such it was not there.
        glob::glob_with(&absolute, GLOB).map_or_else(|_| Vec::new(), |paths| paths.flatten().collect())
    }

    /// The files below a directory that was declared.
    fn walk_all(&self, directory: &Path, files: &mut Vec<PathBuf>) {
        let Ok(place) = directory.canonicalize() else { return };
        let bounds = if self.is_outside(directory) { place.as_path() } else { self.workspace.root() };
        self.walk(directory, bounds, files);
    }

    /// They come in the order of their names. Links to directories are not followed: they could go
    /// round in circles.
    fn walk(&self, directory: &Path, bounds: &Path, files: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(directory) else { return };
        let paths: BTreeSet<_> = entries.flatten().map(|entry| entry.path()).collect();
        for path in paths {
            if self.is_left_out(&path) {
                continue;
            }
            if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                self.walk(&path, bounds, files);
            } else if path.is_file() && leads_into(&path, bounds) {
                files.push(path);
            }
        }
    }

    fn is_left_out(&self, path: &Path) -> bool {
        path.strip_prefix(self.workspace.root()).is_ok_and(|path| self.ignore.leaves_out(path))
    }

    /// A pipe would be waited for, a device never ends.
    fn is_takeable(&self, path: &Path) -> bool {
        path.is_file() && self.stays_inside(path)
    }

    fn stays_inside(&self, path: &Path) -> bool {
        self.is_outside(path) || leads_into(path, self.workspace.root())
    }

    /// Whether a path was declared as one from elsewhere.
    fn is_outside(&self, path: &Path) -> bool {
        path.components().any(|part| part == Component::ParentDir) || !path.starts_with(self.workspace.root())
    }
}

/// Whether a path, with all links followed, is one below a directory.
fn leads_into(path: &Path, directory: &Path) -> bool {
    path.canonicalize().is_ok_and(|target| target.starts_with(directory))
}

#[cfg(test)]
mod tests;
