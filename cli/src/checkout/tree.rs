//! Writing below a folder, and nowhere else.
//!
//! Each part of a name is opened in the folder before it, and no link is followed: whatever a commit, a patch or
//! another process has put there, nothing is written anywhere else.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, open, openat, statat, unlinkat};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const NEW_FILE: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const OLD_FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// A folder that files are written below.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
}

impl Tree {
    /// The folder that is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { root: open(path, FOLDER, Mode::empty())? })
    }

    /// Makes a file, and the folders above it. What is there already stays.
    pub fn create(&self, parts: &[&str], is_executable: bool) -> io::Result<File> {
        let (folder, name) = self.folder_of(parts, true)?;
        let mode = Mode::from_raw_mode(if is_executable { 0o755 } else { 0o644 });
        Ok(File::from(openat(&folder, name, NEW_FILE, mode)?))
    }

    /// Removes a file, or a link itself. That it is not there is fine.
    pub fn remove(&self, parts: &[&str]) -> io::Result<()> {
        let removed = self.folder_of(parts, false).and_then(|(folder, name)| {
            unlinkat(&folder, name, AtFlags::empty())?;
            Ok(())
        });
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Whether anything has this name.
    pub fn has(&self, parts: &[&str]) -> bool {
        let found = self.folder_of(parts, false).and_then(|(folder, name)| {
            statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(())
        });
        match found {
            Ok(()) => true,
            // What can't be looked at is in the way as well.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// Whether there is a folder of this name, and no link on the way to it.
    pub fn is_folder(&self, parts: &[&str]) -> bool {
        let found = self.folder_of(parts, false).and_then(|(folder, name)| {
            openat(&folder, name, FOLDER, Mode::empty())?;
            Ok(())
        });
        found.is_ok()
    }

    /// The first `limit` bytes of a file.
    pub fn read(&self, parts: &[&str], limit: u64) -> io::Result<Vec<u8>> {
        let (folder, name) = self.folder_of(parts, false)?;
        let file = File::from(openat(&folder, name, OLD_FILE, Mode::empty())?);
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The folder that a name is in.
    fn folder_of<'a>(&self, parts: &[&'a str], may_make: bool) -> io::Result<(OwnedFd, &'a str)> {
        let (name, folders) = parts.split_last().ok_or(io::ErrorKind::InvalidInput)?;
        let mut folder = self.root.try_clone()?;
        for part in folders {
            if may_make {
                match mkdirat(&folder, *part, Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            folder = openat(&folder, *part, FOLDER, Mode::empty())?;
        }
        Ok((folder, *name))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn files_and_their_folders_are_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let tree = Tree::open(folder.path()).expect("opened");
        tree.create(&["a", "b", "run.sh"], true).expect("made").write_all(b"1").expect("written");
        let made = folder.path().join("a/b/run.sh");
        assert_ne!(made.metadata().expect("it is there").permissions().mode() & 0o100, 0);
        assert_eq!(tree.read(&["a", "b", "run.sh"], 10).expect("read"), b"1");
        assert!(tree.has(&["a", "b"]) && !tree.has(&["a", "c"]) && !tree.has(&["x", "y"]));
        assert!(tree.create(&["a", "b", "run.sh"], false).is_err(), "it is there");
        tree.remove(&["a", "b", "run.sh"]).expect("removed");
        tree.remove(&["a", "b", "run.sh"]).expect("it is gone already");
        assert!(!made.exists());
    }

    #[test]
    fn no_link_is_followed() {
        let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        symlink(elsewhere.path(), folder.path().join("out")).expect("linked");
        symlink(elsewhere.path().join("new"), folder.path().join("file")).expect("linked");
        fs::write(elsewhere.path().join("there"), "theirs").expect("written");
        fs::create_dir(folder.path().join("in")).expect("made");
        let tree = Tree::open(folder.path()).expect("opened");
        assert!(!tree.is_folder(&["out"]) && tree.is_folder(&["in"]) && !tree.is_folder(&["in", "nothing"]));
        assert!(tree.create(&["out", "x"], false).is_err());
        assert!(tree.create(&["out", "deep", "x"], false).is_err());
        assert!(tree.create(&["file"], false).is_err());
        assert!(tree.read(&["out", "there"], 10).is_err());
        assert!(tree.remove(&["out", "there"]).is_err());
        tree.remove(&["file"]).expect("the link itself goes");
        let left: Vec<_> =
            elsewhere.path().read_dir().expect("read").flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["there"]);
        assert!(Tree::open(&folder.path().join("out")).is_err());
    }
}
