//! The log of a stream as it is kept: without secrets, and of a line that was written over and over, as
//! progress bars are, its last state.
//!
//! The file only ever grows, because it is sent from where it was left off while it does. What is held back of an
//! unfinished line is kept in a file beside it meanwhile ([`rest`]), so that it is not lost if we are killed. Another
//! file beside it says when its lines came ([`times`]). Where the disk has no room, the log has a [`gap`], and goes on
//! behind it once there is some again.

pub mod gap;
mod rest;
pub mod times;

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::mem;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::capture::stored::{Measure, StoredFile};
use crate::private_files;
use crate::secrets::{Masker, Stream, Surface};
use gap::{Gap, OpenGap};
use rest::Rest;
use times::Times;

/// A log that is being written.
pub struct StoredLog {
    path: PathBuf,
    file: File,
    measure: Measure,
    rest: Rest,
    /// When its lines came, if that is kept.
    times: Option<Times>,
    stream: Stream,
    /// The last piece ended with `\r`: what follows tells whether the line is written anew.
    is_at_return: bool,
    /// The unfinished line was written anew, and may be again.
    is_rewritten: bool,
    out: Vec<u8>,
    /// The last byte in the file.
    last: u8,
    /// What there is no room for at present.
    gap: Option<OpenGap>,
    gaps: Vec<Gap>,
    /// The beginning of the line that comes is lost, so that nobody could tell a secret in the rest of it.
    is_in_lost_line: bool,
}

/// A log that has come to its end.
pub struct Finished {
    /// What is in it.
    pub file: StoredFile,
    /// What is not.
    pub gaps: Vec<Gap>,
    /// What became of its last bytes.
    pub outcome: io::Result<()>,
}

impl StoredLog {
    /// Makes the file. `masker`: what masks secrets; without one, nothing is masked.
    pub fn create(path: &Path, masker: Option<Masker>) -> io::Result<Self> {
        Ok(Self {
            path: path.to_path_buf(),
            file: private_files::file(path)?,
            measure: Measure::default(),
            rest: Rest::create(path)?,
            times: None,
            stream: Stream::new(masker.map(|masker| (masker, surface_of(path)))),
            is_at_return: false,
            is_rewritten: false,
            out: Vec::new(),
            last: b'\n',
            gap: None,
            gaps: Vec::new(),
            is_in_lost_line: false,
        })
    }

    /// Keeps when its lines come, too, if it can: the log is as good without that.
    pub fn with_times(self) -> Self {
        Self { times: Times::create(&self.path).ok(), ..self }
    }

