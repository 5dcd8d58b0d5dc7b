//! Reading all of a backup again.

use std::pin::pin;

use futures_util::TryStreamExt;
use otrace_wire::Sha256Digest;
use serde::Serialize;

use super::manifest::{Objects, overview};
use super::objects::AT_ONCE;
use crate::blobs::{self, Blobs};
use crate::domain::backup;
use crate::error::{AppError, Result};

/// So many damaged objects are named.
const NAMED_MAX: usize = 100;

/// A backup that was read.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// How many tables were read.
    pub tables: u64,
    /// How many objects with contents were read.
    pub objects: u64,
    /// How many bytes those have.
    pub bytes: u64,
    /// How much of it is missing or not what the manifest says.
    pub damaged: u64,
    /// Where the first of that is.
    pub damaged_keys: Vec<String>,
}

/// Reads everything that a backup names, and holds it to its hash.
pub async fn verify(target: &Blobs, name: &str) -> Result<Verified> {
    let found = overview(target, name).await?;
    let mut verified = Verified {
        tables: found.end.tables,
        objects: found.end.objects,
        bytes: found.end.bytes,
        damaged: 0,
        damaged_keys: Vec::new(),
    };
    for dump in &found.tables {
        if !holds(target, &dump.key, dump.size_bytes, &dump.sha256).await? {
            verified.note(dump.key.clone());
        }
    }
    let objects = Objects::open(target, name).await?.into_stream();
    let checked = objects.map_ok(|object| async move {
        let key = backup::kept_key(&object.key);
        let is_right = holds(target, &key, object.size_bytes, &object.sha256).await?;
        Ok::<_, AppError>((!is_right).then_some(key))
    });
    let mut checked = pin!(checked.try_buffered(AT_ONCE));
    while let Some(damaged) = checked.try_next().await? {
        if let Some(key) = damaged {
            verified.note(key);
        }
    }
    Ok(verified)
}

impl Verified {
    fn note(&mut self, key: String) {
        self.damaged += 1;
        if self.damaged_keys.len() < NAMED_MAX {
            self.damaged_keys.push(key);
        }
    }
}

/// Whether a store has an object of this size and hash.
pub(super) async fn holds(store: &Blobs, key: &str, size_bytes: u64, sha256: &Sha256Digest) -> Result<bool> {
    let Some((size, bytes)) = store.object(key).await? else { return Ok(false) };
    if size != size_bytes {
        return Ok(false);
    }
    let found = blobs::hash(bytes).await?;
    Ok(found.digest == *sha256 && found.size_bytes == size_bytes)
}
