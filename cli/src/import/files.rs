//! The files that a manifest names: where they are, what they are called, and what is in them.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use crate::capture::masked;
use crate::capture::stored::StoredFile;
use crate::error::{Error, Result};
use crate::import::manifest::PlannedRun;
use crate::secrets::{Masker, Surface};
use crate::workspace::Workspace;

/// Where a manifest is: its paths begin there.
#[derive(Debug)]
pub struct Folder<'a> {
    path: PathBuf,
    workspace: &'a Workspace,
}

/// A file that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called: its path in the workspace, or all of it where it lies elsewhere.
    pub shown: String,
}

/// Files by their content, with the secrets in them masked and as they are.
#[derive(Debug)]
pub struct Measured {
    files: HashMap<(PathBuf, bool), StoredFile>,
    /// Where copies without secrets are. It goes with them.
    _copies: TempDir,
}

impl<'a> Folder<'a> {
    /// The folder of this manifest.
    pub fn of(manifest: &Path, workspace: &'a Workspace) -> Result<Self> {
        let parent = manifest.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let path = fs::canonicalize(parent).map_err(|error| Error::file("find", parent, &error))?;
        Ok(Self { path, workspace })
    }

    /// The file that is called so in the manifest.
    pub fn source(&self, name: &str) -> Source {
        let path = self.path.join(name);
        let shown = self.workspace.relative(&plain(&path));
        Source { path, shown }
    }

    /// The files of these runs that lie neither in this folder nor in the workspace, wherever links lead, as people are
    /// told of them. Each is there once.
    pub fn outside(&self, runs: &[PlannedRun]) -> Result<Vec<String>> {
        let (mut seen, mut outside) = (HashSet::new(), Vec::new());
        for source in runs.iter().flat_map(|run| run.left_behind.named_files()) {
            if !seen.insert(&source.path) {
                continue;
            }
            let real = fs::canonicalize(&source.path).map_err(|error| Error::file("find", &source.path, &error))?;
            if ![self.path.as_path(), self.workspace.root()].iter().any(|folder| real.starts_with(folder)) {
                let real = real.to_string_lossy();
                outside.push(if source.shown == real { real.into() } else { format!("{} ({real})", source.shown) });
            }
        }
        Ok(outside)
    }
}

impl Source {
    /// Why it is no file that can be kept, if it is none. It can follow the word for it.
    pub fn check(&self) -> Result<(), String> {
        // A pipe would be waited for, if it were opened.
        if !fs::metadata(&self.path).is_ok_and(|found| found.is_file()) {
            return Err(format!("is not a file: {}", self.shown));
        }
        File::open(&self.path).map(drop).map_err(|error| format!("cannot be read: {}: {error}", self.shown))
    }
}

impl Measured {
    /// The files of these runs, without secrets if there is somebody to mask them.
    pub fn of(runs: &[PlannedRun], masker: Option<&Masker>) -> Result<Self> {
        let copies = tempfile::tempdir().map_err(|error| Error::file("write to", &std::env::temp_dir(), &error))?;
        let mut files = HashMap::new();
        for (source, is_masked) in runs.iter().flat_map(|run| run.left_behind.kept_files()) {
            let copy = copies.path().join(files.len().to_string());
            if let Entry::Vacant(place) = files.entry((source.path.clone(), is_masked)) {
                let masking = masker.filter(|_| is_masked).map(|masker| (masker, Surface::File(source.shown.clone())));
                let kept = masked::aside(&source.path, copy, masking);
                place.insert(kept.map_err(|error| Error::file("read", &source.path, &error))?.file);
            }
        }
        Ok(Self { files, _copies: copies })
    }

    /// One of them.
    pub fn get(&self, source: &Source, is_masked: bool) -> Result<&StoredFile> {
        let found = self.files.get(&(source.path.clone(), is_masked));
        found.ok_or_else(|| Error::new(format!("{} was not read", source.shown)))
    }

    /// Those of these runs whose contents are to be sent.
    pub fn to_send(&self, runs: &[PlannedRun]) -> Vec<StoredFile> {
        let sources = runs.iter().flat_map(|run| run.left_behind.sent_files());
        sources.filter_map(|(source, is_masked)| self.get(source, is_masked).ok().cloned()).collect()
    }
}

/// A path without the steps that lead nowhere, for people.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_from_the_manifest_and_called_as_the_workspace_calls_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        let (workspace, elsewhere) = (root.join("demo"), root.join("elsewhere.log"));
        fs::create_dir_all(workspace.join("old/out")).expect("folders");
        fs::write(workspace.join("old/out/m.json"), "{}").expect("written");
        fs::write(&elsewhere, "").expect("written");
        let at = Workspace::at(&workspace);
        let manifest = Folder::of(&workspace.join("old/manifest.json"), &at).expect("a folder");
        let shown = |name: &str| manifest.source(name).shown;
        assert_eq!(shown("out/m.json"), "old/out/m.json");
        assert_eq!(shown("./out/../../x"), "x");
        assert_eq!(shown(&elsewhere.to_string_lossy()), elsewhere.to_string_lossy());
        assert_eq!(manifest.source("out/m.json").check(), Ok(()));
        assert_eq!(manifest.source("../../elsewhere.log").check(), Ok(()));
        assert_eq!(manifest.source("out").check(), Err("is not a file: old/out".to_owned()));
    }
}
