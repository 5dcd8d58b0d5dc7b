//! The files of a run in their folders. Pure.

use std::collections::BTreeMap;

use super::is_expected;
use crate::domain::{Artifact, Run};
use crate::web::{format, terminal};

/// So deep folders are shown in one another; what is deeper keeps its path.
const DEPTH_MAX: usize = 12;

/// A line of the tree. Between a folder's beginning and its end stands what is in it.
pub enum TreeLine {
    /// Here a folder begins.
    Folder {
        /// Its name.
        name: String,
        /// How many files are in it and below.
        files: usize,
    },
    /// A file.
    File {
        /// Its page.
        href: String,
        /// The last part of its path.
        name: String,
        /// `1.2 KB`.
        size: String,
        /// Whether the run declared it.
        is_expected: bool,
        /// Whether its content is here.
        is_stored: bool,
        /// Whether it was, and was deleted by a rule.
        is_deleted: bool,
    },
    /// Here the folder ends that began last.
    End,
}

#[derive(Default)]
struct Folder<'a> {
    folders: BTreeMap<&'a str, Folder<'a>>,
    files: Vec<(&'a str, &'a Artifact)>,
}

/// The files in their folders: folders first, each by name.
pub fn of(run_url: &str, run: &Run, artifacts: &[Artifact]) -> Vec<TreeLine> {
    let names: Vec<String> = artifacts.iter().map(Artifact::name).collect();
    let mut root = Folder::default();
    for (name, artifact) in names.iter().zip(artifacts) {
        root.add(name.trim_start_matches("./"), artifact, DEPTH_MAX);
    }
    let mut lines = Vec::new();
    root.write(&mut lines, run_url, run);
    lines
}

impl<'a> Folder<'a> {
    fn add(&mut self, path: &'a str, artifact: &'a Artifact, depth: usize) {
        match path.split_once('/').filter(|(folder, rest)| depth > 0 && !folder.is_empty() && !rest.is_empty()) {
            Some((folder, rest)) => self.folders.entry(folder).or_default().add(rest, artifact, depth - 1),
            None => self.files.push((path, artifact)),
        }
    }

    fn count(&self) -> usize {
        self.files.len() + self.folders.values().map(Folder::count).sum::<usize>()
    }

    fn write(mut self, lines: &mut Vec<TreeLine>, run_url: &str, run: &Run) {
        for (name, folder) in self.folders {
            lines.push(TreeLine::Folder { name: terminal::clean(name), files: folder.count() });
            folder.write(lines, run_url, run);
            lines.push(TreeLine::End);
        }
        self.files.sort_by_key(|(name, _)| *name);
        lines.extend(self.files.into_iter().map(|(name, artifact)| TreeLine::File {
            href: format!("{run_url}/artifacts/{}", artifact.id),
            name: terminal::clean(name),
            size: format::size(artifact.size_bytes),
            is_expected: is_expected(run, &artifact.name()),
            is_stored: artifact.sha256.is_some(),
            is_deleted: artifact.deleted.is_some(),
        }));
    }
}
