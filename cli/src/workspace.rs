//! The directory that `otrace` runs in, and the files of ours in it.
//!
//! `.trace/` holds what runs leave on this machine, and ignores itself in git: the user's own
//! `.gitignore` and `.env` are never touched.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use otrace_wire::ExperimentId;
use uuid::Uuid;

use crate::error::{Error, Result};

/// What coding agents read to learn the workflow.
pub const AGENTS_FILE: &str = "TRACE_FOR_AGENTS.md";
/// What globs and directories leave out.
pub const IGNORE_FILE: &str = ".traceignore";
/// Where everything else of ours lives.
pub const TRACE_DIR: &str = ".trace";

const FOLDERS: [&str; 5] = ["checkouts", "logs", "notebook", "snapshots", "artifacts"];
const AGENTS_TEXT: &str = include_str!("agents.md");
const IGNORE_TEXT: &str = "\
# What Trace leaves out when it expands globs and directories: one pattern a line,
# a slash at its end for directories. A path that is declared by name is always taken.
.git/
.trace/
__pycache__/
*.pyc
";

/// A directory whose runs are recorded.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The current directory.
    pub fn current() -> Result<Self> {
        let root = std::env::current_dir()
            .and_then(|path| path.canonicalize())
            .map_err(|error| Error::new(format!("the current directory cannot be used: {error}")))?;
        Ok(Self { root })
    }

    /// A workspace in this directory.
    #[cfg(test)]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// The directory itself: absolute, with no symbolic link in it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory's name.
    pub fn name(&self) -> String {
        self.root.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into())
    }

    /// The directory's path, as it is written on the wire.
    pub fn path_text(&self) -> String {
        self.root.to_string_lossy().into_owned()
    }

    /// `.trace/`.
    pub fn trace_dir(&self) -> PathBuf {
        self.root.join(TRACE_DIR)
    }

    /// A path below this directory as people write it, relative to it; others as they are.
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// Makes `.trace/` and its folders, where they are not there yet.
    pub fn prepare(&self) -> Result<()> {
        let trace = self.trace_dir();
        let made = || -> io::Result<()> {
            // Logs and diffs can hold secrets: the folder is for its owner.
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&trace)?;
            for folder in FOLDERS {
                fs::create_dir_all(trace.join(folder))?;
            }
            write_if_absent(&trace.join(".gitignore"), "*\n")?;
            Ok(())
        };
        made().map_err(|error| Error::file("prepare", &trace, &error))
    }

    /// Writes what `otrace init` leaves beside `.trace/`; with `force` also over what is there.
    pub fn write_guides(&self, force: bool) -> Result<()> {
        for (name, text) in [(AGENTS_FILE, AGENTS_TEXT), (IGNORE_FILE, IGNORE_TEXT)] {
            let path = self.root.join(name);
            let written = if force { fs::write(&path, text) } else { write_if_absent(&path, text) };
            written.map_err(|error| Error::file("write", &path, &error))?;
        }
        Ok(())
    }

    /// The latest run in this workspace: the parent of the next one.
    pub fn active_experiment(&self) -> Option<Uuid> {
        let text = fs::read_to_string(self.active_experiment_path()).ok()?;
        // The first line is for people. The id is what the server is told, as `exp001` of one
        // project is not `exp001` of another.
        text.lines().nth(1)?.trim().parse().ok()
    }

    /// Makes a run the active one.
    pub fn set_active_experiment(&self, experiment: ExperimentId, run: Uuid) -> Result<()> {
        let path = self.active_experiment_path();
        fs::write(&path, format!("{experiment}\n{run}\n")).map_err(|error| Error::file("write", &path, &error))
    }

    fn active_experiment_path(&self) -> PathBuf {
        self.trace_dir().join("active_experiment")
    }
}

fn write_if_absent(path: &Path, text: &str) -> io::Result<()> {
    match fs::File::create_new(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_active_experiment_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::at(folder.path());
        assert_eq!(workspace.active_experiment(), None);
        workspace.prepare().expect("prepared");
        let run = Uuid::now_v7();
        workspace.set_active_experiment(ExperimentId::new(7), run).expect("set");
        assert_eq!(workspace.active_experiment(), Some(run));
    }

    #[test]
    fn guides_that_are_there_stay_unless_forced() {
        let folder = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::at(folder.path());
        let guide = folder.path().join(AGENTS_FILE);
        fs::write(&guide, "mine").expect("written");
        workspace.write_guides(false).expect("written");
        assert_eq!(fs::read_to_string(&guide).expect("read"), "mine");
        workspace.write_guides(true).expect("written");
        assert_eq!(fs::read_to_string(&guide).expect("read"), AGENTS_TEXT);
    }
}
