//! Writing a content while it is hashed.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use otrace_wire::Sha256Digest;
use sha2::{Digest, Sha256};

use super::{Blobs, key};
use crate::domain::ProjectId;
use crate::error::{AppError, Result};

/// A part of a large content, in bytes; smaller contents are written at once. S3 wants at least 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;

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
        let mut part = BytesMut::new();
        let mut upload: Option<Box<dyn MultipartUpload>> = None;
        let written: Result<()> = async {
            while let Some(chunk) = content.next().await {
                let chunk = chunk?;
                hasher.update(&chunk);
                part.extend_from_slice(&chunk);
                if part.len() >= PART_BYTES {
                    let upload = match &mut upload {
                        Some(upload) => upload,
                        none => none.insert(self.store.put_multipart(&location).await?),
                    };
                    upload.put_part(PutPayload::from(part.split().freeze())).await?;
                }
            }
            hasher.check(expected)?;
            let rest = PutPayload::from(part.split().freeze());
            match &mut upload {
                None => {
                    self.store.put(&location, rest).await?;
                }
                Some(upload) => {
                    if rest.content_length() > 0 {
                        upload.put_part(rest).await?;
                    }
                    upload.complete().await?;
                }
            }
            Ok(())
        }
        .await;
        if written.is_err()
            && let Some(mut upload) = upload
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(%error, "could not remove an unfinished upload");
        }
        written.map(|()| hasher.size_bytes)
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
