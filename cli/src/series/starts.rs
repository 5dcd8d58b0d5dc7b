//! Where in its declared files a run begins: behind what an earlier run has left in them.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::private_files;

/// So many bytes before a place in a file tell whether it is still the same file.
pub const ANCHOR: usize = 64;
/// A longer list is none of ours.
const LIST_MAX_BYTES: u64 = 1024 * 1024;
/// What the names of the lists end with, which are beside the metrics files.
const ENDING: &str = "starts.json";

/// A place in a file, and what stands before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// The bytes of the file that are not the run's.
    pub offset: u64,
    /// The last of them.
    pub anchor: Vec<u8>,
}

/// The files that were there before the command started.
#[derive(Debug, Default)]
pub struct Starts(Vec<Start>);

impl Starts {
    /// Reads what was written down for this run, or else writes down how large the files are now.
    pub fn of_run<'a>(metrics_file: &Path, found: impl Iterator<Item = &'a Path>) -> Self {
        let list = metrics_file.with_extension(ENDING);
        if let Some(starts) = read(&list) {
            return Self(starts);
        }
        let starts: Vec<Start> = found.filter_map(Start::now).collect();
        if let Ok(json) = serde_json::to_vec(&starts) {
            // Without it, only one who begins later takes an earlier run's points for this one's end.
            let _ = private_files::new_file(&list).and_then(|mut file| file.write_all(&json));
        }
        Self(starts)
    }

    /// Where the run begins in a file, unless that was made or written anew since.
    pub fn of(&self, path: &Path) -> Option<&Start> {
        self.0.iter().find(|start| start.path == path && start.is_in_place())
    }
}

impl Start {
    fn now(path: &Path) -> Option<Self> {
        let file = File::open(path).ok()?;
        let found = file.metadata().ok()?;
        let mut anchor = vec![0; usize::try_from(found.len()).map_or(ANCHOR, |size| size.min(ANCHOR))];
        let before = found.len() - anchor.len() as u64;
        file.read_exact_at(&mut anchor, before).ok()?;
        let path = path.to_path_buf();
        (found.len() > 0).then(|| Self { path, device: found.dev(), inode: found.ino(), offset: found.len(), anchor })
    }

    fn is_in_place(&self) -> bool {
        let Ok(file) = File::open(&self.path) else { return false };
        let mut anchor = vec![0; self.anchor.len()];
        let before = self.offset.saturating_sub(self.anchor.len() as u64);
        file.metadata().is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode)
            && file.read_exact_at(&mut anchor, before).is_ok()
            && anchor == self.anchor
    }
}

/// Whether no other run has begun here since the one with this metrics file. Until then, what is added to its declared
/// files is its own.
pub fn is_latest_run(metrics_file: &Path) -> bool {
    let begun = |list: &Path| list.symlink_metadata().and_then(|found| found.modified()).ok();
    let own = metrics_file.with_extension(ENDING);
    let Some(own_begun) = begun(&own) else { return false };
    let others = metrics_file.parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let mut others = others.map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(ENDING));
    !others.any(|other| other != own && begun(&other).is_some_and(|other| other > own_begun))
}

fn read(list: &Path) -> Option<Vec<Start>> {
    let found = list.symlink_metadata().ok()?;
    if !found.is_file() || found.len() > LIST_MAX_BYTES {
        return None;
    }
    serde_json::from_slice(&fs::read(list).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_there_is_known_until_it_is_written_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let (metrics, old) = (folder.path().join("exp001.jsonl"), folder.path().join("old.csv"));
        fs::write(&old, "step,loss\n1,0.5\n").expect("written");
        let starts = Starts::of_run(&metrics, [old.as_path()].into_iter());
        assert_eq!(starts.of(&old).map(|start| start.offset), Some(16));
        fs::write(&old, "step,loss\n1,0.5\n2,0.4\n").expect("written");
        // Who comes later is told what was, not what is.
        let later = Starts::of_run(&metrics, [old.as_path()].into_iter());
        assert_eq!(later.of(&old).map(|start| start.offset), Some(16));
        fs::write(&old, "step,loss\n1,0.7\n2,0.4\n").expect("written");
        assert_eq!(later.of(&old), None);
        assert_eq!(later.of(&metrics), None);
    }

    #[test]
    fn a_run_is_the_latest_until_another_one_begins() {
        let folder = tempfile::tempdir().expect("a folder");
        let [first, second] = ["exp001.jsonl", "exp002.jsonl"].map(|name| folder.path().join(name));
        assert!(!is_latest_run(&first), "nobody knows");
        Starts::of_run(&first, std::iter::empty());
        assert!(is_latest_run(&first));
        Starts::of_run(&second, std::iter::empty());
        let later = first.with_extension(ENDING).metadata().and_then(|found| found.modified()).expect("a time")
            + std::time::Duration::from_secs(1);
        File::open(second.with_extension(ENDING)).and_then(|list| list.set_modified(later)).expect("dated");
        assert!(!is_latest_run(&first) && is_latest_run(&second));
    }

    #[test]
    fn an_empty_file_and_a_list_that_is_none_tell_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (metrics, empty) = (folder.path().join("exp001.jsonl"), folder.path().join("empty.csv"));
        fs::write(&empty, "").expect("written");
        fs::write(folder.path().join("exp001.starts.json"), "no list").expect("written");
        assert_eq!(Starts::of_run(&metrics, [empty.as_path()].into_iter()).of(&empty), None);
    }
}
