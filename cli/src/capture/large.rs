//! Large outputs, sent from where they are: to copy them first would write each of their gigabytes twice.
//!
//! What has arrived this way, and is still as it was, needs no copy. What changed meanwhile, and what the server could
//! not take, is copied like any other output, and sent from the copy.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use otrace_wire::Sha256Digest;

use crate::capture::expected::{self, Declared};
use crate::capture::mark::Mark;
use crate::capture::stored::{self, StoredFile};
use crate::outputs;
use crate::workspace::Workspace;

/// Large outputs, hashed where they are.
#[derive(Debug, Default)]
pub struct Large(BTreeMap<PathBuf, Measured>);

/// Those whose contents the server has, as they were when they were sent.
#[derive(Debug, Default)]
pub struct Arrived(BTreeMap<PathBuf, Measured>);

/// A file that was hashed where it is.
#[derive(Debug)]
struct Measured {
    file: StoredFile,
    mark: Mark,
}

impl Arrived {
    /// The file at this path, if the server has it as it is now.
    pub fn get(&self, path: &Path) -> Option<&StoredFile> {
        let measured = self.0.get(path)?;
        (Mark::at(path).ok()? == measured.mark).then_some(&measured.file)
    }
}

impl Large {
    /// Finds the large ones among these outputs, and reads each of them once.
    pub fn measure(workspace: &Workspace, declared: &[String]) -> Self {
        let found = expected::expand(workspace, Declared::Artifact, declared);
        let paths = found.files.into_iter().map(|(path, _)| path);
        // What is smaller is copied: that takes no time worth saving, and what is read for values has to stay as it is.
        let large = paths.filter(|path| path.metadata().is_ok_and(|found| found.len() > outputs::MAX_FILE_SIZE));
        Self(large.filter_map(|path| Some((path.clone(), Measured::of(path).ok()?))).collect())
    }

    /// What there is to send.
    pub fn files(&self) -> Vec<StoredFile> {
        self.0.values().map(|measured| measured.file.clone()).collect()
    }

    /// Those whose contents the server has now.
    pub fn arrived(self, has_arrived: impl Fn(&Sha256Digest) -> bool) -> Arrived {
        Arrived(self.0.into_iter().filter(|(_, measured)| has_arrived(&measured.file.digest)).collect())
    }
}

impl Measured {
    fn of(path: PathBuf) -> io::Result<Self> {
        // From before it is read, so that a change meanwhile is noticed.
        let mark = Mark::at(&path)?;
        Ok(Self { file: stored::measure(path)?, mark })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn only_what_is_too_large_to_be_read_for_values_is_sent_from_where_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::at(&folder.path().canonicalize().expect("a path"));
        let limit = outputs::MAX_FILE_SIZE;
        for (name, size) in [("model.pt", limit + 1), ("small.pt", limit)] {
            // A hole takes no room.
            File::create(workspace.root().join(name)).and_then(|file| file.set_len(size)).expect("made");
        }
        let large = Large::measure(&workspace, &["*".to_owned()]);
        assert_eq!(large.0.keys().collect::<Vec<_>>(), [&workspace.root().join("model.pt")]);
    }

    #[test]
    fn what_has_changed_since_is_not_what_has_arrived() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.pt");
        fs::write(&path, "one").expect("written");
        let large = || Large([(path.clone(), Measured::of(path.clone()).expect("measured"))].into());
        assert!(large().arrived(|_| false).get(&path).is_none());
        let arrived = large().arrived(|_| true);
        assert_eq!(arrived.get(&path).map(|file| file.size), Some(3));
        // The same name and size, and another file.
        fs::write(folder.path().join("new"), "two").expect("written");
        fs::rename(folder.path().join("new"), &path).expect("renamed");
        assert!(arrived.get(&path).is_none());
        assert!(arrived.get(Path::new("/elsewhere")).is_none());
    }
}
