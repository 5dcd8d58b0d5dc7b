//! Contents that come through the server.

use bytes::Bytes;
use futures_util::Stream;
use otrace_wire::contents::packed;
use otrace_wire::{Sha256Digest, StoredContent};
use time::Duration;
use uuid::Uuid;

use super::{PIECE_BYTES, differs, hold};
use crate::app::AppState;
use crate::blobs::{self, Content, Hashed, Hasher, Pieces, Unnamed, beside};
use crate::domain::ProjectId;
use crate::domain::blob::Extent;
use crate::error::{AppError, Result};
use crate::store;

/// So long a content may take to arrive: a sweep removes objects that are a day old and that no row names.
const ARRIVAL_MAX: Duration = Duration::hours(12);

/// What was written for a content, and is to be named by rows.
pub(super) type Written = (Sha256Digest, u64, Extent);

/// Stores a content that a client streams, if its hash is what the client announced.
///
/// A content that the project holds already is read to its end and compared, not written again.
pub async fn receive(
    app: &AppState,
    project_id: ProjectId,
    announced: Sha256Digest,
    content: impl Stream<Item = Result<Bytes>> + Send,
) -> Result<StoredContent> {
    if let Some(size_bytes) = hold(app, project_id, announced).await? {
        let found = blobs::hash(content).await?;
        if found.digest != announced {
            return Err(differs(found.digest, announced));
        }
        return Ok(StoredContent { hash: announced, size_bytes });
    }
    let content = std::pin::pin!(content);
    let mut pieces = Pieces::of(content, PIECE_BYTES);
    let first = pieces.next().await?.unwrap_or_default();
    let Some(second) = pieces.next().await? else {
        return receive_short(app, project_id, announced, first).await;
    };
    let began = app.clock.now();
    let mut unnamed = Unnamed::new(&app.blobs, project_id);
    let mut whole = Hasher::default();
    let mut written: Vec<Written> = Vec::new();
    let (mut piece, mut following) = (first, Some(second));
    loop {
        let digest;
        (whole, digest) = hash_both(whole, piece.clone()).await?;
        let size_bytes = piece.len() as u64;
        written.push((digest, size_bytes, unnamed.write(piece).await?));
        let Some(next) = following else { break };
        (piece, following) = (next, pieces.next().await?);
    }
    let Hashed { digest, size_bytes } = whole.finish();
    if digest != announced {
        return Err(differs(digest, announced));
    }
    if app.clock.now() - began > ARRIVAL_MAX {
        return Err(AppError::invalid("The content took over 12 hours to arrive. Send it in parts."));
    }
    let parts: Vec<Sha256Digest> = written.iter().map(|(part, ..)| *part).collect();
    let app = app.clone();
    let naming = async move {
        let now = app.clock.now();
        let mut transaction = app.pool.begin().await?;
        let named = name(&mut transaction, project_id, written, now).await?;
        store::blobs::insert_parts(&mut transaction, project_id, &announced, size_bytes, &parts, now).await?;
        transaction.commit().await?;
        Ok(named)
    };
    unnamed.named_by(naming).await?;
    Ok(StoredContent { hash: announced, size_bytes })
}

/// One that fits into an object.
async fn receive_short(
    app: &AppState,
    project_id: ProjectId,
    announced: Sha256Digest,
    content: Bytes,
) -> Result<StoredContent> {
    let hashed = content.clone();
    let digest = beside(move || Hasher::digest_of(&hashed)).await?;
    if digest != announced {
        return Err(differs(digest, announced));
    }
    let size_bytes = content.len() as u64;
    let mut unnamed = Unnamed::new(&app.blobs, project_id);
    let extent = unnamed.write(content).await?;
    unnamed.named_by(name_all(app.clone(), project_id, vec![(digest, size_bytes, extent)])).await?;
    Ok(StoredContent { hash: announced, size_bytes })
}

