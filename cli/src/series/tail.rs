//! Following one file as it grows: whole lines only, and each once.
//!
//! A file that is cut short, written anew or replaced by another one is read from its beginning, unless it then
//! begins as before: many programs write all of their history anew each time.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use nix::libc::O_NONBLOCK;
use otrace_wire::series::{Point, SeriesBatch};

use crate::series::rows::{Kind, Reader};
use crate::series::sink::Sink;
use crate::series::starts::{ANCHOR, Start};

/// So much is read at once. A longer line holds no metrics and is passed over.
const BUFFER: usize = 64 * 1024;
/// A file that is shorter than before may be in the middle of being written anew; so many turns it has for that.
const PATIENCE: u32 = 5;

/// A file that is followed.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    source: String,
    reader: Reader,
    file: Option<File>,
    /// Up to where it was read.
    offset: u64,
    /// The bytes before that.
    anchor: Vec<u8>,
    /// Whether the rest of the line is passed over.
    is_skipping: bool,
    /// For how many turns it has been shorter than before.
    short_for: u32,
    /// How many points it has had.
    points: u64,
}

impl Tail {
    /// A file that need not be there yet.
    pub fn new(path: PathBuf, source: String, kind: Kind, prefix: Option<String>) -> Self {
        Self {
            path,
            source,
            reader: Reader::new(kind, prefix),
            file: None,
            offset: 0,
            anchor: Vec::new(),
            is_skipping: false,
            short_for: 0,
            points: 0,
        }
    }

    /// Leaves out what stands before this place, but for the names of its columns.
    pub fn begin_at(&mut self, start: &Start) {
        if !self.open() {
            return;
        }
        let mut buffer = vec![0; BUFFER];
        let length = self.read_at(&mut buffer, 0);
        if let Some(end) = newline(&buffer[..length]) {
            self.reader.header(&buffer[..end]);
        }
        self.offset = start.offset;
        self.anchor.clone_from(&start.anchor);
        // The rest of a line that an earlier run has begun is not a line.
        self.is_skipping = self.anchor.last().is_some_and(|last| *last != b'\n');
    }

    /// Reads a piece. Returns how many bytes that were: 0 when there is nothing more for now.
    pub fn step(&mut self, sink: &mut Sink, is_end: bool) -> usize {
        if self.reader.is_hopeless() || (self.file.is_none() && !self.open()) {
            return 0;
        }
        if !self.is_the_same() {
            self.short_for += 1;
            if self.is_short() && self.short_for < PATIENCE && !is_end {
                return 0;
            }
            self.begin_anew();
        }
        self.short_for = 0;
        sink.begin_piece(self.written());
        let mut buffer = vec![0; BUFFER];
        let length = self.read_at(&mut buffer, self.offset);
        let taken = self.lines(&buffer[..length], sink, is_end && length < BUFFER);
        if taken > 0 {
            return taken;
        }
        if length == BUFFER {
            // No line is so long.
            self.is_skipping = true;
            self.advance(&buffer);
            return length;
        }
        if self.was_replaced() && self.open() {
            if !self.is_the_same() {
                // Nobody goes on with the old file: its last line is whole.
                self.lines(&buffer[..length], sink, true);
                self.begin_anew();
            }
            return length.max(1);
        }
        0
    }

    /// Points that were read, as they are sent.
    pub fn batch(&mut self, points: Vec<Point>) -> Option<SeriesBatch> {
        if points.is_empty() {
            return None;
        }
        let first = self.points;
        self.points += points.len() as u64;
        Some(SeriesBatch { source: self.source.clone(), first, points })
    }

    /// Takes whole lines, and the rest too where nothing will be added to it. Returns how far it came.
    fn lines(&mut self, bytes: &[u8], sink: &mut Sink, with_rest: bool) -> usize {
        let mut taken = 0;
        while !sink.is_full() {
            let rest = &bytes[taken..];
            let end = match newline(rest) {
                Some(end) => end,
                None if with_rest && !rest.is_empty() => rest.len(),
                None => break,
            };
            taken += end;
            if !std::mem::take(&mut self.is_skipping) {
                sink.begin_line();
                self.reader.line(&rest[..end], sink);
            }
        }
        self.advance(&bytes[..taken]);
        taken
    }

    fn advance(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.anchor.extend_from_slice(&bytes[bytes.len().saturating_sub(ANCHOR)..]);
        let extra = self.anchor.len().saturating_sub(ANCHOR);
        self.anchor.drain(..extra);
    }

    fn begin_anew(&mut self) {
        self.offset = 0;
        self.anchor.clear();
        self.is_skipping = false;
        self.reader.begin_anew();
    }

    /// Opens the file if it is a regular one: a pipe would be waited for.
    fn open(&mut self) -> bool {
        let is_regular = self.path.metadata().is_ok_and(|found| found.is_file());
        let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(&self.path);
        self.file = file.ok().filter(|file| is_regular && file.metadata().is_ok_and(|found| found.is_file()));
        self.file.is_some()
    }

    fn is_short(&self) -> bool {
        let size = self.file.as_ref().and_then(|file| file.metadata().ok()).map(|found| found.len());
        size.is_some_and(|size| size < self.offset)
    }

    /// When the file was last written, in seconds since 1970.
    fn written(&self) -> Option<f64> {
        let modified = self.file.as_ref()?.metadata().ok()?.modified().ok()?;
        Some(modified.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
    }

    /// Whether what was read is still there.
    fn is_the_same(&self) -> bool {
        let mut before = [0; ANCHOR];
        let before = &mut before[..self.anchor.len()];
        let length = self.read_at(before, self.offset.saturating_sub(self.anchor.len() as u64));
        before[..length] == self.anchor[..]
    }

    /// Whether another file stands in its place.
    fn was_replaced(&self) -> bool {
        let there = self.path.metadata().map(|found| (found.dev(), found.ino()));
        let here = self.file.as_ref().and_then(|file| file.metadata().ok()).map(|found| (found.dev(), found.ino()));
        there.is_ok_and(|there| Some(there) != here)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> usize {
        let Some(file) = &self.file else { return 0 };
        let mut length = 0;
        while length < buffer.len() {
            match file.read_at(&mut buffer[length..], offset + length as u64) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        length
    }
}

/// Where the first line ends, with its line break.
fn newline(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}
