//! Passing a stream of the wrapped command through, byte for byte, while a log of it is written.
//!
//! Each stream has a thread of its own that reads what there is and writes it at once: nothing is
//! held back for a line to end, and a slow terminal slows the command down as it would without us.

use std::fs::File;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::oneshot;

use crate::capture::stored::{self, Measure, StoredFile};
use crate::printer;

const BUFFER: usize = 64 * 1024;
/// A background process can hold the stream open after the command has ended. It is listened to until
/// it pauses for this many milliseconds, or until there has been enough of it.
const LAST_WORDS: u16 = 1000;

/// A stream on its way through.
pub struct Tee {
    /// Where the command writes.
    pub source: PipeReader,
    /// Comes to its end when the command has ended.
    pub ended: PipeReader,
    /// Comes to its end when there has been enough of what follows the command's end.
    pub enough: PipeReader,
    /// Our own stream, to which everything is passed on.
    pub through: File,
    /// Where the log is.
    pub log_path: PathBuf,
    /// The log.
    pub log: File,
}

/// How far a stream has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    CommandEnded,
    LastRead,
}

/// What has passed through.
#[derive(Clone, Debug)]
pub struct Passed {
    /// The log of it.
    pub log: StoredFile,
    /// Whether it stopped in the middle of a line.
    pub in_mid_line: bool,
}

impl Tee {
    /// Starts to pass the stream through; what has passed is known when it has ended.
    pub fn start(self) -> io::Result<oneshot::Receiver<Passed>> {
        let (done, passed) = oneshot::channel();
        std::thread::Builder::new().name("otrace-tee".to_owned()).spawn(move || {
            // Nobody is left to be told if the run was given up meanwhile.
            let _ = done.send(self.run());
        })?;
        Ok(passed)
    }

    fn run(mut self) -> Passed {
        let mut measure = Measure::default();
        let mut last = b'\n';
        let mut log_failed = false;
        let mut phase = Phase::Running;
        let mut buffer = vec![0; BUFFER];
        while self.has_more(&mut phase) {
            let bytes = match self.source.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => &buffer[..length],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            last = bytes[bytes.len() - 1];
            measure.add(bytes);
            if !log_failed && let Err(error) = self.log.write_all(bytes) {
                // A full disk must not stop the command, which may not write to it at all.
                let path = self.log_path.display();
                printer::warning(format_args!("the log {path} is cut short: {error}"));
                log_failed = true;
            }
            if pass_on(&mut self.through, bytes).is_err() {
                // Our reader has gone. Closing the stream tells the command, as it would without us.
                break;
            }
        }
        Passed { log: self.measured(measure, log_failed), in_mid_line: last != b'\n' }
    }

    fn measured(&self, measure: Measure, log_failed: bool) -> StoredFile {
        if log_failed && let Ok(stored) = stored::measure(self.log_path.clone()) {
            return stored;
        }
        measure.of_file(self.log_path.clone())
    }

    /// Waits for output; false when there will be none that is worth waiting for.
    fn has_more(&self, phase: &mut Phase) -> bool {
        if *phase == Phase::LastRead {
            return false;
        }
        let source = PollFd::new(self.source.as_fd(), PollFlags::POLLIN);
        if *phase == Phase::Running {
            let ended = PollFd::new(self.ended.as_fd(), PollFlags::POLLIN);
            let mut streams = [source.clone(), ended];
            let ready = wait(&mut streams, PollTimeout::NONE);
            if !ready || streams[0].any() != Some(false) {
                return true;
            }
            *phase = Phase::CommandEnded;
        }
        let enough = PollFd::new(self.enough.as_fd(), PollFlags::POLLIN);
        let mut streams = [source, enough];
        if !wait(&mut streams, LAST_WORDS.into()) {
            return false;
        }
        if streams[1].any() == Some(false) {
            return true;
        }
        // What the command itself has left in the pipe fits into one read.
        *phase = Phase::LastRead;
        streams[0].any() != Some(false)
    }
}

/// Whether one of the streams is ready in time. When that can't be told, reading will tell.
fn wait(streams: &mut [PollFd<'_>], timeout: PollTimeout) -> bool {
    loop {
        match poll(streams, timeout) {
            Err(Errno::EINTR) => {}
            Ok(0) => return false,
            Ok(_) | Err(_) => return true,
        }
    }
}

/// Writes all bytes, also to a stream that somebody has made non-blocking.
fn pass_on(through: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match through.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let room = PollFd::new(through.as_fd(), PollFlags::POLLOUT);
                wait(&mut [room], PollTimeout::NONE);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
