//! Files by their content: copied into `.trace/` and hashed in one pass.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use otrace_wire::Sha256Digest;
use sha2::{Digest as _, Sha256};

use crate::private_files;

/// How much of a file is in memory at a time.
const BUFFER: usize = 1024 * 1024;

/// A file of ours whose content is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Where it is.
    pub path: PathBuf,
    /// The SHA-256 of its content.
    pub digest: Sha256Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl StoredFile {
    /// Its size as the wire writes it.
    pub fn wire_size(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX)
    }
}

/// Counts and hashes the bytes that pass by.
#[derive(Default)]
pub struct Measure {
    hash: Sha256,
    size: u64,
}

impl Measure {
    /// Takes the next bytes into account.
    pub fn add(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// What the bytes come to, now that they are in this file.
    pub fn of_file(self, path: PathBuf) -> StoredFile {
        StoredFile { path, digest: Sha256Digest::new(self.hash.finalize().into()), size: self.size }
    }
}

/// Copies a file, and knows the copy: the hash is of the bytes written, so that a file that changes
/// meanwhile can't disagree with it.
pub fn copy(source: &Path, target: PathBuf) -> io::Result<StoredFile> {
    if let Some(folder) = target.parent() {
        private_files::folders(folder)?;
    }
    let mut copy = private_files::file(&target)?;
    let measure = pass(File::open(source)?, &mut copy)?;
    Ok(measure.of_file(target))
}

/// Measures a file that is in place already.
pub fn measure(path: PathBuf) -> io::Result<StoredFile> {
    let measure = pass(File::open(&path)?, &mut io::sink())?;
    Ok(measure.of_file(path))
}

fn pass(mut from: impl Read, to: &mut impl Write) -> io::Result<Measure> {
    let mut buffer = vec![0; BUFFER];
    let mut measure = Measure::default();
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(measure),
            Ok(length) => {
                measure.add(&buffer[..length]);
                to.write_all(&buffer[..length])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_copy_has_the_bytes_and_their_hash() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("source");
        let bytes = b"abc".repeat(1_000_000);
        fs::write(&source, &bytes).expect("written");
        let stored = copy(&source, folder.path().join("deep/er/copy")).expect("copied");
        assert_eq!(fs::read(&stored.path).expect("read"), bytes);
        assert_eq!(stored.size, 3_000_000);
        assert_eq!(measure(source).expect("measured").digest, stored.digest);
    }

    #[test]
    fn the_hash_is_sha_256() {
        let mut measure = Measure::default();
        measure.add(b"abc");
        assert_eq!(
            measure.of_file("x".into()).digest.hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
