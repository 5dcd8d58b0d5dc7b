//! The directory that `otrace` runs in, and the files of ours in it.
//!
//! `.trace/` holds what runs leave on this machine, and ignores itself in git: the user's own
//! `.gitignore` and `.env` are never touched.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::libc::O_NOFOLLOW;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::private_files;

/// What coding agents read to learn the workflow.
pub const AGENTS_FILE: &str = "TRACE_FOR_AGENTS.md";
/// What globs and directories leave out.
pub const IGNORE_FILE: &str = ".traceignore";
/// Where everything else of ours lives.
pub const TRACE_DIR: &str = ".trace";

const FOLDERS: [&str; 7] = ["checkouts", "logs", "notebook", "snapshots", "artifacts", "metrics", "spool"];
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

    /// The current directory, where `otrace init` or a run has made it a workspace: for what only looks at what is
    /// there, and would find nothing anywhere else.
    pub fn initialized() -> Result<Self> {
        let workspace = Self::current()?;
        if workspace.trace_dir().is_dir() {
            return Ok(workspace);
        }
        Err(Error::new("Trace is not initialized. Run `otrace init` first."))
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

    /// Makes `.trace/` and its folders, where they are not there yet. Logs and diffs can hold secrets:
    /// they are for their owner.
    pub fn prepare(&self) -> Result<()> {
        let trace = self.trace_dir();
        private_files::folder(&trace)?;
        for folder in FOLDERS {
            private_files::folder(&trace.join(folder))?;
        }
        let path = trace.join(".gitignore");
        write_if_absent(private_files::new_file(&path), "*\n").map_err(|error| Error::file("write", &path, &error))
    }

    /// Writes what `otrace init` leaves beside `.trace/`; with `force` also over what is there.
    pub fn write_guides(&self, force: bool) -> Result<()> {
        for (name, text) in [(AGENTS_FILE, AGENTS_TEXT), (IGNORE_FILE, IGNORE_TEXT)] {
            let path = self.root.join(name);
            if force && path.is_symlink() {
                return Err(Error::new(format!("{} is a link, which is not written through", path.display()))
                    .with_hint("Move it away first."));
            }
            let written =
                if force { overwrite(&path, text) } else { write_if_absent(fs::File::create_new(&path), text) };
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

    /// What that run is called, such as `exp001`.
    pub fn active_label(&self) -> Option<String> {
        let text = fs::read_to_string(self.active_experiment_path()).ok()?;
        text.lines().next().map(|label| label.trim().to_owned()).filter(|label| !label.is_empty())
    }

    /// Makes a run the active one. Its label is its experiment id, once it has one.
    pub fn set_active_experiment(&self, label: &str, run: Uuid) -> Result<()> {
        let path = self.active_experiment_path();
        // In one step: a disk without room must not lose the one before. Two runs may begin at one moment.
        let new = path.with_extension(format!("{run}.new"));
        private_files::file(&new)
            .and_then(|mut file| write!(file, "{label}\n{run}\n"))
            .and_then(|()| fs::rename(&new, &path))
            .inspect_err(|_| drop(fs::remove_file(&new)))
            .map_err(|error| Error::file("write", &path, &error))
    }

    /// Finds the name for the files that a run leaves in `.trace/`, and takes it: `exp001`, or a longer
    /// one if a run of another project or server has left files of that name here.
    pub fn claim_name(&self, label: &str, run: Uuid) -> Result<String> {
        let (name, id) = (label.to_owned(), run.simple().to_string());
        // The id begins with its time: in the end only all of it is sure to be new.
        let (short, full) = (format!("{name}-{}", &id[..8]), format!("{name}-{id}"));
        for name in [name, short, full] {
            if self.is_taken(&name) {
                continue;
            }
            let log = self.stdout_log(&name);
            match private_files::new_file(&log) {
                Ok(_) => return Ok(name),
                // Another run has been quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::file("write", &log, &error)),
            }
        }
        Err(Error::new(format!("{TRACE_DIR} has files of this run already: {label} ({run})")))
    }

    /// Where the standard output of the run with this name is kept.
    pub fn stdout_log(&self, name: &str) -> PathBuf {
        self.trace_dir().join("logs").join(format!("{name}.stdout.log"))
    }

    /// Where its standard error is kept.
    pub fn stderr_log(&self, name: &str) -> PathBuf {
        self.trace_dir().join("logs").join(format!("{name}.stderr.log"))
    }

    /// Where its command may write what it measures.
    pub fn metrics_file(&self, name: &str) -> PathBuf {
        self.trace_dir().join("metrics").join(format!("{name}.jsonl"))
    }

    /// Where the copies of its declared files are.
    pub fn artifacts_folder(&self, name: &str) -> PathBuf {
        self.trace_dir().join("artifacts").join(name)
    }

    /// Where everything that is sent about it is kept, as JSON.
    pub fn details_file(&self, name: &str) -> PathBuf {
        self.trace_dir().join("snapshots").join(format!("{name}.details.json"))
    }

    /// Whether any file or folder in `.trace/` has this name, or begins with it and a full stop.
    fn is_taken(&self, name: &str) -> bool {
        let has_name = |entry: fs::DirEntry| {
            let entry = entry.file_name();
            let rest = entry.to_str().and_then(|entry| entry.strip_prefix(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        FOLDERS
            .into_iter()
            .filter_map(|folder| fs::read_dir(self.trace_dir().join(folder)).ok())
            .any(|entries| entries.flatten().any(has_name))
    }

    fn active_experiment_path(&self) -> PathBuf {
        self.trace_dir().join("active_experiment")
    }
}

fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).custom_flags(O_NOFOLLOW).open(path)?;
    file.write_all(text.as_bytes())
}

fn write_if_absent(made: io::Result<fs::File>, text: &str) -> io::Result<()> {
    match made {
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
        workspace.set_active_experiment("exp007", run).expect("set");
        assert_eq!(workspace.active_experiment(), Some(run));
    }

    #[test]
    fn no_two_runs_have_one_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::at(folder.path());
        workspace.prepare().expect("prepared");
        let run = Uuid::now_v7();
        let claim = |label| workspace.claim_name(label, run).expect("a name");
        let id = run.simple().to_string();
        assert_eq!(claim("exp001"), "exp001");
        assert_eq!(claim("exp001"), format!("exp001-{}", &id[..8]));
        assert_eq!(claim("exp001"), format!("exp001-{id}"));
        assert_eq!(claim("exp100"), "exp100");
        fs::create_dir(folder.path().join(".trace/snapshots/exp002")).expect("made");
        assert_eq!(claim("exp002"), format!("exp002-{}", &id[..8]));
    }

    #[test]
    fn a_trace_folder_that_is_a_link_is_refused() {
        let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(TRACE_DIR)).expect("linked");
        assert!(Workspace::at(folder.path()).prepare().is_err());
        assert_eq!(elsewhere.path().read_dir().expect("read").count(), 0);
    }

    #[test]
    fn a_guide_is_not_written_through_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("target");
        fs::write(&target, "theirs").expect("written");
        std::os::unix::fs::symlink(&target, folder.path().join(IGNORE_FILE)).expect("linked");
        let error = Workspace::at(folder.path()).write_guides(true).expect_err("a link").to_string();
        assert!(error.contains("is a link"), "{error}");
        assert_eq!(fs::read_to_string(&target).expect("read"), "theirs");
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