/// Writes the rows of contents that are whole by themselves, and returns the objects that they name.
pub(super) async fn name_all(app: AppState, project_id: ProjectId, written: Vec<Written>) -> Result<Vec<Uuid>> {
    Ok(name(&mut *app.pool.acquire().await?, project_id, written, app.clock.now()).await?)
}

/// Writes the rows, in one statement, and returns the objects that they name.
async fn name(
    connection: &mut sqlx::PgConnection,
    project_id: ProjectId,
    mut written: Vec<Written>,
    now: time::OffsetDateTime,
) -> sqlx::Result<Vec<Uuid>> {
    // One content can be several parts of another. In one order, so that two requests never wait for one another.
    written.sort_by_key(|(digest, ..)| *digest);
    written.dedup_by_key(|(digest, ..)| *digest);
    let inserted = store::blobs::insert_many(connection, project_id, &written, now).await?;
    let is_named = |digest: &Sha256Digest| inserted.contains(digest);
    Ok(written.iter().filter(|(digest, ..)| is_named(digest)).map(|(.., extent)| extent.object).collect())
}

/// Takes a piece into the hash of the whole, and hashes it by itself.
async fn hash_both(mut whole: Hasher, piece: Bytes) -> Result<(Hasher, Sha256Digest)> {
    beside(move || {
        whole.update(&piece);
        let digest = Hasher::digest_of(&piece);
        (whole, digest)
    })
    .await
}

/// Stores small contents that came together, all or none, and says how many there were.
pub async fn receive_packed(app: &AppState, project_id: ProjectId, body: Bytes) -> Result<usize> {
    let contents = beside(move || unpack(&body)).await??;
    let digests: Vec<Sha256Digest> = contents.iter().map(|(digest, _)| *digest).collect();
    let mut connection = app.pool.acquire().await?;
    let known = store::blobs::hold_many(&mut connection, project_id, &digests, app.clock.now()).await?;
    drop(connection);
    let is_new = |digest: &Sha256Digest| known.iter().all(|(known, _)| known != digest);
    let (new_digests, new): (Vec<_>, Vec<_>) = contents.into_iter().filter(|(digest, _)| is_new(digest)).unzip();
    if new.is_empty() {
        return Ok(digests.len());
    }
    let sizes: Vec<u64> = new.iter().map(|content| content.len() as u64).collect();
    let mut unnamed = Unnamed::new(&app.blobs, project_id);
    let extents = unnamed.write_together(new).await?;
    let written = new_digests.into_iter().zip(sizes).zip(extents);
    let written = written.map(|((digest, size_bytes), extent)| (digest, size_bytes, extent)).collect();
    unnamed.named_by(name_all(app.clone(), project_id, written)).await?;
    Ok(digests.len())
}

/// The contents in a body, each once, if all of them are what they were announced as.
fn unpack(body: &Bytes) -> Result<Vec<(Sha256Digest, Bytes)>> {
    let (mut contents, mut at) = (Vec::new(), 0);
    while at < body.len() {
        let (announced, place) = packed::next(body, at).ok_or_else(|| {
            AppError::invalid("A content's frame is cut short or longer than 256 KiB. Send larger ones one by one.")
        })?;
        at = place.end;
        let content = body.slice(place);
        let found = Hasher::digest_of(&content);
        if found != announced {
            return Err(differs(found, announced));
        }
        contents.push((announced, content));
    }
    contents.sort_by_key(|(digest, _)| *digest);
    contents.dedup_by_key(|(digest, _)| *digest);
    Ok(contents)
}

/// Stores a content that came inline, and says what it is.
pub async fn keep(app: &AppState, project_id: ProjectId, content: &Content) -> Result<StoredContent> {
    let found = blobs::hash(content.stream()).await?;
    if hold(app, project_id, found.digest).await?.is_some() {
        return Ok(StoredContent { hash: found.digest, size_bytes: found.size_bytes });
    }
    receive(app, project_id, found.digest, content.stream()).await
}
