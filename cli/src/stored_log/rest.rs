//! What is held back of a log, on disk: beside the log, as `LOG.rest`.
//!
//! It says at which length of the log it belongs, so that one that is older than the log is not taken for its end.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::private_files;

/// The log's length, and how much is held: two numbers of eight bytes.
const HEAD: usize = 16;

/// The file, while the log is written.
pub(super) struct Rest {
    path: PathBuf,
    /// Made when something is held back for the first time: most logs are of whole lines.
    file: Option<File>,
    is_empty: bool,
    buffer: Vec<u8>,
}

impl Rest {
    /// Of a new log. One of an older log is removed.
    pub(super) fn create(log: &Path) -> io::Result<Self> {
        let path = beside(log);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(Self { path, file: None, is_empty: true, buffer: Vec::new() }),
        }
    }

    /// Of a log that somebody else began.
    pub(super) fn resume(log: &Path) -> io::Result<Self> {
        let path = beside(log);
        let file = if path.exists() { Some(private_files::existing(&path)?) } else { None };
        Ok(Self { path, is_empty: file.is_none(), file, buffer: Vec::new() })
    }

    /// Keeps what is held back, now that the log has this length.
    pub(super) fn keep(&mut self, log_length: u64, held: &[u8], with_return: bool) -> io::Result<()> {
        let length = held.len() + usize::from(with_return);
        if length == 0 && self.is_empty {
            return Ok(());
        }
        self.buffer.clear();
        self.buffer.extend_from_slice(&log_length.to_le_bytes());
        self.buffer.extend_from_slice(&(length as u64).to_le_bytes());
        self.buffer.extend_from_slice(held);
        if with_return {
            self.buffer.push(b'\r');
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(private_files::file(&self.path)?),
        };
        // In one call, so that killing us does not leave half of it.
        file.write_all_at(&self.buffer, 0)?;
        self.is_empty = length == 0;
        Ok(())
    }

    /// Nothing is held back any more.
    pub(super) fn remove(self) {
        if self.file.is_some() {
            // A file that says so does no harm either.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What was held back of a log when whoever wrote it was killed; nothing, if all of it is in the log.
pub(super) fn left_behind(log: &Path) -> io::Result<Option<Vec<u8>>> {
    let kept = match fs::read(beside(log)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        kept => kept?,
    };
    let Some((numbers, bytes)) = kept.split_at_checked(HEAD) else { return Ok(None) };
    let (at, length) = numbers.split_at(HEAD / 2);
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
    let held = usize::try_from(number(length)).ok().and_then(|length| bytes.get(..length));
    let is_its_end = number(at) == log.metadata()?.len();
    Ok(held.filter(|held| is_its_end && !held.is_empty()).map(<[u8]>::to_vec))
}

fn beside(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".rest");
    name.into()
}
