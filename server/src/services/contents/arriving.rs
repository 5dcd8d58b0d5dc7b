//! Contents that clients have put into the bucket themselves.

use futures_util::{StreamExt, TryStreamExt, stream};
use otrace_wire::contents::{Lacking, LackingContent, OfferedContent, PART_BYTES};

use super::hold;
use super::receiving::name_all;
use crate::app::AppState;
use crate::blobs::{Hasher, Unnamed, beside};
use crate::domain::ProjectId;
use crate::domain::blob::{Blob, Extent, Place};
use crate::error::{AppError, Result};

/// So many are copied and checked at once.
const AT_ONCE: usize = 4;

/// Stores those that have arrived as they were announced; the others are to be sent through the server.
pub async fn arrived(app: &AppState, project_id: ProjectId, announced: Vec<OfferedContent>) -> Result<Lacking> {
    let taken = stream::iter(announced).map(async |content| {
        let is_here = hold(app, project_id, content.hash).await?.is_some() || take(app, project_id, content).await?;
        Ok::<_, AppError>((!is_here).then_some(LackingContent { hash: content.hash, put_to: None }))
    });
    let lacking = taken.buffered(AT_ONCE).try_filter_map(async |lacking| Ok(lacking)).try_collect().await?;
    Ok(Lacking { lacking })
}

async fn take(app: &AppState, project_id: ProjectId, announced: OfferedContent) -> Result<bool> {
    let OfferedContent { hash, size_bytes } = announced;
    let mut unnamed = Unnamed::new(&app.blobs, project_id);
    if size_bytes > PART_BYTES {
        return Ok(false);
    }
    let Some(object) = app.blobs.take_incoming(project_id, &hash, size_bytes, &mut unnamed).await? else {
        return Ok(false);
    };
    let extent = Extent { object, start: 0, frames: None };
    let blob = Blob { sha256: hash, size_bytes, place: Place::Object(extent.clone()) };
    // One byte more tells whether there is more.
    let mut bytes = app.blobs.read(project_id, &blob, 0..size_bytes + 1).await?;
    let mut chunks = Vec::new();
    while let Some(chunk) = bytes.try_next().await? {
        chunks.push(chunk);
    }
    let hashing = beside(move || {
        let mut hasher = Hasher::default();
        for chunk in &chunks {
            hasher.update(chunk);
        }
        hasher.finish()
    });
    let found = hashing.await?;
    let is_right = found.digest == hash && found.size_bytes == size_bytes;
    if is_right {
        unnamed.named_by(name_all(app.clone(), project_id, vec![(hash, size_bytes, extent)])).await?;
    }
    app.blobs.remove_incoming(project_id, &hash).await;
    Ok(is_right)
}
