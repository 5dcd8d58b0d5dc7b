//! Passing the streams of the wrapped command through, byte for byte, while a log of each is written.
//!
//! A thread reads what there is and writes it at once: nothing is held back for a line to end, and a slow
//! terminal slows the command down as it would without us. The log comes after that. Streams that come out at
//! one place share a thread, so that they come out in the order in which they were written, as far as the
//! system tells; others have one each, so that they do not wait for each other.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::oneshot;

use crate::capture::stored::StoredFile;
use crate::child::heir::Heir;
use crate::error::Error;
use crate::stored_log::gap::Gap;
use crate::stored_log::{Finished, StoredLog};
use crate::{printer, signals};

/// At most so much is read at a time. It is also the most that a pipe or a terminal holds.
const BUFFER: usize = 64 * 1024;
/// A background process can hold a stream open after the command has ended. It is listened to until
/// it pauses for so long, or until there has been enough of it.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// After so long without output a log is told of the pause, if it holds something back.
const PAUSE: Duration = Duration::from_secs(1);

/// The command has ended.
const ENDED: Token = Token(usize::MAX);
/// There has been enough of what follows its end.
const ENOUGH: Token = Token(usize::MAX - 1);

/// A stream on its way through.
pub struct Stream {
    /// What comes out where the command writes: a pipe's end or a terminal's.
    pub source: Arc<File>,
    /// Our own stream, to which everything is passed on.
    pub through: File,
    /// Where the log is.
    pub log_path: PathBuf,
    /// The log.
    pub log: StoredLog,
    /// Who is told when it has ended.
    pub done: oneshot::Sender<Passed>,
}

/// What has passed through.
#[derive(Clone, Debug)]
pub struct Passed {
    /// The log of it.
    pub log: StoredFile,
    /// Whether it stopped in the middle of a line.
    pub in_mid_line: bool,
    /// What the log lacks of it.
    pub gaps: Vec<Gap>,
}

/// Streams that are listened to.
struct Tee {
    poll: Poll,
    streams: Vec<Option<Passing>>,
    /// Those that there is something to read from, longest waiting first.
    ready: VecDeque<usize>,
    phase: Phase,
    /// To be kept open: they are listened to as well.
    _ends: [PipeReader; 2],
}

/// How far the streams have come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    CommandEnded,
    /// There has been enough of them, but for what they hold at that moment.
    LastRead,
}

struct Passing {
    source: Arc<File>,
    /// Who holds it too, and by which number.
    heir: Arc<Heir>,
    number: u8,
    /// What the heir knows of the log: whether there is no room for what comes.
    has_gap: bool,
    through: File,
    log: Log,
    done: oneshot::Sender<Passed>,
    last: u8,
    /// How many bytes are still read when there has been enough.
    left: usize,
}

/// The log of a stream, as far as the disk takes it.
struct Log {
    path: PathBuf,
    stored: StoredLog,
    /// When there was output. Nothing once it has been told that there is none.
    written: Option<Instant>,
}

/// Starts to pass the streams through, each with who holds it too, and by which number. `ended` comes to its end when
/// the command has ended, `enough` when there has been enough of what follows.
pub fn start(streams: Vec<(Stream, Arc<Heir>, u8)>, [ended, enough]: [&PipeReader; 2]) -> io::Result<()> {
    let poll = Poll::new()?;
    let ends = [ended.try_clone()?, enough.try_clone()?];
    let sources = streams.iter().map(|(stream, ..)| stream.source.as_raw_fd()).enumerate();
    let sources = sources.map(|(number, source)| (Token(number), source));
    let ends_too = [ENDED, ENOUGH].into_iter().zip(ends.iter().map(AsRawFd::as_raw_fd));
    for (token, source) in sources.chain(ends_too) {
        poll.registry().register(&mut SourceFd(&source), token, Interest::READABLE)?;
    }
    let streams = streams.into_iter().map(|(stream, heir, number)| Some(Passing::new(stream, heir, number))).collect();
    let tee = Tee { poll, streams, ready: VecDeque::new(), phase: Phase::Running, _ends: ends };
    std::thread::Builder::new()
        .name("otrace-tee".to_owned())
        .spawn(move || signals::from_the_background(|| tee.run()))?;
    Ok(())
}

