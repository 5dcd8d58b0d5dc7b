//! A declared log that is copied as it grows, so that what is sent of it while it is written has no secrets in it.
//!
//! The copy is only added to, and is what offsets count in. A log that gets shorter, or that another file takes the
//! place of, is followed no further: its whole is sent in the end.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc::O_NONBLOCK;

use crate::secrets::Masker;
use crate::stored_log::StoredLog;

/// So much is read at once.
const BUFFER: usize = 64 * 1024;
/// How long nothing is added before what is held back of a line is shown.
const PAUSE: Duration = Duration::from_secs(1);
/// So much of a log is copied at most, in bytes.
const COPY_MAX: u64 = 1024 * 1024 * 1024;

/// A log and its copy.
pub(super) struct FollowedLog {
    path: PathBuf,
    file: File,
    /// Up to where it was read, in bytes.
    read: u64,
    copy: StoredLog,
    grown: Instant,
    is_over: bool,
}

impl FollowedLog {
    /// Follows a regular file from its beginning: a pipe would be waited for.
    pub(super) fn open(path: &Path, copy: &Path, masker: Option<Masker>) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let copy = StoredLog::create(copy, masker)?;
        Ok(Self { path: path.to_path_buf(), file, read: 0, copy, grown: Instant::now(), is_over: false })
    }

    /// Copies what is new, at most about so many bytes. Returns how many that were.
    pub(super) fn read(&mut self, most: usize) -> usize {
        if self.is_over {
            return 0;
        }
        // What can't be read or copied is left at what was: nothing of it may be sent twice, or in another place.
        let copied = self.copy_new(most);
        self.is_over |= copied.is_err() || self.read >= COPY_MAX;
        copied.unwrap_or(0)
    }

    fn copy_new(&mut self, most: usize) -> io::Result<usize> {
        if !self.goes_on()? {
            self.is_over = true;
            return Ok(0);
        }
        let mut buffer = vec![0; BUFFER];
        let mut copied = 0;
        while copied < most {
            let length = match self.file.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if length == 0 {
                break;
            }
            self.copy.write(&buffer[..length])?;
            self.read += length as u64;
            copied += length;
        }
        if copied > 0 {
            self.grown = Instant::now();
        } else if self.copy.is_holding() && self.grown.elapsed() >= PAUSE {
            self.copy.pause()?;
        }
        Ok(copied)
    }

    /// Whether it is still the file that was begun with, and has not lost anything.
    fn goes_on(&self) -> io::Result<bool> {
        let (there, here) = (self.path.metadata()?, self.file.metadata()?);
        Ok(there.dev() == here.dev() && there.ino() == here.ino() && here.len() >= self.read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    struct Log {
        folder: tempfile::TempDir,
        followed: FollowedLog,
    }

    impl Log {
        fn with(content: &str) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("train.log");
            fs::write(&path, content).expect("written");
            let followed = FollowedLog::open(&path, &folder.path().join("copy"), None).expect("opened");
            Self { folder, followed }
        }

        fn append(&self, text: &str) {
            let file = OpenOptions::new().append(true).open(&self.followed.path);
            file.and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
        }

        fn copy(&mut self) -> String {
            while self.followed.read(usize::MAX) > 0 {}
            fs::read_to_string(self.folder.path().join("copy")).expect("read")
        }
    }

    #[test]
    fn a_log_is_copied_as_it_grows() {
        let mut log = Log::with("one\n");
        assert_eq!(log.copy(), "one\n");
        log.append("two\n");
        assert_eq!(log.copy(), "one\ntwo\n");
        log.append(&"x\n".repeat(200_000));
        assert!(log.followed.read(BUFFER) <= BUFFER, "a turn is short");
        assert_eq!(log.copy().len(), 400_008);
    }

    #[test]
    fn a_log_that_gets_shorter_or_is_replaced_is_left_at_what_it_was() {
        let mut log = Log::with("one\ntwo\n");
        assert_eq!(log.copy(), "one\ntwo\n");
        fs::write(&log.followed.path, "three\n").expect("written");
        assert_eq!(log.copy(), "one\ntwo\n");
        log.append("four\nfive\nsix\n");
        assert_eq!(log.copy(), "one\ntwo\n", "also when it has grown again");

        let mut log = Log::with("one\n");
        assert_eq!(log.copy(), "one\n");
        fs::rename(&log.followed.path, log.folder.path().join("train.log.1")).expect("renamed");
        fs::write(&log.followed.path, "one\ntwo\n").expect("written");
        assert_eq!(log.copy(), "one\n");
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("made");
        assert!(FollowedLog::open(&pipe, &folder.path().join("copy"), None).is_err());
    }
}