    /// Takes the next bytes. The last line, as far as it has come, may be held back. An error says that there is no room
    /// from here on; what comes later goes on behind the gap, once there is some.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        if self.is_in_lost_line {
            let Some(end) = memchr::memchr(b'\n', rest) else { return Ok(()) };
            self.is_in_lost_line = false;
            rest = &rest[end + 1..];
        }
        while let Some(first) = rest.first() {
            if self.is_at_return && *first == b'\n' {
                self.push(b"\r\n");
                rest = &rest[1..];
            } else if self.is_at_return && *first != b'\r' {
                self.start_line_anew();
            }
            // One `\r` is like several.
            self.is_at_return = false;
            let plain = memchr::memchr(b'\r', rest).unwrap_or(rest.len());
            self.push(&rest[..plain]);
            let returns = rest[plain..].iter().take_while(|byte| **byte == b'\r').count();
            self.is_at_return = returns > 0;
            rest = &rest[plain + returns..];
        }
        self.write_out()
    }

    /// Whether something is held back.
    pub fn is_holding(&self) -> bool {
        self.stream.is_holding() || self.is_at_return
    }

    /// Writes what is held back, such as a question that is waiting for its answer, now that nothing has
    /// come for a while. What may be a part of a secret or is about to be written anew stays.
    pub fn pause(&mut self) -> io::Result<()> {
        if self.is_at_return || self.is_rewritten || self.has_gap() {
            return Ok(());
        }
        self.stream.pause(&mut self.out);
        self.write_out()
    }

    /// Whether there is no room for what comes.
    pub fn has_gap(&self) -> bool {
        self.gap.is_some()
    }

    /// Writes the rest, and tells what is in the file, and what is not.
    pub fn finish(mut self) -> Finished {
        if self.is_at_return {
            self.push(b"\r");
        }
        self.stream.finish(&mut self.out);
        // Behind a gap, what comes in the end would only say that something is missing, which the run says too.
        let outcome = if self.has_gap() { Ok(()) } else { self.write_out() };
        if let Some(mut gap) = self.gap.take() {
            gap.add(self.out.len());
            let gap = gap.closed(self.measure.size(), true);
            // It is told where the run's end is, which there may be no room for.
            let _ = gap::note(&self.path, &gap);
            gap::push(&mut self.gaps, gap);
        }
        self.rest.remove();
        Finished { file: self.measure.of_file(self.path), gaps: self.gaps, outcome }
    }

    /// Goes on with the log of an `otrace` that was killed: from what that held back, or `behind_gap`, for which there
    /// was no room.
    pub fn resume(path: &Path, masker: Option<Masker>, behind_gap: bool) -> io::Result<Self> {
        let held = rest::left_behind(path)?.filter(|_| !behind_gap).unwrap_or_default();
        let mut file = private_files::existing(path)?;
        let (mut measure, mut last) = (Measure::default(), b'\n');
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                length => {
                    measure.add(&buffer[..length]);
                    last = buffer[length - 1];
                }
            }
        }
        let mut log = Self {
            path: path.to_path_buf(),
            file,
            measure,
            rest: Rest::resume(path)?,
            times: Times::resume(path, last == b'\n').unwrap_or_default(),
            stream: Stream::new(masker.map(|masker| (masker, surface_of(path)))),
            is_at_return: false,
            is_rewritten: false,
            out: Vec::new(),
            last,
            gap: behind_gap.then(OpenGap::inherited),
            gaps: Vec::new(),
            is_in_lost_line: false,
        };
        // Where there is no room, it is a gap from here on.
        let _ = log.write(&held);
        log.is_in_lost_line = behind_gap;
        Ok(log)
    }

    /// Adds to the log of a command whose `otrace` was killed what that held back.
    pub fn complete(path: &Path, masker: Option<Masker>) -> io::Result<()> {
        if rest::left_behind(path)?.is_some() {
            Self::resume(path, masker, false)?.finish().outcome?;
        }
        Ok(())
    }

    /// Cuts off what a power cut left of a log's last moment: room that was made for bytes that never came.
    pub fn cut_what_never_came(path: &Path) -> io::Result<()> {
        let file = private_files::existing(path)?;
        let mut length = file.metadata()?.len();
        let mut end = [0; 4096];
        loop {
            let size = length.min(end.len() as u64);
            let piece = &mut end[..usize::try_from(size).unwrap_or_default()];
            file.read_exact_at(piece, length - size)?;
            let kept = piece.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1);
            length -= size - kept;
            if kept > 0 || length == 0 {
                return file.set_len(length);
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.stream.push(bytes, &mut self.out);
        if memchr::memchr(b'\n', bytes).is_some() {
            self.is_rewritten = false;
        }
    }

    fn start_line_anew(&mut self) {
        self.is_rewritten = true;
        if self.stream.forget_line() {
            // What is in the file stays there: whoever shows it has to begin the line anew as well.
            self.stream.push(b"\r", &mut self.out);
        }
    }

    fn write_out(&mut self) -> io::Result<()> {
        let out = mem::take(&mut self.out);
        let written = self.put(&out);
        self.out = out;
        self.out.clear();
        // Without it, a kill at this moment would cost what is held back. The log itself goes on. What comes after a gap
        // is not the end of what stands before it.
        let nothing: &[u8] = &[];
        let (held, with_return) =
            if self.has_gap() { (nothing, false) } else { (self.stream.held(), self.is_at_return) };
        let _ = self.rest.keep(self.measure.size(), held, with_return);
        written
    }

    /// Writes as much as there is room for. Behind a gap, that is nothing, or a line that says so and all that follows.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(mut gap) = self.gap.take() else {
            let (written, outcome) = self.append(bytes);
            return outcome.inspect_err(|error| self.gap = Some(OpenGap::new(bytes.len() - written, error)));
        };
        if bytes.is_empty() || !gap.is_due() {
            gap.add(bytes.len());
            self.gap = Some(gap);
            return Ok(());
        }
        let closed = gap.closed(self.measure.size(), false);
        let line = closed.line(self.last);
        let (written, outcome) = self.append(&[line.as_bytes(), bytes].concat());
        let Some(written) = written.checked_sub(line.len()) else {
            gap.add(bytes.len());
            self.gap = Some(gap);
            return Ok(());
        };
        // The log says it too: without this, the run does not, should we be killed.
        let _ = gap::note(&self.path, &closed);
        gap::push(&mut self.gaps, closed);
        outcome.inspect_err(|error| self.gap = Some(OpenGap::new(bytes.len() - written, error)))
    }

    /// Adds to the file, and tells how much of it found room.
    fn append(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let (mut written, mut outcome) = (0, Ok(()));
        while written < bytes.len() && outcome.is_ok() {
            match self.file.write(&bytes[written..]) {
                Ok(0) => outcome = Err(ErrorKind::WriteZero.into()),
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => outcome = Err(error),
            }
        }
        let added = &bytes[..written];
        let noted = self.times.as_mut().map_or(Ok(()), |times| times.note(self.measure.size(), added));
        if noted.is_err() {
            self.times = None;
        }
        self.measure.add(added);
        self.last = added.last().copied().unwrap_or(self.last);
        (written, outcome)
    }
}

/// Logs are named after their streams.
fn surface_of(path: &Path) -> Surface {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".stdout.log") {
        Surface::Stdout
    } else if name.ends_with(".stderr.log") {
        Surface::Stderr
    } else {
        Surface::File(name.into_owned())
    }
}

#[cfg(test)]
mod tests;
