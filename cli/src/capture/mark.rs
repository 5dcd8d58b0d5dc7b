//! By what is told that a file has changed, without reading it.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its size in bytes.
    pub size: u64,
    file: (u64, u64),
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Mark {
    /// Of the file at this path.
    pub fn at(path: &Path) -> io::Result<Self> {
        path.metadata().map(|found| Self::of(&found))
    }

    /// Of the file that this was found out about.
    pub fn of(found: &Metadata) -> Self {
        Self {
            size: found.size(),
            file: (found.dev(), found.ino()),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}
