//! Files by their content: copied into `.trace/` and hashed in one pass.
//!
//! What is larger than one part ([`PART_BYTES`]) travels in parts: their hashes come of the same pass, so that a
//! file of many gigabytes is read once.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use otrace_wire::Sha256Digest;
use otrace_wire::contents::PART_BYTES;
use sha2::{Digest as _, Sha256};

use crate::private_files;

/// How much of a file is read at a time.
const BUFFER: usize = 1024 * 1024;
/// How many of them are on their way between the two threads that copy and hash a long file.
const BUFFERS: usize = 3;

/// A file of ours whose content is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Where it is.
    pub path: PathBuf,
    /// The SHA-256 of its content.
    pub digest: Sha256Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The hashes of its parts, if it has more than one and they are known.
    pub parts: Vec<Sha256Digest>,
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

    /// How many bytes there were.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What the bytes come to, now that they are in this file.
    pub fn of_file(self, path: PathBuf) -> StoredFile {
        StoredFile { path, digest: digest(self.hash), size: self.size, parts: Vec::new() }
    }
}

/// Hashes the parts of what passes by.
#[derive(Default)]
struct PartsMeasure {
    hash: Sha256,
    /// What has passed of the part.
    length: u64,
    parts: Vec<Sha256Digest>,
}

impl PartsMeasure {
    fn add(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(PART_BYTES - self.length).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at(bytes.len().min(room));
            self.hash.update(now);
            self.length += now.len() as u64;
            if self.length == PART_BYTES {
                self.end_part();
            }
            bytes = rest;
        }
    }

    fn end_part(&mut self) {
        self.parts.push(digest(std::mem::take(&mut self.hash)));
        self.length = 0;
    }

    fn finish(mut self) -> Vec<Sha256Digest> {
        if self.length > 0 {
            self.end_part();
        }
        // What is no longer than a part has none.
        if self.parts.len() > 1 { self.parts } else { Vec::new() }
    }
}

/// Copies a file, and knows the copy: the hash is of the bytes written, so that a file that changes
/// meanwhile can't disagree with it.
pub fn copy(source: &Path, target: PathBuf) -> io::Result<StoredFile> {
    if let Some(folder) = target.parent() {
        private_files::folders(folder)?;
    }
    let mut copy = private_files::file(&target)?;
    pass(File::open(source)?, &mut copy, target)
}

/// Measures a file that is in place already.
pub fn measure(path: PathBuf) -> io::Result<StoredFile> {
    pass(File::open(&path)?, &mut io::sink(), path)
}

/// The hashes of a file's parts, where it was measured without them.
pub fn parts(path: &Path) -> io::Result<Vec<Sha256Digest>> {
    let (mut file, mut buffer, mut parts) = (File::open(path)?, vec![0; BUFFER], PartsMeasure::default());
    loop {
        let length = read(&mut file, &mut buffer)?;
        if length == 0 {
            return Ok(parts.finish());
        }
        parts.add(&buffer[..length]);
    }
}

fn pass(mut from: impl Read, to: &mut impl Write, path: PathBuf) -> io::Result<StoredFile> {
    let (mut buffer, mut measure) = (vec![0; BUFFER], Measure::default());
    while measure.size < PART_BYTES {
        let room = usize::try_from(PART_BYTES - measure.size).unwrap_or(usize::MAX).min(BUFFER);
        let length = read(&mut from, &mut buffer[..room])?;
        if length == 0 {
            return Ok(measure.of_file(path));
        }
        measure.add(&buffer[..length]);
        to.write_all(&buffer[..length])?;
    }
    // So far, the whole is its first part.
    let parts = PartsMeasure { parts: vec![digest(measure.hash.clone())], ..PartsMeasure::default() };
    let (measure, parts) = pass_on(from, to, measure, parts)?;
    Ok(StoredFile { parts: parts.finish(), ..measure.of_file(path) })
}

/// The rest of a long file: the whole is hashed beside the thread that reads, writes and hashes the parts.
fn pass_on(
    mut from: impl Read,
    to: &mut impl Write,
    mut measure: Measure,
    mut parts: PartsMeasure,
) -> io::Result<(Measure, PartsMeasure)> {
    let broken_off = || io::Error::other("the hash of a file broke off");
    thread::scope(|scope| {
        let (full, filled) = mpsc::channel::<(Vec<u8>, usize)>();
        let (empty, emptied) = mpsc::channel();
        for _ in 0..BUFFERS {
            empty.send(vec![0; BUFFER]).map_err(|_| broken_off())?;
        }
        let hasher = scope.spawn(move || {
            for (buffer, length) in filled {
                measure.add(&buffer[..length]);
                // Nobody takes it back once all has been read.
                let _ = empty.send(buffer);
            }
            measure
        });
        loop {
            let mut buffer = emptied.recv().map_err(|_| broken_off())?;
            let length = read(&mut from, &mut buffer)?;
            if length == 0 {
                break;
            }
            to.write_all(&buffer[..length])?;
            parts.add(&buffer[..length]);
            full.send((buffer, length)).map_err(|_| broken_off())?;
        }
        drop(full);
        let measure = hasher.join().map_err(|_| broken_off())?;
        Ok((measure, parts))
    })
}

fn read(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn digest(hash: Sha256) -> Sha256Digest {
    Sha256Digest::new(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn sha256(bytes: &[u8]) -> Sha256Digest {
        digest(Sha256::new_with_prefix(bytes))
    }

    #[test]
    fn a_copy_has_the_bytes_and_their_hash() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("source");
        let bytes = b"abc".repeat(1_000_000);
        fs::write(&source, &bytes).expect("written");
        let stored = copy(&source, folder.path().join("deep/er/copy")).expect("copied");
        assert_eq!(fs::read(&stored.path).expect("read"), bytes);
        assert_eq!((stored.size, stored.parts.len()), (3_000_000, 0));
        assert_eq!(measure(source).expect("measured").digest, stored.digest);
    }

    #[test]
    fn a_long_file_has_parts_and_their_hashes() {
        let folder = tempfile::tempdir().expect("a folder");
        let part = usize::try_from(PART_BYTES).expect("it fits");
        let bytes: Vec<u8> = (0..=2 * part).map(|n| u8::try_from(n % 251).expect("a byte")).collect();
        for length in [0, 1, part - 1, part, part + 1, 2 * part, 2 * part + 1] {
            let (source, bytes) = (folder.path().join("source"), &bytes[..length]);
            fs::write(&source, bytes).expect("written");
            let stored = copy(&source, folder.path().join("copy")).expect("copied");
            assert!(fs::read(&stored.path).expect("read") == bytes, "{length}");
            assert_eq!((stored.digest, stored.size), (sha256(bytes), length as u64));
            let expected: Vec<_> = if length > part { bytes.chunks(part).map(sha256).collect() } else { Vec::new() };
            assert_eq!(stored.parts, expected, "{length}");
            assert_eq!(parts(&source).expect("read"), expected, "{length}");
        }
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
