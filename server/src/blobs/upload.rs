//! Writing a content while it is hashed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use otrace_wire::Sha256Digest;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::{Blobs, key};
use crate::domain::ProjectId;
use crate::error::{AppError, Result};

/// A part of a large content, in bytes; smaller contents are written at once. S3 wants at least 5 MiB, and some that
/// speak its language want all parts but the last to be equally long.
pub(super) const PART_BYTES: usize = 8 * 1024 * 1024;

/// What a content turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// Its SHA-256.
    pub digest: Sha256Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
}

impl Blobs {
    /// Writes a content and returns its size once it is durable. A content whose hash is not
    /// `expected` leaves nothing behind.
    pub async fn write(
        &self,
        project_id: ProjectId,
        expected: &Sha256Digest,
        content: impl Stream<Item = Result<Bytes>> + Send,
    ) -> Result<u64> {
        let mut content = std::pin::pin!(content);
        let location = key::of(project_id, expected);
        let mut hasher = Hasher::default();
        let mut rest = BytesMut::new();
        let mut parts = Parts::default();
        let written: Result<()> = async {
            while let Some(chunk) = content.next().await {
                let chunk = chunk?;
                hasher.update(&chunk);
                rest.extend_from_slice(&chunk);
                while rest.len() >= PART_BYTES {
                    let part = rest.split_to(PART_BYTES).freeze();
                    parts.begun(&self.writes, &location).await?.put_part(PutPayload::from(part)).await?;
                }
            }
            hasher.check(expected)?;
            let rest = PutPayload::from(rest.split().freeze());
            match &mut parts.0 {
                None => {
                    self.writes.put(&location, rest).await?;
                }
                Some(upload) => {
                    if rest.content_length() > 0 {
                        upload.put_part(rest).await?;
                    }
                    upload.complete().await?;
                    parts.0 = None;
                }
            }
            Ok(())
        }
        .await;
        if let Some(upload) = parts.0.take() {
            abort(upload).await;
        }
        written.map(|()| hasher.size_bytes)
    }
}

/// A large content's upload, from its first part until it is complete. Nothing but completing it keeps it.
#[derive(Debug, Default)]
struct Parts(Option<Box<dyn MultipartUpload>>);

impl Parts {
    async fn begun(&mut self, store: &Arc<dyn ObjectStore>, location: &Path) -> Result<&mut Box<dyn MultipartUpload>> {
        match &mut self.0 {
            Some(upload) => Ok(upload),
            none => Ok(none.insert(store.put_multipart(location).await?)),
        }
    }
}

impl Drop for Parts {
    /// The client went away, and with it whoever would have waited here: a bucket keeps the parts until it is told.
    fn drop(&mut self) {
        if let Some(upload) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(abort(upload));
        }
    }
}

async fn abort(mut upload: Box<dyn MultipartUpload>) {
    if let Err(error) = upload.abort().await {
        tracing::warn!(%error, "could not remove an unfinished upload");
    }
}

/// Reads a content to its end without storing it: what it is, and that it is what was announced.
pub async fn hash(content: impl Stream<Item = Result<Bytes>> + Send) -> Result<Hashed> {
    let mut content = std::pin::pin!(content);
    let mut hasher = Hasher::default();
    while let Some(chunk) = content.next().await {
        hasher.update(&chunk?);
    }
    Ok(Hashed { digest: hasher.digest(), size_bytes: hasher.size_bytes })
}

#[derive(Default)]
struct Hasher {
    sha256: Sha256,
    size_bytes: u64,
}

impl Hasher {
    fn update(&mut self, chunk: &[u8]) {
        self.sha256.update(chunk);
        self.size_bytes += chunk.len() as u64;
    }

    fn digest(&self) -> Sha256Digest {
        Sha256Digest::new(self.sha256.clone().finalize().into())
    }

    fn check(&self, expected: &Sha256Digest) -> Result<()> {
        let found = self.digest();
        if found == *expected {
            return Ok(());
        }
        Err(AppError::invalid(format!("The content's hash is {found}, not {expected}. Send it again.")))
    }
}
