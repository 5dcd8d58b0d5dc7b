//! The log of a stream as it is kept: without secrets, and of a line that was written over and over, as
//! progress bars are, its last state.
//!
//! The file only ever grows, because it is sent from where it was left off while it does. What is held back of an
//! unfinished line is kept in a file beside it meanwhile ([`rest`]), so that it is not lost if we are killed.

mod rest;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::capture::stored::{Measure, StoredFile};
use crate::private_files;
use crate::secrets::{Masker, Stream, Surface};
use rest::Rest;

/// A log that is being written.
pub struct StoredLog {
    path: PathBuf,
    file: File,
    measure: Measure,
    rest: Rest,
    stream: Stream,
    /// The last piece ended with `\r`: what follows tells whether the line is written anew.
    is_at_return: bool,
    /// The unfinished line was written anew, and may be again.
    is_rewritten: bool,
    out: Vec<u8>,
}

impl StoredLog {
    /// Makes the file. `masker`: what masks secrets; without one, nothing is masked.
    pub fn create(path: &Path, masker: Option<Masker>) -> io::Result<Self> {
        Ok(Self {
            path: path.to_path_buf(),
            file: private_files::file(path)?,
            measure: Measure::default(),
            rest: Rest::create(path)?,
            stream: Stream::new(masker.map(|masker| (masker, surface_of(path)))),
            is_at_return: false,
            is_rewritten: false,
            out: Vec::new(),
        })
    }

    /// Takes the next bytes. The last line, as far as it has come, may be held back.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
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
        if self.is_at_return || self.is_rewritten {
            return Ok(());
        }
        self.stream.pause(&mut self.out);
        self.write_out()
    }

    /// Writes the rest, and tells what is in the file.
    pub fn finish(mut self) -> io::Result<StoredFile> {
        if self.is_at_return {
            self.push(b"\r");
        }
        self.stream.finish(&mut self.out);
        self.write_out()?;
        self.rest.remove();
        Ok(self.measure.of_file(self.path))
    }

    /// Goes on with the log of an `otrace` that was killed, from what that held back.
    pub fn resume(path: &Path, masker: Option<Masker>) -> io::Result<Self> {
        let held = rest::left_behind(path)?.unwrap_or_default();
        let mut file = private_files::existing(path)?;
        let mut measure = Measure::default();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                length => measure.add(&buffer[..length]),
            }
        }
        let mut log = Self {
            path: path.to_path_buf(),
            file,
            measure,
            rest: Rest::resume(path)?,
            stream: Stream::new(masker.map(|masker| (masker, surface_of(path)))),
            is_at_return: false,
            is_rewritten: false,
            out: Vec::new(),
        };
        log.write(&held)?;
        Ok(log)
    }

    /// Adds to the log of a command whose `otrace` was killed what that held back.
    pub fn complete(path: &Path, masker: Option<Masker>) -> io::Result<()> {
        if rest::left_behind(path)?.is_some() {
            Self::resume(path, masker)?.finish()?;
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
        self.file.write_all(&self.out).inspect_err(|_| self.out.clear())?;
        self.measure.add(&self.out);
        self.out.clear();
        // Without it, a kill at this moment would cost what is held back. The log itself goes on.
        let _ = self.rest.keep(self.measure.size(), self.stream.held(), self.is_at_return);
        Ok(())
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
