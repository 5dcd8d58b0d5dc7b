//! The files of a tree, one after another, in an order that is always the same.
//!
//! Each is opened in the folder that it was seen in, and no link is followed: what is read lies in the tree.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, open, openat, readlinkat, statat};
use serde::Serialize;

use super::excludes::Excludes;
use super::links;

/// The reason of what somebody wanted to leave out.
pub const UNWANTED: &str = "it was to be left out";
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A pipe that has taken a file's place is not waited for.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Something that belongs into the archive.
#[derive(Debug)]
pub enum Found {
    /// A folder, and what is known of it.
    Folder(Metadata),
    /// A file, open.
    File(File, Metadata),
    /// A link, and where it leads: to something in the tree.
    Link(PathBuf),
}

/// Something that does not.
#[derive(Debug, Serialize)]
pub struct LeftOut {
    /// Its path from the tree's top.
    pub path: String,
    /// Why, as a clause.
    pub reason: String,
}

/// A walk through a tree.
#[derive(Debug)]
pub struct Walk {
    root: OwnedFd,
    excludes: Excludes,
    /// The archive itself: device and inode.
    skipped: HashSet<(u64, u64)>,
    /// What is left out.
    left_out: Vec<LeftOut>,
    /// The folders that are still to be read, the next one last.
    folders: Vec<PathBuf>,
}

impl Walk {
    /// Begins at the top.
    pub fn through(root: &Path, excludes: Excludes, skipped: HashSet<(u64, u64)>) -> io::Result<Self> {
        let root = open(root, FOLDER, Mode::empty())?;
        Ok(Self { root, excludes, skipped, left_out: Vec::new(), folders: vec![PathBuf::new()] })
    }

    /// Shows everything, and gives what was left out.
    pub fn each<E: From<io::Error>>(
        mut self,
        mut show: impl FnMut(&Path, Found) -> Result<(), E>,
    ) -> Result<Vec<LeftOut>, E> {
        while let Some(folder) = self.folders.pop() {
            let opened = match self.open_folder(&folder) {
                Ok(opened) => opened,
                // Without its top there is nothing.
                Err(error) if folder.as_os_str().is_empty() => return Err(error.into()),
                Err(error) => {
                    self.leave_out(&folder, reason(&error));
                    continue;
                }
            };
            if !folder.as_os_str().is_empty() {
                let about = File::from(opened.try_clone()?).metadata()?;
                show(&folder, Found::Folder(about))?;
            }
            let mut inner = Vec::new();
            for name in names(&opened)? {
                let path = folder.join(&name);
                match self.look(&opened, &name, &path) {
                    Ok(Some(Seen::Folder)) => inner.push(path),
                    Ok(Some(Seen::Other(found))) => show(&path, found)?,
                    Ok(None) => {}
                    Err(error) => self.leave_out(&path, reason(&error)),
                }
            }
            self.folders.extend(inner.into_iter().rev());
        }
        Ok(self.left_out)
    }

    fn look(&mut self, folder: &OwnedFd, name: &OsStr, path: &Path) -> io::Result<Option<Seen>> {
        let about = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(about.st_mode);
        if self.skipped.contains(&(about.st_dev, about.st_ino)) {
            return Ok(None);
        }
        if self.excludes.leaves_out(path, kind == FileType::Directory) {
            self.leave_out(path, UNWANTED.to_owned());
            return Ok(None);
        }
        match kind {
            FileType::Directory => Ok(Some(Seen::Folder)),
            FileType::Symlink => {
                let target = PathBuf::from(OsString::from_vec(readlinkat(folder, name, Vec::new())?.into_bytes()));
                if links::stays_below(path, &target) {
                    return Ok(Some(Seen::Other(Found::Link(target))));
                }
                self.leave_out(path, format!("it is a link that leads out, to {}", target.display()));
                Ok(None)
            }
            FileType::RegularFile => {
                let file = File::from(openat(folder, name, FILE, Mode::empty())?);
                let about = file.metadata()?;
                if !about.is_file() {
                    return Err(ErrorKind::NotFound.into());
                }
                Ok(Some(Seen::Other(Found::File(file, about))))
            }
            _ => {
                self.leave_out(path, "it is a pipe, a socket or a device".to_owned());
                Ok(None)
            }
        }
    }

    /// Opens a folder by its path, part by part.
    fn open_folder(&self, path: &Path) -> io::Result<OwnedFd> {
        let mut folder = self.root.try_clone()?;
        for part in path {
            folder = openat(&folder, part, FOLDER, Mode::empty())?;
        }
        Ok(folder)
    }

    fn leave_out(&mut self, path: &Path, reason: String) {
        self.left_out.push(LeftOut { path: path.to_string_lossy().into_owned(), reason });
    }
}

/// What a name stands for.
enum Seen {
    Folder,
    Other(Found),
}

/// The names in a folder, sorted.
fn names(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "it went away meanwhile".to_owned(),
        _ => format!("it could not be read ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    #[test]
    fn a_hostile_tree_is_walked_in_order_and_never_left() {
        let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let root = folder.path();
        fs::write(elsewhere.path().join("secret"), "theirs").expect("written");
        for name in ["b/2", "b/1", "a/x", "build/made", "own.zip"] {
            fs::create_dir_all(root.join(name).parent().expect("a parent")).expect("made");
            fs::write(root.join(name), name).expect("written");
        }
        symlink(elsewhere.path(), root.join("out")).expect("linked");
        symlink("../../etc", root.join("a/up")).expect("linked");
        symlink("../b/1", root.join("a/in")).expect("linked");
        symlink("nowhere", root.join("dangling")).expect("linked");
        nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        let own = root.join("own.zip").metadata().expect("it is there");
        let excludes = Excludes::new(&[], true).expect("rules");
        let walk = Walk::through(root, excludes, HashSet::from([(own.dev(), own.ino())])).expect("begun");
        let mut seen = Vec::new();
        let left_out = walk.each(|path, _| {
            seen.push(path.to_string_lossy().into_owned());
            Ok::<_, io::Error>(())
        });
        assert_eq!(seen, ["dangling", "a", "a/in", "a/x", "b", "b/1", "b/2"]);
        let left_out: Vec<_> = left_out.expect("walked").into_iter().map(|left_out| left_out.path).collect();
        assert_eq!(left_out, ["build", "out", "pipe", "a/up"]);
    }
}
