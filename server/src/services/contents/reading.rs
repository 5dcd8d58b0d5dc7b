//! Contents, from the objects that they lie in.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use otrace_wire::Sha256Digest;
use otrace_wire::contents::PART_BYTES;

use crate::app::AppState;
use crate::blobs::ByteStream;
use crate::domain::ProjectId;
use crate::domain::blob::{Blob, Place};
use crate::error::{AppError, Result};
use crate::store;

/// So many parts are looked up at once: some 100 MB, while they are read one by one.
const PARTS_AT_ONCE: i64 = 16;

/// A content from its start to its end, or what there is of it in `range`.
pub async fn read(
    app: &AppState,
    project_id: ProjectId,
    digest: &Sha256Digest,
    range: Option<Range<u64>>,
) -> Result<ByteStream> {
    let found = store::blobs::find(&mut *app.pool.acquire().await?, project_id, digest).await?;
    let blob = found.ok_or(AppError::NotFound("Content"))?;
    let range = range.unwrap_or(0..blob.size_bytes);
    let range = range.start.min(blob.size_bytes)..range.end.min(blob.size_bytes);
    if blob.place != Place::Parts || range.is_empty() {
        return app.blobs.read(project_id, &blob, range).await;
    }
    let mut parts = parts(app, project_id, &blob, range).boxed();
    // A content that is not there is told at once, not in the middle of an answer.
    let Some(first) = parts.try_next().await? else { return Ok(parts) };
    Ok(stream::iter([Ok(first)]).chain(parts).boxed())
}

/// The part of a content in `range`, which the caller keeps small.
pub async fn read_part(
    app: &AppState,
    project_id: ProjectId,
    digest: &Sha256Digest,
    range: Range<u64>,
) -> Result<Vec<u8>> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let mut content = read(app, project_id, digest, Some(range)).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = content.try_next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The bytes of a content that is made of parts.
fn parts(
    app: &AppState,
    project_id: ProjectId,
    blob: &Blob,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes>> + Send + use<> {
    let app = app.clone();
    let first = range.start / PART_BYTES;
    let groups = {
        let (app, digest, end) = (app.clone(), blob.sha256, range.end);
        stream::try_unfold(first, move |position| {
            let app = app.clone();
            async move {
                if position * PART_BYTES >= end {
                    return Ok(None);
                }
                let from = i32::try_from(position).map_err(anyhow::Error::new)?;
                let mut connection = app.pool.acquire().await?;
                let parts = store::blobs::parts(&mut connection, project_id, &digest, from, PARTS_AT_ONCE).await?;
                if parts.is_empty() {
                    return Err(AppError::from(anyhow::anyhow!("{digest} has too few parts")));
                }
                let next = position + parts.len() as u64;
                Ok(Some((stream::iter((position..).zip(parts).map(Ok::<_, AppError>)), next)))
            }
        })
    };
    groups
        .try_flatten()
        .and_then(move |(position, part)| {
            let (app, range) = (app.clone(), range.clone());
            async move {
                let begins = position * PART_BYTES;
                let wanted = range.start.saturating_sub(begins)..range.end.saturating_sub(begins).min(part.size_bytes);
                let wanted = wanted.start.min(wanted.end)..wanted.end;
                app.blobs.read(project_id, &part, wanted).await
            }
        })
        .try_flatten()
}
