//! A file that is being downloaded: it lies beside the one that it becomes, and is what a broken download goes on with.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::libc::O_NOFOLLOW;
use otrace_wire::Sha256Digest;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// How much of what is there already is read at a time.
const BUFFER: usize = 1024 * 1024;

/// What there is of a content. It is locked: no other `otrace` writes to it.
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    hash: Sha256,
    /// How much of it is there.
    have: u64,
}

impl Partial {
    /// Opens what an earlier download has left, or begins anew. No link is followed. Its name holds some of the
    /// hash, so that nothing goes on with the beginning of something else.
    pub(super) fn open(target: &Path, digest: &Sha256Digest) -> Result<Self> {
        let mut name = target.file_name().map(OsString::from).unwrap_or_default();
        name.push(format!(".{}.part", &digest.hex()[..8]));
        let path = target.with_file_name(name);
        let failed = |error: std::io::Error| Error::file("write", &path, &error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(O_NOFOLLOW)
            .open(&path)
            .map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(Error::new(format!("{} is not a file", path.display())).with_hint("Move it away."));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(format!("{} is being downloaded by another otrace", target.display())));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut partial = Self { file, path: path.clone(), hash: Sha256::new(), have: 0 };
        partial.read_on().map_err(failed)?;
        Ok(partial)
    }

    /// How much of it is there.
    pub(super) fn have(&self) -> u64 {
        self.have
    }

    /// The hash of what is there.
    pub(super) fn digest(&self) -> Sha256Digest {
        Sha256Digest::new(self.hash.clone().finalize().into())
    }

    /// Adds what comes next.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::file("write", &self.path, &error))?;
        self.hash.update(bytes);
        self.have += bytes.len() as u64;
        Ok(())
    }

    /// Begins anew.
    pub(super) fn restart(&mut self) -> Result<()> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(|error| Error::file("write", &self.path, &error))?;
        self.hash = Sha256::new();
        self.have = 0;
        Ok(())
    }

    /// Makes it the file that it was downloaded for. A link there is replaced, and not followed.
    pub(super) fn finish(self, target: &Path) -> Result<()> {
        fs::rename(&self.path, target).map_err(|error| Error::file("write", target, &error))
    }

    /// Removes it.
    pub(super) fn discard(self) {
        let _ = fs::remove_file(&self.path);
    }

    fn read_on(&mut self) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = self.file.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            self.hash.update(&buffer[..length]);
            self.have += length as u64;
        }
    }
}
