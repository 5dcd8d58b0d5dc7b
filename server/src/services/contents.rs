//! Contents: bytes first, row second.

use bytes::Bytes;
use futures_util::Stream;
use otrace_wire::{Sha256Digest, StoredContent};

use crate::app::AppState;
use crate::blobs::{self, Content};
use crate::domain::ProjectId;
use crate::error::{AppError, Result};
use crate::store;

/// Stores a content that a client streams, if its hash is what the client announced.
///
/// A content that the project holds already is read to its end and compared, not written again.
pub async fn receive(
    app: &AppState,
    project_id: ProjectId,
    announced: Sha256Digest,
    content: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<StoredContent> {
    if let Some(size_bytes) = size_of(app, project_id, announced).await? {
        let found = blobs::hash(content).await?;
        if found.digest != announced {
            return Err(AppError::invalid(format!(
                "The content's hash is {}, not {announced}. Send it again.",
                found.digest
            )));
        }
        return Ok(StoredContent { hash: announced, size_bytes: size_bytes.cast_unsigned() });
    }
    let size_bytes = app.blobs.write(project_id, &announced, content).await?;
    remember(app, project_id, announced, size_bytes).await?;
    Ok(StoredContent { hash: announced, size_bytes })
}

/// Stores a content that came inline, and says what it is.
pub async fn keep(app: &AppState, project_id: ProjectId, content: &Content) -> Result<StoredContent> {
    let found = blobs::hash(content.stream()).await?;
    if size_of(app, project_id, found.digest).await?.is_none() {
        app.blobs.write(project_id, &found.digest, content.stream()).await?;
        remember(app, project_id, found.digest, found.size_bytes).await?;
    }
    Ok(StoredContent { hash: found.digest, size_bytes: found.size_bytes })
}

async fn size_of(app: &AppState, project_id: ProjectId, digest: Sha256Digest) -> Result<Option<i64>> {
    let found = store::blobs::find_many(&mut *app.pool.acquire().await?, project_id, &[digest]).await?;
    Ok(found.first().map(|(_, size_bytes)| *size_bytes))
}

async fn remember(app: &AppState, project_id: ProjectId, digest: Sha256Digest, size_bytes: u64) -> Result<()> {
    let now = app.clock.now();
    let size_bytes = size_bytes.cast_signed();
    store::blobs::insert(&mut *app.pool.acquire().await?, project_id, &digest, size_bytes, now).await?;
    Ok(())
}
