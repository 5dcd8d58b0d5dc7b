//! What a log lacks, because there was no room for it when it was printed.
//!
//! Where something follows, a line in the log says so. A file beside it, `LOG.gaps`, says it too, to whoever sends the
//! log should we be killed before we have told of its end.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc::O_NOFOLLOW;
use serde::{Deserialize, Serialize};

use crate::printer;

/// How often a disk that takes nothing is tried again.
const EACH: Duration = Duration::from_secs(1);
/// So many are told one by one.
const TOLD_MAX: usize = 20;
/// So much of such a file is read at most.
const FILE_MAX: u64 = 64 * 1024;

/// Something that was printed and is not in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// How long the log was where it belongs, in bytes.
    at: u64,
    /// How long it is, in bytes. Nothing where nobody knows.
    missing: Option<u64>,
    /// Why it is not there.
    reason: String,
    /// Whether nothing follows.
    is_end: bool,
}

/// One that grows.
#[derive(Debug)]
pub(super) struct OpenGap {
    missing: Option<u64>,
    reason: String,
    /// When the disk was last tried. Nothing, if it has not been.
    tried: Option<Instant>,
}

impl fmt::Display for Gap {
    /// As a clause about the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, reason, is_end, .. } = self;
        let at = printer::bytes(self.at);
        match missing.map(printer::bytes) {
            _ if *is_end => write!(f, "cut short after {at}: {reason}"),
            Some(missing) => write!(f, "{missing} missing after {at}: {reason}"),
            None => write!(f, "some of it missing after {at}: {reason}"),
        }
    }
}

impl Gap {
    /// The line of the log that stands in its place. `last` is the byte before it.
    pub(super) fn line(&self, last: u8) -> String {
        let start = if last == b'\n' { "" } else { "\n" };
        let missing = self.missing.map_or_else(|| "some".to_owned(), printer::bytes);
        format!("{start}[otrace: {missing} of the output missing here: {}]\n", self.reason)
    }
}

impl OpenGap {
    /// One that begins with so many bytes that this has happened to.
    pub(super) fn new(missing: usize, error: &io::Error) -> Self {
        Self { missing: Some(missing as u64), reason: error.to_string(), tried: Some(Instant::now()) }
    }

    /// One that an `otrace` has left behind that was killed.
    pub(super) fn inherited() -> Self {
        Self { missing: None, reason: "there was no room for it".to_owned(), tried: None }
    }

    /// Adds what is not there either.
    pub(super) fn add(&mut self, missing: usize) {
        self.missing = self.missing.map(|before| before + missing as u64);
    }

    /// Whether it is time to try the disk again. Then it counts as tried.
    pub(super) fn is_due(&mut self) -> bool {
        let is_due = self.tried.is_none_or(|tried| tried.elapsed() >= EACH);
        if is_due {
            self.tried = Some(Instant::now());
        }
        is_due
    }

    /// It, as a gap of a log of this length, after which nothing follows, or something does.
    pub(super) fn closed(&self, at: u64, is_end: bool) -> Gap {
        Gap { at, missing: self.missing, reason: self.reason.clone(), is_end }
    }
}

/// Adds one to those that are told. Where there are many, the last stands for all that follow it.
pub(super) fn push(gaps: &mut Vec<Gap>, gap: Gap) {
    let is_full = gaps.len() >= TOLD_MAX;
    match gaps.last_mut() {
        Some(last) if is_full => {
            last.missing = last.missing.zip(gap.missing).map(|(before, more)| before + more);
            last.is_end |= gap.is_end;
        }
        _ => gaps.push(gap),
    }
}

/// Keeps one beside the log.
pub(super) fn note(log: &Path, gap: &Gap) -> io::Result<()> {
    let mut line = serde_json::to_vec(gap)?;
    line.push(b'\n');
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(O_NOFOLLOW).open(beside(log))?.write_all(&line)
}

/// Those that are kept beside a log.
pub fn noted(log: &Path) -> Vec<Gap> {
    let mut bytes = Vec::new();
    if let Ok(file) = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW).open(beside(log)) {
        let _ = file.take(FILE_MAX).read_to_end(&mut bytes);
    }
    // A line that was cut short says nothing.
    let noted = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    noted.fold(Vec::new(), |mut gaps, gap| {
        push(&mut gaps, gap);
        gaps
    })
}

fn beside(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".gaps");
    name.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_gap_says_how_much_is_missing_where_and_why() {
        let mut open = OpenGap::new(1_000, &io::ErrorKind::StorageFull.into());
        open.add(500);
        assert!(!open.is_due(), "it was tried a moment ago");
        let gap = open.closed(2_000_000, false);
        assert_eq!(gap.to_string(), "1.5 kB missing after 2.0 MB: no storage space");
        assert_eq!(gap.line(b'\n'), "[otrace: 1.5 kB of the output missing here: no storage space]\n");
        assert_eq!(open.closed(7, true).to_string(), "cut short after 7 bytes: no storage space");
        let mut inherited = OpenGap::inherited();
        inherited.add(500);
        assert!(inherited.is_due() && !inherited.is_due());
        let line = inherited.closed(7, false).line(b'x');
        assert_eq!(line, "\n[otrace: some of the output missing here: there was no room for it]\n");
    }

    #[test]
    fn what_is_kept_beside_a_log_is_read_back_and_many_are_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("a.stdout.log");
        assert!(noted(&log).is_empty());
        let gap = |at| OpenGap::new(10, &io::ErrorKind::StorageFull.into()).closed(at, false);
        note(&log, &gap(1)).expect("kept");
        fs::write(beside(&log), [fs::read(beside(&log)).expect("read"), b"{\"at\": 2".to_vec()].concat())
            .expect("torn");
        assert_eq!(noted(&log), [gap(1)]);
        fs::remove_file(beside(&log)).expect("removed");
        for at in 0..100 {
            note(&log, &gap(at)).expect("kept");
        }
        let noted = noted(&log);
        assert_eq!((noted.len(), noted.last().and_then(|gap| gap.missing)), (TOLD_MAX, Some(810)));
    }
}
