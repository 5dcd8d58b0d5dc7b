//! Contents: bytes first, row second.
//!
//! Whatever way a content comes ([`receiving`], [`parts`], [`arriving`]), its row is written once its bytes are
//! durable and have the announced hash. What is larger than one object is stored in parts, each a content of its own
//! that others may share. [`reading`] puts them together again.

mod arriving;
mod parts;
mod reading;
mod receiving;

use otrace_wire::Sha256Digest;
use otrace_wire::contents::{Lacking, LackingContent, OfferedContent, PART_BYTES, packed};

use crate::app::AppState;
use crate::domain::ProjectId;
use crate::error::{AppError, Result};
use crate::store;

pub use arriving::arrived;
pub use parts::{PartChecks, assemble};
pub use reading::{read, read_part};
pub use receiving::{keep, receive, receive_packed};

/// The length of an object, at most, and of a part, exactly, in bytes.
pub(super) const PIECE_BYTES: usize = 8 * 1024 * 1024;
const _: () = assert!(PIECE_BYTES as u64 == PART_BYTES);

/// Which of the contents that a client has the project lacks, and where to send them.
pub async fn lacking(app: &AppState, project_id: ProjectId, offered: Vec<OfferedContent>) -> Result<Lacking> {
    let digests: Vec<Sha256Digest> = offered.iter().map(|content| content.hash).collect();
    let mut connection = app.pool.acquire().await?;
    let known = store::blobs::hold_many(&mut connection, project_id, &digests, app.clock.now()).await?;
    drop(connection);
    let mut lacking = Vec::new();
    for OfferedContent { hash, size_bytes } in offered {
        if known.iter().any(|(digest, _)| *digest == hash) {
            continue;
        }
        let is_for_the_bucket = size_bytes > packed::CONTENT_MAX as u64 && size_bytes <= PART_BYTES;
        let put_to = if is_for_the_bucket { app.blobs.address_for(project_id, &hash).await? } else { None };
        lacking.push(LackingContent { hash, put_to });
    }
    Ok(Lacking { lacking })
}

/// The size of a content that the project holds, in bytes.
pub async fn size(app: &AppState, project_id: ProjectId, digest: &Sha256Digest) -> Result<u64> {
    let found = store::blobs::find_many(&mut *app.pool.acquire().await?, project_id, &[*digest]).await?;
    found.first().map(|(_, size_bytes)| size_bytes.cast_unsigned()).ok_or(AppError::NotFound("Content"))
}

/// The same for who is about to refer to it: no sweep removes it for a day from now on.
async fn hold(app: &AppState, project_id: ProjectId, digest: Sha256Digest) -> Result<Option<u64>> {
    let mut connection = app.pool.acquire().await?;
    let held = store::blobs::hold_many(&mut connection, project_id, &[digest], app.clock.now()).await?;
    Ok(held.first().map(|(_, size_bytes)| size_bytes.cast_unsigned()))
}

fn differs(found: Sha256Digest, announced: Sha256Digest) -> AppError {
    AppError::invalid(format!("The content's hash is {found}, not {announced}. Send it again."))
}
