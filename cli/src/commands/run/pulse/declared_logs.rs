//! The declared logs of a run, which are on the server while they are written, as what the command prints is.
//!
//! What stood in them before the command started is an earlier run's: such a log is followed once it has changed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::followed_log::FollowedLog;
use super::log_sender::{Log, LogSender, Sent};
use crate::client::Client;
use crate::declared_files::Lookout;
use crate::error::Result;
use crate::private_files;
use crate::secrets::Masker;

/// So many logs are followed at most.
const LOGS_MAX: usize = 20;
/// So many files are looked at at most, to see whether they change.
const FILES_MAX: usize = 1_000;
/// So much of all logs together is copied in one turn.
const TURN_BYTES: usize = 4 * 1024 * 1024;

/// Those of one run.
pub(super) struct DeclaredLogs {
    lookout: Lookout,
    known: BTreeSet<PathBuf>,
    /// Those that are not followed yet, as they were before the command started.
    waiting: Vec<(PathBuf, Option<Stamp>)>,
    logs: Vec<(FollowedLog, LogSender)>,
    /// Where the copies are, by which they are sent.
    folder: PathBuf,
    masker: Option<Masker>,
    /// Which log is read first in the next turn.
    first: usize,
}

/// What changes of a file when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl DeclaredLogs {
    /// Begins to look for these paths and globs, which count from `root`. To be called before the command starts.
    /// Nothing, where none was declared.
    pub(super) fn new(root: &Path, declared: &[String], folder: PathBuf, masker: Option<Masker>) -> Option<Self> {
        if declared.is_empty() {
            return None;
        }
        let lookout = Lookout::new(root, declared.to_vec());
        let (known, waiting, logs) = (BTreeSet::new(), Vec::new(), Vec::new());
        let mut declared = Self { lookout, known, waiting, logs, folder, masker, first: 0 };
        declared.look();
        for (path, before) in &mut declared.waiting {
            *before = Stamp::of(path);
        }
        Some(declared)
    }

    /// Copies what is new in them.
    pub(super) fn read(&mut self) {
        self.find();
        let count = self.logs.len();
        let mut left = TURN_BYTES;
        for place in 0..count {
            if left == 0 {
                break;
            }
            let (log, _) = &mut self.logs[(self.first + place) % count];
            left = left.saturating_sub(log.read(left));
        }
        self.first = (self.first + 1) % count.max(1);
    }

    /// Sends what was copied.
    pub(super) async fn send(&mut self, client: &Client, run: Uuid) -> Result<Sent> {
        let mut sent = Sent::Nothing;
        for (_, sender) in &mut self.logs {
            match sender.send(client, run).await? {
                Sent::Nothing => {}
                Sent::Something => sent = Sent::Something,
                Sent::Refused => return Ok(Sent::Refused),
            }
        }
        Ok(sent)
    }

    fn look(&mut self) {
        for seen in self.lookout.look() {
            if self.known.len() < FILES_MAX && self.known.insert(seen.path.clone()) {
                self.waiting.push((seen.path, None));
            }
        }
    }

    /// Begins to follow those that are new, or have changed.
    fn find(&mut self) {
        if self.logs.len() >= LOGS_MAX {
            return;
        }
        self.look();
        for (path, before) in std::mem::take(&mut self.waiting) {
            let now = Stamp::of(&path);
            if now.is_some() && now != before && self.logs.len() < LOGS_MAX {
                self.follow(&path);
            } else {
                self.waiting.push((path, before));
            }
        }
    }

    fn follow(&mut self, path: &Path) {
        let shown = self.lookout.shown(path).to_string_lossy().into_owned();
        let copy = self.folder.join(format!("{}.log", self.logs.len()));
        let made = private_files::folders(&self.folder);
        let followed = made.and_then(|()| FollowedLog::open(path, &copy, self.masker.clone()));
        // One that can't be read is told of when it is to be kept.
        let Ok(followed) = followed else { return };
        self.logs.push((followed, LogSender::new(Log::Declared(shown), copy)));
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.len(),
            seconds: found.mtime(),
            nanoseconds: found.mtime_nsec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was copied of each log, in the order in which they were found.
    fn copies(declared: &mut DeclaredLogs) -> Vec<String> {
        declared.read();
        let copies = (0..declared.logs.len()).map(|number| declared.folder.join(format!("{number}.log")));
        copies.map(|copy| fs::read_to_string(copy).expect("a copy")).collect()
    }

    #[test]
    fn new_logs_are_followed_at_once_and_those_of_earlier_runs_when_they_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        fs::write(root.join("old.log"), "an earlier run\n").expect("written");
        let declared = ["new.log", "old.log"].map(str::to_owned);
        let mut declared = DeclaredLogs::new(&root, &declared, root.join("live"), None).expect("declared");
        assert!(copies(&mut declared).is_empty());
        fs::write(root.join("new.log"), "one\n").expect("written");
        assert_eq!(copies(&mut declared), ["one\n"]);
        fs::write(root.join("old.log"), "this run\n").expect("written");
        assert_eq!(copies(&mut declared), ["one\n", "this run\n"]);
        fs::write(root.join("new.log"), "one\ntwo\n").expect("written");
        assert_eq!(copies(&mut declared), ["one\ntwo\n", "this run\n"]);
    }

    #[test]
    fn only_so_many_logs_are_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        let mut declared = DeclaredLogs::new(&root, &["logs/*".to_owned()], root.join("live"), None).expect("declared");
        fs::create_dir(root.join("logs")).expect("made");
        for number in 0..LOGS_MAX + 5 {
            fs::write(root.join(format!("logs/{number}")), "x\n").expect("written");
        }
        // Globs are looked through only now and then.
        declared.lookout = Lookout::new(&root, vec!["logs/*".to_owned()]);
        assert_eq!(copies(&mut declared).len(), LOGS_MAX);
        assert_eq!(copies(&mut declared).len(), LOGS_MAX);
        assert!(DeclaredLogs::new(&root, &[], root.join("live"), None).is_none());
    }
}
