//! Contents that clients have put into the bucket themselves.

use futures_util::TryStreamExt;
use otrace_wire::contents::{Lacking, LackingContent, OfferedContent, PART_BYTES};

use super::size_of;
use crate::app::AppState;
use crate::blobs::{Hasher, Unnamed, beside};
use crate::domain::ProjectId;
use crate::domain::blob::{Blob, Extent, Place};
use crate::error::Result;
use crate::store;

/// Stores those that have arrived as they were announced; the others are to be sent through the server.
pub async fn arrived(app: &AppState, project_id: ProjectId, announced: Vec<OfferedContent>) -> Result<Lacking> {
    let mut lacking = Vec::new();
    for content in announced {
        if size_of(app, project_id, content.hash).await?.is_none() && !take(app, project_id, content).await? {
            lacking.push(LackingContent { hash: content.hash, put_to: None });
        }
    }
    Ok(Lacking { lacking })
}

async fn take(app: &AppState, project_id: ProjectId, announced: OfferedContent) -> Result<bool> {
    let OfferedContent { hash, size_bytes } = announced;
    let mut unnamed = Unnamed::new(&app.blobs, project_id);
    if size_bytes > PART_BYTES {
        return Ok(false);
    }
    let Some(object) = app.blobs.take_incoming(project_id, &hash, &mut unnamed).await? else { return Ok(false) };
    let extent = Extent { object, start: 0, frames: None };
    let blob = Blob { sha256: hash, size_bytes, place: Place::Object(extent.clone()) };
    // One byte more tells whether there is more.
    let mut bytes = app.blobs.read(project_id, &blob, 0..size_bytes + 1).await?;
    let mut chunks = Vec::new();
    while let Some(chunk) = bytes.try_next().await? {
        chunks.push(chunk);
    }
    let found = beside(move || {
        let mut hasher = Hasher::default();
        for chunk in &chunks {
            hasher.update(chunk);
        }
        hasher.finish()
    });
    let is_right = found.await?.digest == hash;
    if is_right {
        let written = [(hash, size_bytes, extent)];
        let mut connection = app.pool.acquire().await?;
        let inserted = store::blobs::insert_many(&mut connection, project_id, &written, app.clock.now()).await?;
        unnamed.keep(if inserted.is_empty() { &[] } else { std::slice::from_ref(&object) });
    }
    app.blobs.remove_incoming(project_id, &hash).await;
    Ok(is_right)
}