impl Tee {
    fn run(mut self) {
        let mut events = Events::with_capacity(8);
        let mut buffer = vec![0; BUFFER];
        while self.streams.iter().any(Option::is_some) {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Reading tells what is the matter.
                Err(_) => self.ready = (0..self.streams.len()).collect(),
                Ok(()) => {}
            }
            for event in &events {
                self.note(event.token());
            }
            if let Some(number) = self.ready.pop_front() {
                self.read(number, &mut buffer);
            } else if events.is_empty() && self.phase != Phase::Running {
                break;
            }
            for stream in self.streams.iter_mut().flatten() {
                if stream.log.pause_in() == Some(Duration::ZERO) {
                    stream.pause();
                }
            }
        }
        for stream in self.streams.into_iter().flatten() {
            stream.finish();
        }
    }

    /// How long there may be nothing before there is something to do.
    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        match self.phase {
            Phase::Running => self.streams.iter().flatten().filter_map(|stream| stream.log.pause_in()).min(),
            Phase::CommandEnded => Some(LAST_WORDS),
            Phase::LastRead => Some(Duration::ZERO),
        }
    }

    fn note(&mut self, token: Token) {
        match token {
            ENDED if self.phase == Phase::Running => self.phase = Phase::CommandEnded,
            ENDED => {}
            ENOUGH => self.phase = Phase::LastRead,
            Token(number) if self.ready.contains(&number) => {}
            Token(number) => self.ready.push_back(number),
        }
    }

    /// Reads once. What is left in there comes after what has come to the others meanwhile.
    fn read(&mut self, number: usize, buffer: &mut [u8]) {
        let Some(stream) = self.streams.get_mut(number).and_then(Option::as_mut) else { return };
        if !stream.pass(buffer) {
            if let Some(stream) = self.streams[number].take() {
                stream.finish();
            }
            return;
        }
        let has_left = self.phase != Phase::LastRead || stream.left > 0;
        let source = PollFd::new(stream.source.as_fd(), PollFlags::POLLIN);
        if has_left && wait(&mut [source], PollTimeout::ZERO) {
            self.ready.push_back(number);
        }
        if self.phase != Phase::LastRead {
            stream.left = BUFFER;
        }
    }
}

impl Passing {
    fn new(stream: Stream, heir: Arc<Heir>, number: u8) -> Self {
        let Stream { source, through, log_path, log, done } = stream;
        let log = Log { path: log_path, stored: log, written: None };
        Self { source, heir, number, has_gap: false, through, log, done, last: b'\n', left: BUFFER }
    }

    /// Passes on what there is; false when no more will come.
    fn pass(&mut self, buffer: &mut [u8]) -> bool {
        let bytes = match (&*self.source).read(buffer) {
            Ok(0) => return false,
            Ok(length) => &buffer[..length],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            // A terminal's way to end, among others.
            Err(_) => return false,
        };
        self.left = self.left.saturating_sub(bytes.len());
        self.last = bytes[bytes.len() - 1];
        // First, so that whatever somebody has seen is kept, should we be killed now.
        self.log.write(bytes);
        self.tell_heir();
        let passed = pass_on(&mut self.through, bytes);
        // When our reader has gone, closing the stream tells the command, as it would without us.
        passed.is_ok()
    }

    fn pause(&mut self) {
        self.log.pause();
        self.tell_heir();
    }

    /// Whoever goes on with the log should we be killed has to know that the next piece belongs behind a gap.
    fn tell_heir(&mut self) {
        if self.log.stored.has_gap() != self.has_gap {
            self.has_gap = !self.has_gap;
            self.heir.note_gap(self.number, self.has_gap);
        }
    }

    fn finish(self) {
        drop(self.source);
        self.heir.let_go_of(self.number);
        let (log, gaps) = self.log.finish();
        // Nobody is left to be told if the run was given up meanwhile.
        let _ = self.done.send(Passed { log, in_mid_line: self.last != b'\n', gaps });
    }
}

impl Log {
    fn write(&mut self, bytes: &[u8]) {
        self.written = Some(Instant::now());
        tell(&self.path, self.stored.write(bytes));
    }

    /// How long until it is to be told that there is no output, if it is.
    fn pause_in(&self) -> Option<Duration> {
        let written = self.written.filter(|_| self.stored.is_holding())?;
        Some(PAUSE.saturating_sub(written.elapsed()))
    }

    fn pause(&mut self) {
        self.written = None;
        tell(&self.path, self.stored.pause());
    }

    fn finish(self) -> (StoredFile, Vec<Gap>) {
        let Finished { file, gaps, outcome } = self.stored.finish();
        tell(&self.path, outcome);
        (file, gaps)
    }
}

/// A full disk must not stop the command, which may not write to it at all.
fn tell(path: &Path, written: io::Result<()>) {
    if let Err(error) = written {
        printer::warning(Error::file("write", path, &error));
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
