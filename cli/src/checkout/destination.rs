//! Where a run is checked out to: a folder of its own, which is marked until all of it is there.
//!
//! A checkout that is killed leaves the mark behind: the folder is refused for all but the same checkout, which
//! begins anew.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::tree::Tree;
use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// The file that marks a folder whose checkout is not finished.
pub const MARKER: &str = ".otrace-incomplete";
/// So much of a file is read to see whether it is ours.
const LOOK: u64 = 8 * 1024;

/// A folder that is empty, or not there yet, or that an earlier checkout has left half-done.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    is_there: bool,
}

impl Destination {
    /// The folder beside the workspace where runs are checked out to.
    pub fn usual(workspace: &Workspace, experiment: &str) -> PathBuf {
        let name = format!("{}.trace-checkouts", workspace.name());
        workspace.root().parent().unwrap_or(workspace.root()).join(name).join(experiment)
    }

    /// Looks whether a folder can be used. Nothing is written.
    pub fn at(path: PathBuf) -> Result<Self> {
        let shown = path.display();
        let found = match path.symlink_metadata() {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { path, is_there: false }),
            Err(error) => return Err(Error::file("look at", &path, &error)),
        };
        if !found.is_dir() {
            return Err(Error::new(format!("Checkout destination is not a directory: {shown}"))
                .with_hint("Choose an empty path with --path."));
        }
        let is_free = is_empty(&path).map_err(|error| Error::file("read", &path, &error))? || is_left_over(&path);
        if !is_free {
            return Err(Error::new(format!("Checkout destination is not empty: {shown}"))
                .with_hint("Choose an empty path with --path."));
        }
        Ok(Self { path, is_there: true })
    }

    /// Makes the folder, empty. Its path is absolute from then on, with no link in it.
    pub fn prepare(self) -> Result<Self> {
        self.clear()?;
        let path = self.path.canonicalize().map_err(|error| Error::file("prepare", &self.path, &error))?;
        Ok(Self { path, ..self })
    }

    /// Begins anew.
    pub fn clear(&self) -> Result<()> {
        let cleared = fs::create_dir_all(&self.path).and_then(|()| empty(&self.path));
        cleared.map_err(|error| Error::file("prepare", &self.path, &error))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Marks it as not finished.
    pub fn mark(&self) -> Result<Tree> {
        let marked = Tree::open(&self.path).and_then(|tree| {
            tree.create(&[MARKER], false)?.write_all(mark(&self.path).as_bytes())?;
            Ok(tree)
        });
        marked.map_err(|error| Error::file("write to", &self.path, &error))
    }

    /// Says that all of it is there.
    pub fn finish(&self, tree: &Tree) -> Result<()> {
        tree.remove(&[MARKER]).map_err(|error| Error::file("finish", &self.path, &error))
    }

    /// Leaves it as it was found.
    pub fn abandon(&self) {
        let _ = empty(&self.path);
        if !self.is_there {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

fn mark(path: &Path) -> String {
    let path = path.display();
    format!("otrace did not finish its checkout into {path}\nRepeat the same command, or delete this folder.\n")
}

fn is_empty(path: &Path) -> io::Result<bool> {
    Ok(path.read_dir()?.next().is_none())
}

/// Whether this is what a checkout into this very folder has left, and nothing of anybody else's.
fn is_left_over(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let Ok(tree) = Tree::open(&path) else { return false };
    let is_own = path.join(MARKER).symlink_metadata().is_ok_and(|found| found.uid() == geteuid().as_raw());
    if is_own {
        return tree.read(&[MARKER], LOOK).is_ok_and(|text| text == mark(&path).as_bytes());
    }
    // It was killed between the first step of git's and the mark.
    let names: Vec<_> = path.read_dir().into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    names == [".git"] && tree.read(&[".git"], LOOK).is_ok_and(|text| text.starts_with(b"gitdir: "))
}

/// Removes what is in a folder. Links go themselves, and not what they lead to.
fn empty(path: &Path) -> io::Result<()> {
    for entry in path.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        Destination::at(path.to_path_buf()).expect_err("refused").to_string()
    }

    #[test]
    fn only_what_is_absent_or_empty_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        Destination::at(folder.path().to_path_buf()).expect("it is empty");
        Destination::at(folder.path().join("a/b")).expect("it is absent");
        let file = folder.path().join("file");
        fs::write(&file, "mine").expect("written");
        let shown = folder.path().display();
        let expected = format!("Checkout destination is not empty: {shown}. Choose an empty path with --path.");
        assert_eq!(refusal(folder.path()), expected);
        assert!(refusal(&file).starts_with("Checkout destination is not a directory: "));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).expect("linked");
        assert!(refusal(&link).starts_with("Checkout destination is not a directory: "));
    }

    #[test]
    fn what_a_killed_checkout_left_is_begun_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("exp001");
        let destination = Destination::at(path.clone()).and_then(Destination::prepare).expect("prepared");
        let tree = destination.mark().expect("marked");
        tree.create(&["src", "a.py"], false).expect("written");
        let again = Destination::at(path.clone()).and_then(Destination::prepare).expect("it was left over");
        assert!(is_empty(&path).expect("read"));
        let tree = again.mark().expect("marked");
        again.finish(&tree).expect("finished");
        assert!(is_empty(&path).expect("read"));
    }

    #[test]
    fn a_mark_from_elsewhere_says_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(MARKER), mark(Path::new("/elsewhere"))).expect("written");
        fs::write(folder.path().join("thesis.tex"), "mine").expect("written");
        assert!(refusal(folder.path()).starts_with("Checkout destination is not empty: "));
    }

    #[test]
    fn what_is_given_up_is_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        for path in [folder.path().to_path_buf(), folder.path().join("exp001")] {
            let was_there = path.exists();
            let destination = Destination::at(path.clone()).and_then(Destination::prepare).expect("prepared");
            destination.mark().expect("marked");
            destination.abandon();
            assert_eq!(path.exists(), was_there);
        }
        assert!(is_empty(folder.path()).expect("read"));
    }
}
