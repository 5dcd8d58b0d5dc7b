//! What this workspace itself knows, whether or not any server answers: unsent runs, the active experiment, and
//! what `.trace/` holds. It only looks.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use uuid::Uuid;

use crate::spool::unsent::{self, Unsent};
use crate::workspace::Workspace;

/// The runs that matter now: `/api/trace/runs`.
#[derive(Debug, Serialize)]
pub struct LocalRuns {
    /// The latest run, or the one that was checked out.
    pub active: Option<ActiveExperiment>,
    /// What the server lacks, the oldest first.
    pub unsent: Vec<Unsent>,
    /// What could not be read of others, in sentences.
    pub problems: Vec<String>,
}

/// The parent of the next run.
#[derive(Debug, Serialize)]
pub struct ActiveExperiment {
    /// What it is called, such as `exp042`.
    pub name: String,
    /// Its id.
    pub run_id: Uuid,
}

/// What `.trace/` holds: `/api/trace/files`.
#[derive(Debug, Serialize)]
pub struct LocalFiles {
    /// Its folders, by name; `.` stands for the files beside them.
    pub folders: Vec<Folder>,
    /// How many files there are in all.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// One folder of `.trace/`, with all below it.
#[derive(Debug, Default, Serialize)]
pub struct Folder {
    /// Its name.
    pub name: String,
    /// How many files it holds.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

impl LocalRuns {
    /// Reads them.
    pub fn read(workspace: &Workspace) -> Self {
        let (unsent, problems) = unsent::read(workspace);
        let active = workspace.active_experiment().map(|run_id| {
            let name = workspace.active_label().unwrap_or_else(|| run_id.to_string());
            ActiveExperiment { name, run_id }
        });
        Self { active, unsent, problems: problems.iter().map(ToString::to_string).collect() }
    }
}

impl LocalFiles {
    /// Counts them. What goes meanwhile, or can't be read, is left out; links are not followed.
    pub fn read(workspace: &Workspace) -> Self {
        let mut beside = Folder { name: ".".to_owned(), ..Folder::default() };
        let mut folders = Vec::new();
        for entry in entries(&workspace.trace_dir()) {
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                let name = entry.file_name().to_string_lossy().into_owned();
                folders.push(Folder::read(name, entry.path()));
            } else {
                beside.add(found.len());
            }
        }
        if beside.files > 0 {
            folders.push(beside);
        }
        folders.sort_by(|one, other| one.name.cmp(&other.name));
        let sum = |of: fn(&Folder) -> u64| folders.iter().map(of).sum::<u64>();
        Self { files: sum(|folder| folder.files), bytes: sum(|folder| folder.bytes), folders }
    }
}

impl Folder {
    fn read(name: String, path: PathBuf) -> Self {
        let mut folder = Self { name, ..Self::default() };
        let mut below = vec![path];
        while let Some(path) = below.pop() {
            for entry in entries(&path) {
                let Ok(found) = entry.metadata() else { continue };
                if found.is_dir() {
                    below.push(entry.path());
                } else {
                    folder.add(found.len());
                }
            }
        }
        folder
    }

    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = fs::DirEntry> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_counted_by_folder_and_links_lead_nowhere() {
        let home = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::at(home.path());
        assert_eq!(LocalFiles::read(&workspace).files, 0, "there need not be any");
        workspace.prepare().expect("prepared");
        let trace = workspace.trace_dir();
        fs::create_dir(trace.join("artifacts/exp001")).expect("made");
        fs::write(trace.join("artifacts/exp001/a.bin"), [0_u8; 100]).expect("written");
        fs::write(trace.join("artifacts/b.bin"), [0_u8; 10]).expect("written");
        std::os::unix::fs::symlink("/usr", trace.join("artifacts/usr")).expect("linked");
        let found = LocalFiles::read(&workspace);
        let artifacts = found.folders.iter().find(|folder| folder.name == "artifacts").expect("it is there");
        assert_eq!(artifacts.files, 3, "the link counts as one");
        assert!((110..200).contains(&artifacts.bytes), "{}", artifacts.bytes);
        assert_eq!(found.folders[0].name, ".", "the files beside the folders, such as .gitignore");
        assert_eq!(found.bytes, found.folders.iter().map(|folder| folder.bytes).sum::<u64>());
    }
}
