//! Folders and files that are for their owner only, and that are what they seem to be.
//!
//! A repository can bring along a `.trace` that is a link to somewhere else: nothing of ours is
//! written through it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use nix::libc::O_NOFOLLOW;
use nix::unistd::geteuid;

use crate::error::{Error, Result};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Makes a folder, or makes sure that the one that is there is ours and private.
pub fn folder(path: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::file("prepare", path, &error);
    if let Err(error) = DirBuilder::new().mode(FOLDER_MODE).create(path)
        && error.kind() != ErrorKind::AlreadyExists
    {
        return Err(failed(error));
    }
    let found = path.symlink_metadata().map_err(failed)?;
    let shown = path.display();
    if !found.is_dir() {
        return Err(Error::new(format!("{shown} is a link or a file, and has to be a directory"))
            .with_hint("Move it away; otrace makes it anew."));
    }
    // Root in a container works in folders that belong to the machine's user: they are that user's own.
    if found.uid() != geteuid().as_raw() && !geteuid().is_root() {
        return Err(Error::new(format!("{shown} belongs to another account"))
            .with_hint("Move it away, or give it to yours with chown."));
    }
    if found.mode() & 0o777 != FOLDER_MODE {
        fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE)).map_err(failed)?;
    }
    Ok(())
}

/// Makes the folders above a file of ours, below one that [`folder`] has made.
pub fn folders(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// Opens a file to be written from its beginning. A link is not followed.
pub fn file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).custom_flags(O_NOFOLLOW).open(path)
}

/// Opens a file of ours as it is. A link is not followed.
pub fn existing(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(O_NOFOLLOW).open(path)
}

/// Makes a file that is not there yet, not even as a link.
pub fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("it is there").mode() & 0o777
    }

    #[test]
    fn a_folder_becomes_private_and_a_link_is_refused() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("x");
        fs::create_dir(&path).expect("made");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("changed");
        folder(&path).expect("prepared");
        assert_eq!(mode(&path), 0o700);
        let link = parent.path().join("link");
        symlink(&path, &link).expect("linked");
        let error = folder(&link).expect_err("a link").to_string();
        assert!(error.contains("has to be a directory") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_file_is_private_and_not_written_through_a_link() {
        let parent = tempfile::tempdir().expect("a folder");
        let target = parent.path().join("target");
        file(&target).expect("made");
        assert_eq!(mode(&target), 0o600);
        let link = parent.path().join("link");
        symlink(&target, &link).expect("linked");
        assert!(file(&link).is_err() && new_file(&link).is_err());
    }
}
