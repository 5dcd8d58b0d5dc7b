//! The folder that files are downloaded into. No link below it is followed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use otrace_wire::Sha256Digest;

use crate::capture::stored;
use crate::error::{Error, Result};

/// It, by its path.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// One that somebody named, wherever it leads.
    pub(crate) fn given(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(|error| Error::file("make", path, &error))?;
        Ok(Self(path.to_path_buf()))
    }

    /// One in the current directory, named by us: a link of that name is not what anybody meant.
    pub(crate) fn ours(name: &str) -> Result<Self> {
        let path = PathBuf::from(name);
        make(&path)?;
        Ok(Self(path))
    }

    /// Where a file belongs, whose folder is there then.
    pub(crate) fn place(&self, place: &Path) -> Result<PathBuf> {
        let mut path = self.0.clone();
        let mut parts = place.components().peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            if parts.peek().is_some() {
                make(&path)?;
            }
        }
        Ok(path)
    }
}

/// Whether a file is there, and is what it should be.
pub(crate) fn is_there(path: &Path, digest: &Sha256Digest, size: u64) -> bool {
    let is_alike = path.symlink_metadata().is_ok_and(|found| found.is_file() && found.len() == size);
    is_alike && stored::measure(path.to_path_buf()).is_ok_and(|file| file.digest == *digest)
}

fn make(path: &Path) -> Result<()> {
    if let Err(error) = fs::create_dir(path)
        && error.kind() != ErrorKind::AlreadyExists
    {
        return Err(Error::file("make", path, &error));
    }
    if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    Err(Error::new(format!("{} is a link or a file, and has to be a folder", path.display()))
        .with_hint("Move it away, or use --output."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_below_the_folder_is_not_followed() {
        let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("link")).expect("linked");
        let ours = Folder::given(folder.path()).expect("a folder");
        assert_eq!(ours.place(Path::new("a/b")).expect("a place"), folder.path().join("a/b"));
        assert!(folder.path().join("a").is_dir());
        for place in ["link/x", "link/deep/x"] {
            let error = ours.place(Path::new(place)).expect_err("a link").to_string();
            assert!(error.contains("is a link or a file"), "{error}");
        }
        assert_eq!(elsewhere.path().read_dir().expect("read").count(), 0);
    }
}
