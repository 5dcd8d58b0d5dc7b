//! Where the keys come from: a file that is looked at again while the server runs, or memory.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use time::{Duration, OffsetDateTime};

use super::key_file::{self, Version};
use super::keys::{KeyRing, generate};

/// How old what we know of the file may be. Much less than a new key waits until it signs.
const LOOK_EVERY: Duration = Duration::seconds(5);

/// The keys as they are now.
#[derive(Debug)]
pub struct KeySource {
    keys: Mutex<Keys>,
}

#[derive(Debug)]
struct Keys {
    ring: Arc<KeyRing>,
    /// `None`: they live in memory only.
    file: Option<SharedFile>,
}

#[derive(Debug)]
struct SharedFile {
    path: PathBuf,
    version: Version,
    looked_at: OffsetDateTime,
    /// What is wrong with the file and stands in the log already.
    complaint: Option<String>,
}

impl KeySource {
    /// The keys of this file, which is made where there is none.
    pub fn open(path: &Path, now: OffsetDateTime) -> anyhow::Result<Self> {
        let mut found = key_file::read(path)?;
        if found.is_none() {
            key_file::create(path, now)?;
            found = key_file::read(path)?;
        }
        let (ring, version) = found.with_context(|| format!("{} was deleted as soon as made", path.display()))?;
        let file = SharedFile { path: path.to_owned(), version, looked_at: now, complaint: None };
        Ok(Self { keys: Mutex::new(Keys { ring: Arc::new(ring), file: Some(file) }) })
    }

    /// One new key that is written nowhere.
    pub fn in_memory(now: OffsetDateTime) -> anyhow::Result<Self> {
        let (_, line) = generate(now)?;
        Ok(Self { keys: Mutex::new(Keys { ring: Arc::new(KeyRing::parse(&line)?), file: None }) })
    }

    /// The keys as they are now, or were a few seconds ago.
    ///
    /// A file that has gone bad changes nothing: the keys that are known go on.
    pub fn current(&self, now: OffsetDateTime) -> Arc<KeyRing> {
        // Others wait for the look, which takes microseconds: one who went on with the keys of before
        // could refuse what another server signs with the new one.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut keys.file
            && (now - file.looked_at).abs() >= LOOK_EVERY
        {
            file.looked_at = now;
            if let Some(ring) = file.look() {
                keys.ring = Arc::new(ring);
            }
        }
        Arc::clone(&keys.ring)
    }
}

impl SharedFile {
    /// The keys, if they have changed since the last look and are good.
    fn look(&mut self) -> Option<KeyRing> {
        match self.read_if_changed() {
            Ok(changed) => {
                self.complaint = None;
                let (ring, version) = changed?;
                self.version = version;
                tracing::info!(file = %self.path.display(), "the signing keys have changed");
                Some(ring)
            }
            Err(error) => {
                let complaint = format!("{error:#}");
                if self.complaint.as_ref() != Some(&complaint) {
                    tracing::error!(error = complaint, "going on with the signing keys of before");
                    self.complaint = Some(complaint);
                }
                None
            }
        }
    }

    fn read_if_changed(&self) -> anyhow::Result<Option<(KeyRing, Version)>> {
        if key_file::version(&self.path)? == self.version {
            return Ok(None);
        }
        key_file::read(&self.path)
    }
}
