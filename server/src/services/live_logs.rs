//! What a run prints, while it runs.
//!
//! A client sends pieces with their place in the stream; what is there already is passed over, so that
//! repeated and reordered pieces do no harm. The newest are rows, so that they can be read at once;
//! older ones become blobs. When the run's whole logs arrive, they take the place of the pieces.

use bytes::Bytes;
use otrace_wire::LogStream;

use crate::app::AppState;
use crate::blobs::Content;
use crate::domain::{ProjectId, RunId, RunRef};
use crate::error::{AppError, Result};
use crate::services::logs::LogTail;
use crate::services::{contact, contents, runs};
use crate::store;

/// The most that one request appends, in bytes.
pub const APPEND_MAX_BYTES: usize = 1024 * 1024;
/// The most that one request reads, in bytes.
pub const READ_MAX_BYTES: i64 = 1024 * 1024;
/// So much of a stream's end is shown, in bytes.
const TAIL_MAX_BYTES: i64 = 256 * 1024;
/// So much of a stream is in the database at most, in bytes, before its older half is moved.
const HERE_MAX_BYTES: i64 = 8 * 1024 * 1024;
const MOVED_BYTES: i64 = 4 * 1024 * 1024;

/// Appends to a run's stream. Returns where the stream ends: from there on the client goes on, whatever of
/// what it sent was new.
pub async fn append(
    app: &AppState,
    project_id: ProjectId,
    run: RunRef,
    stream: LogStream,
    offset: i64,
    bytes: &[u8],
) -> Result<i64> {
    let run_id = runs::resolve(app, project_id, run).await?;
    let mut transaction = app.pool.begin().await?;
    let end = store::log_chunks::lock_end(&mut transaction, run_id, stream).await?;
    if let Some(size) = size_at_rest(&mut transaction, project_id, run_id, stream).await? {
        // The whole log has arrived already; a late piece of it adds nothing.
        return Ok(size);
    }
    let known = usize::try_from(end - offset).unwrap_or(0);
    let is_gap = offset > end;
    let new = if is_gap { &[] } else { bytes.get(known..).unwrap_or_default() };
    if !new.is_empty() {
        store::log_chunks::insert(&mut transaction, project_id, run_id, stream, end, new).await?;
    }
    transaction.commit().await?;
    contact::note(app, project_id, run_id).await?;
    let end = end + i64::try_from(new.len()).map_err(anyhow::Error::new)?;
    if !new.is_empty() {
        contact::tell_that_it_goes_on(app, project_id, run_id).await?;
        move_old_pieces(app, project_id, run_id, stream).await?;
    }
    Ok(end)
}

/// The size of a stream whose whole log has arrived.
async fn size_at_rest(
    connection: &mut sqlx::PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    stream: LogStream,
) -> Result<Option<i64>> {
    let logs = store::logs::list(connection, project_id, &[run_id]).await?;
    Ok(logs.into_iter().map(|(_, log)| log).find(|log| log.stream == stream).map(|log| log.size_bytes))
}

/// Moves the older half of what a stream has in the database to a blob: bytes first, rows second.
async fn move_old_pieces(app: &AppState, project_id: ProjectId, run_id: RunId, stream: LogStream) -> Result<()> {
    let (old, here) = {
        let mut connection = app.pool.acquire().await?;
        store::log_chunks::oldest_here(&mut connection, run_id, stream, MOVED_BYTES).await?
    };
    let (Some(first), Some(last)) = (old.first(), old.last()) else { return Ok(()) };
    if here <= HERE_MAX_BYTES {
        return Ok(());
    }
    let place = (first.start_byte, last.end_byte);
    let bytes: Vec<u8> = old.into_iter().filter_map(|chunk| chunk.bytes).flatten().collect();
    let stored = contents::keep(app, project_id, &Content::Memory(Bytes::from(bytes))).await?;
    let mut transaction = app.pool.begin().await?;
    store::log_chunks::lock_end(&mut transaction, run_id, stream).await?;
    // Another request may have moved them, or the whole log may have taken their place.
    let (old, _) = store::log_chunks::oldest_here(&mut transaction, run_id, stream, MOVED_BYTES).await?;
    if old.first().zip(old.last()).map(|(first, last)| (first.start_byte, last.end_byte)) == Some(place) {
        store::log_chunks::move_to_blob(&mut transaction, project_id, run_id, stream, place, &stored.hash).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Where the streams of a run end that have not come to rest, in bytes.
pub async fn ends(app: &AppState, project_id: ProjectId, run_id: RunId) -> Result<Vec<(LogStream, i64)>> {
    Ok(store::log_chunks::ends(&mut *app.pool.acquire().await?, project_id, run_id).await?)
}

/// Bytes of a run's stream from `from` on, at most [`READ_MAX_BYTES`]: of the pieces, or of the whole log.
pub async fn read(app: &AppState, project_id: ProjectId, run: RunRef, stream: LogStream, from: i64) -> Result<Vec<u8>> {
    if from < 0 {
        return Err(AppError::invalid("from must be 0 or more."));
    }
    let run_id = runs::resolve(app, project_id, run).await?;
    let logs = store::logs::list(&mut *app.pool.acquire().await?, project_id, &[run_id]).await?;
    let at_rest = logs.into_iter().map(|(_, log)| log).find(|log| log.stream == stream);
    let end = from.saturating_add(READ_MAX_BYTES);
    if let Some(log) = at_rest {
        let Some(digest) = log.sha256 else { return Ok(Vec::new()) };
        let (start, end) = (from.min(log.size_bytes), end.min(log.size_bytes));
        return app.blobs.read_part(project_id, &digest, start.cast_unsigned()..end.cast_unsigned()).await;
    }
    part(app, project_id, run_id, stream, from, end).await
}

/// The end of a stream that has not come to rest.
pub async fn tail(app: &AppState, project_id: ProjectId, run_id: RunId, stream: LogStream) -> Result<LogTail> {
    let end = store::log_chunks::end(&mut *app.pool.acquire().await?, run_id, stream).await?;
    let start = (end - TAIL_MAX_BYTES).max(0);
    let bytes = part(app, project_id, run_id, stream, start, end).await?;
    Ok(LogTail {
        text: String::from_utf8_lossy(&bytes).into_owned(),
        first_line_is_cut: start > 0,
        bytes_before: start.cast_unsigned(),
    })
}

async fn part(
    app: &AppState,
    project_id: ProjectId,
    run_id: RunId,
    stream: LogStream,
    from: i64,
    to: i64,
) -> Result<Vec<u8>> {
    let chunks =
        store::log_chunks::range(&mut *app.pool.acquire().await?, project_id, run_id, stream, from, to).await?;
    let mut read = Vec::new();
    for chunk in chunks {
        let start = (from - chunk.start_byte).max(0);
        let end = to.min(chunk.end_byte) - chunk.start_byte;
        match (chunk.bytes, chunk.sha256) {
            (Some(bytes), _) => {
                let (start, end) = (usize::try_from(start), usize::try_from(end));
                let wanted = start.ok().zip(end.ok()).and_then(|(start, end)| bytes.get(start..end));
                read.extend_from_slice(wanted.unwrap_or_default());
            }
            (None, Some(digest)) => {
                let wanted = start.cast_unsigned()..end.cast_unsigned();
                read.extend_from_slice(&app.blobs.read_part(project_id, &digest, wanted).await?);
            }
            (None, None) => {}
        }
    }
    Ok(read)
}
