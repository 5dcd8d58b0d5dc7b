//! Writing objects: compressed where that helps, and durable when the answer comes.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use metrics::counter;
use object_store::{ObjectStoreExt, PutPayload};
use otrace_wire::Sha256Digest;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{Blobs, frames, key};
use crate::domain::ProjectId;
use crate::domain::blob::Extent;
use crate::error::{AppError, Result};

/// What is shorter is hashed and compressed where the request is handled, in bytes: it takes less time than going
/// elsewhere with it.
const SHORT: usize = 32 * 1024;

/// Of what is longer, in bytes, a whole piece is expected.
const LONG: usize = 1024 * 1024;

/// What a content turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// Its SHA-256.
    pub digest: Sha256Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// Objects that no row names yet. Dropped, they are removed again, as far as the store can be reached.
#[derive(Debug)]
pub struct Unnamed {
    blobs: Blobs,
    project_id: ProjectId,
    objects: Vec<Uuid>,
}

impl Unnamed {
    /// None so far.
    pub fn new(blobs: &Blobs, project_id: ProjectId) -> Self {
        Self { blobs: blobs.clone(), project_id, objects: Vec::new() }
    }

    /// Writes a content as an object of its own. It is durable when this returns.
    pub async fn write(&mut self, content: Bytes) -> Result<Extent> {
        let mut extents = self.write_together(vec![content]).await?;
        extents.pop().ok_or_else(|| anyhow::anyhow!("an object for one content has none").into())
    }

    /// Writes contents as one object, in which each can be read alone.
    pub async fn write_together(&mut self, contents: Vec<Bytes>) -> Result<Vec<Extent>> {
        let object = Uuid::now_v7();
        let is_short = contents.iter().map(Bytes::len).sum::<usize>() < SHORT;
        let (bytes, extents) =
            if is_short { pack(object, contents) } else { beside(move || pack(object, contents)).await? };
        self.objects.push(object);
        let length: u64 = bytes.iter().map(|bytes| bytes.len() as u64).sum();
        self.blobs.writes.put(&key::of_object(self.project_id, object), PutPayload::from_iter(bytes)).await?;
        counter!("otrace_blobs_written_bytes_total").increment(length);
        Ok(extents)
    }

    /// Lets all of them stay: rows name them, or are about to.
    pub fn keep(mut self) {
        self.objects.clear();
    }

    /// Takes an object that was copied to where objects lie.
    pub fn adopt(&mut self, object: Uuid) {
        self.objects.push(object);
    }

    /// Has rows name these objects, and removes those that none came to name. That goes on when the caller goes away,
    /// and where its outcome is not known, all of them stay: a row may name them.
    pub async fn named_by(mut self, naming: impl Future<Output = Result<Vec<Uuid>>> + Send + 'static) -> Result<()> {
        let mut objects = std::mem::take(&mut self.objects);
        let done = tokio::spawn(async move {
            let named = naming.await?;
            objects.retain(|object| !named.contains(object));
            self.objects = objects;
            drop(self);
            Ok(())
        });
        done.await.map_err(|error| AppError::Internal(anyhow::Error::new(error)))?
    }
}

impl Drop for Unnamed {
    /// The client went away, and with it whoever would have waited here; or another one was faster.
    fn drop(&mut self) {
        let (blobs, project_id, objects) = (self.blobs.clone(), self.project_id, std::mem::take(&mut self.objects));
        if let Ok(runtime) = Handle::try_current()
            && !objects.is_empty()
        {
            runtime.spawn(async move {
                for object in objects {
                    match blobs.writes.delete(&key::of_object(project_id, object)).await {
                        // Writing it may be what failed.
                        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                        Err(error) => tracing::warn!(%error, %object, "could not remove an object that nothing needs"),
                    }
                }
            });
        }
    }
}

/// The bytes of an object of these contents, and where in it each is.
fn pack(object: Uuid, contents: Vec<Bytes>) -> (Vec<Bytes>, Vec<Extent>) {
    let (mut bytes, mut extents, mut start) = (Vec::new(), Vec::new(), 0);
    for content in contents {
        let (stored, frames) = match frames::compress(&content) {
            Some(compressed) => (Bytes::from(compressed.bytes), Some(compressed.ends)),
            None => (content, None),
        };
        extents.push(Extent { object, start, frames });
        start += stored.len() as u64;
        bytes.push(stored);
    }
    (bytes, extents)
}

/// A stream in pieces of one length; the last may be shorter.
pub struct Pieces<S> {
    content: S,
    length: usize,
    /// What has arrived and belongs into the next piece.
    rest: Bytes,
}

impl<S: Stream<Item = Result<Bytes>> + Unpin> Pieces<S> {
    /// Pieces of `length` bytes.
    pub const fn of(content: S, length: usize) -> Self {
        Self { content, length, rest: Bytes::new() }
    }

    /// The next piece; nothing at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut piece = BytesMut::new();
        loop {
            let room = self.length - piece.len();
            let taken = self.rest.split_to(room.min(self.rest.len()));
            if piece.capacity() < self.length && piece.len() + taken.len() > LONG {
                // Once, rather than by doubling, which leaves its former halves behind.
                piece.reserve(self.length - piece.len());
            }
            piece.extend_from_slice(&taken);
            if piece.len() == self.length {
                return Ok(Some(piece.freeze()));
            }
            match self.content.next().await {
                Some(chunk) => self.rest = chunk?,
                None => return Ok((!piece.is_empty()).then(|| piece.freeze())),
            }
        }
    }
}

/// Reads a content to its end without storing it: what it is.
pub async fn hash(content: impl Stream<Item = Result<Bytes>> + Send) -> Result<Hashed> {
    let mut content = std::pin::pin!(content);
    let mut hasher = Hasher::default();
    while let Some(chunk) = content.next().await {
        hasher.update(&chunk?);
    }
    Ok(hasher.finish())
}

/// Does what takes a processor's time where no request waits behind it.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(|error| AppError::Internal(anyhow::Error::new(error)))
}

/// Hashes and counts what passes by.
#[derive(Clone, Default)]
pub struct Hasher {
    sha256: Sha256,
    size_bytes: u64,
}

impl Hasher {
    /// Takes the next bytes into account.
    pub fn update(&mut self, chunk: &[u8]) {
        self.sha256.update(chunk);
        self.size_bytes += chunk.len() as u64;
    }

    /// What it was.
    pub fn finish(self) -> Hashed {
        Hashed { digest: Sha256Digest::new(self.sha256.finalize().into()), size_bytes: self.size_bytes }
    }

    /// The hash of these bytes alone.
    pub fn digest_of(bytes: &[u8]) -> Sha256Digest {
        Sha256Digest::new(Sha256::digest(bytes).into())
    }
}
