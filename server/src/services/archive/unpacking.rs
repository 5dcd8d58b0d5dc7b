//! An archive, read from its first file to its last. Whatever is wrong with it is refused with one sentence.

use std::io::{BufRead, ErrorKind, Read};

use serde::de::DeserializeOwned;

use crate::domain::archive::tar::{self, BLOCK, Entry};
use crate::error::{AppError, Result};

/// The longest line and the longest small file, in bytes: a run has at most 10,000 artifacts and 256 MiB of details.
const LINE_MAX: u64 = 256 * 1024 * 1024;
/// The longest file that is read at once, in bytes.
const JSON_MAX: u64 = 4 * 1024 * 1024;

/// An archive that is being read.
pub(super) struct Unpacker<R> {
    archive: R,
    /// The file that comes next, or is being read.
    entry: Option<Entry>,
    /// How much of it was not read yet, in bytes.
    rest: u64,
}

impl<R: BufRead> Unpacker<R> {
    /// From its first file on.
    pub fn open(archive: R) -> Result<Self> {
        let mut unpacker = Self { archive, entry: None, rest: 0 };
        unpacker.read_header()?;
        Ok(unpacker)
    }

    /// The file that comes next; `None` at the end.
    pub const fn entry(&self) -> Option<&Entry> {
        self.entry.as_ref()
    }

    /// How much of it was not read yet, in bytes.
    pub const fn rest(&self) -> u64 {
        self.rest
    }

    fn read_header(&mut self) -> Result<()> {
        let mut header = [0; BLOCK];
        self.archive.read_exact(&mut header).map_err(of_archive)?;
        self.entry = tar::read(&header)?;
        self.rest = self.entry.as_ref().map_or(0, |entry| entry.size_bytes);
        Ok(())
    }

    /// Goes on to the next file, once this one is read.
    pub fn next(&mut self) -> Result<()> {
        let size_bytes = self.entry.as_ref().map_or(0, |entry| entry.size_bytes);
        if self.rest > 0 {
            return Err(anyhow::anyhow!("a file of an archive was left in its middle").into());
        }
        let mut padding = [0; BLOCK];
        self.archive.read_exact(&mut padding[..tar::padding(size_bytes)]).map_err(of_archive)?;
        self.read_header()
    }

    /// Begins the file of this name, which has to be the next one.
    pub fn expect(&self, name: &str) -> Result<()> {
        match &self.entry {
            Some(entry) if entry.name == name => Ok(()),
            Some(entry) => Err(AppError::invalid(format!(
                "This is no archive of a project: it has {:?}, where {name} should be.",
                entry.name
            ))),
            None => Err(AppError::invalid(format!("The archive ends before {name}."))),
        }
    }

    /// The next bytes of the file, at most `most`; none at its end.
    pub fn piece(&mut self, most: usize) -> Result<Vec<u8>> {
        let length = usize::try_from(self.rest).unwrap_or(usize::MAX).min(most);
        // Not as much at once as a header says: there may be no more of the archive.
        let mut piece = Vec::new();
        let read = Read::by_ref(&mut self.archive).take(length as u64).read_to_end(&mut piece).map_err(of_archive)?;
        if read < length {
            return Err(cut_short());
        }
        self.rest -= length as u64;
        Ok(piece)
    }

    /// The file, which is a small one, as JSON.
    pub fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        if self.rest > JSON_MAX {
            return Err(AppError::invalid("A file of the archive is too large."));
        }
        let text = self.piece(usize::MAX)?;
        read(&text)
    }

    /// The next line of the file, without what ends it; `None` at the file's end.
    pub fn line(&mut self) -> Result<Option<Vec<u8>>> {
        if self.rest == 0 {
            return Ok(None);
        }
        let mut line = Vec::new();
        let room = self.rest.min(LINE_MAX);
        let read = Read::by_ref(&mut self.archive).take(room).read_until(b'\n', &mut line).map_err(of_archive)?;
        self.rest -= read as u64;
        if line.pop() != Some(b'\n') {
            return Err(if (read as u64) < room {
                cut_short()
            } else {
                AppError::invalid("A line of the archive is longer than 256 MiB, or has no end.")
            });
        }
        Ok(Some(line))
    }
}

/// A value from its JSON.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    if has_nul(text) {
        return Err(AppError::invalid("A text in the archive holds NUL, which the database can't keep."));
    }
    serde_json::from_slice(text)
        .map_err(|error| AppError::invalid(format!("A line of the archive can't be read: {error}.")))
}

/// Whether a string in some JSON holds the one character that PostgreSQL can't store.
fn has_nul(json: &[u8]) -> bool {
    let mut from = 0;
    while let Some(found) = memchr::memchr(b'\\', &json[from..]) {
        let at = from + found;
        if json[at + 1..].starts_with(b"u0000") {
            return true;
        }
        // What is escaped may be a backslash itself.
        from = (at + 2).min(json.len());
    }
    false
}

fn of_archive(error: std::io::Error) -> AppError {
    match error.kind() {
        ErrorKind::UnexpectedEof => cut_short(),
        _ => anyhow::Error::new(error).context("reading the archive").into(),
    }
}

fn cut_short() -> AppError {
    AppError::invalid("The archive is cut short.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_found_and_what_only_looks_like_it_is_not() {
        for json in [r#""\u0000""#, r#""a\\\u0000""#, r#"{"\u0000":1}"#] {
            assert!(has_nul(json.as_bytes()), "{json}");
        }
        for json in [r#""\\u0000""#, r#""\u0001""#, "\"\\", "", r#""u0000""#] {
            assert!(!has_nul(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn what_a_header_promises_and_the_archive_has_not_is_cut_short() {
        let header = tar::header("runs.jsonl", 1 << 50, 0).unwrap();
        let archive = [&header[..], b"{}\n{}"].concat();
        let mut unpacker = Unpacker::open(archive.as_slice()).unwrap();
        assert_eq!(unpacker.line().unwrap(), Some(b"{}".to_vec()));
        assert!(unpacker.line().unwrap_err().message().contains("cut short"));
        let mut unpacker = Unpacker::open(archive.as_slice()).unwrap();
        assert!(unpacker.piece(8 * 1024 * 1024).unwrap_err().message().contains("cut short"));
        assert!(Unpacker::open(&archive[..100]).is_err());
    }
}
