//! What a run prints, and what it writes into its log files, while it runs.
//!
//! A client sends pieces with their place in the log; what is there already is passed over, so that
//! repeated and reordered pieces do no harm. The newest are rows, so that they can be read at once;
//! older ones become blobs. When a whole log arrives, it takes the place of its pieces.

use bytes::Bytes;

use crate::app::AppState;
use crate::blobs::Content;
use crate::domain::{LogName, ProjectId, RunId, RunRef};
use crate::error::{AppError, Result};
use crate::services::logs::RunLog;
use crate::services::{contact, contents, logs, runs};
use crate::store;
use crate::store::log_chunks::{NewPiece, Turns};

/// The most that one request appends, in bytes.
pub const APPEND_MAX_BYTES: usize = 1024 * 1024;
/// The most that one request reads, in bytes.
pub const READ_MAX_BYTES: i64 = 1024 * 1024;
/// So many log files of a run are taken while it runs; the others arrive when it has ended.
const FILES_MAX: i64 = 20;
/// So much of a log is in the database at most, in bytes, before its older half is moved.
const HERE_MAX_BYTES: i64 = 8 * 1024 * 1024;
const MOVED_BYTES: i64 = 4 * 1024 * 1024;
/// How much a log grows, in bytes, between two looks at how much of it is in the database.
const LOOK_EVERY_BYTES: i64 = 1024 * 1024;
/// No log gets as long; with this the arithmetic of the database stays exact.
const OFFSET_MAX: i64 = 1 << 60;

/// Appends to a run's log. Returns where the log ends: from there on the client goes on, whatever of
/// what it sent was new.
pub async fn append(
    app: &AppState,
    project_id: ProjectId,
    run: RunRef,
    log: &LogName,
    offset: i64,
    bytes: &[u8],
) -> Result<i64> {
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    // This holds the run's row until the commit, so that one writer at a time appends.
    let heard = contact::note(&mut transaction, project_id, run, now).await?;
    let offset = offset.min(OFFSET_MAX);
    // Microseconds of our days fit.
    let came_at = i64::try_from(now.unix_timestamp_nanos() / 1000).unwrap_or_default();
    let piece = NewPiece { offset, bytes, came_at };
    let appended = store::log_chunks::append(&mut transaction, project_id, heard.id, log, piece, FILES_MAX).await?;
    transaction.commit().await?;
    if heard.was_away || appended.end.is_some() {
        contact::tell(app, project_id, heard, now);
    }
    let known = appended.known.unwrap_or_default();
    match (appended.whole, appended.end) {
        // A late piece of a log that has arrived already adds nothing.
        (Some(size), _) => Ok(size),
        (None, Some(end)) => {
            if known / LOOK_EVERY_BYTES < end / LOOK_EVERY_BYTES {
                move_old_pieces(app, project_id, heard.id, log).await?;
            }
            Ok(end)
        }
        (None, None) if appended.known.is_none() && offset == 0 && !bytes.is_empty() => Err(AppError::Conflict(
            "A run sends at most 20 log files while it runs. Send the others with its details when it has ended."
                .into(),
        )),
        (None, None) => Ok(known),
    }
}

/// Moves the older half of what a log has in the database to a blob: bytes first, rows second.
async fn move_old_pieces(app: &AppState, project_id: ProjectId, run_id: RunId, log: &LogName) -> Result<()> {
    let old = {
        let mut connection = app.pool.acquire().await?;
        store::log_chunks::oldest_here(&mut connection, run_id, log, MOVED_BYTES, HERE_MAX_BYTES).await?
    };
    let (Some(first), Some(last)) = (old.first(), old.last()) else { return Ok(()) };
    let place = (first.start_byte, last.end_byte);
    // In which order they came is known of all of them, or of none.
    let turns: Option<Vec<Turns>> = old.iter().map(|chunk| Some(chunk.turns.as_ref()?.0.clone())).collect();
    let turns: Option<Turns> = turns.map(|turns| turns.concat());
    let bytes: Vec<u8> = old.into_iter().flat_map(|chunk| chunk.bytes).collect();
    let stored = contents::keep(app, project_id, &Content::Memory(Bytes::from(bytes))).await?;
    let mut transaction = app.pool.begin().await?;
    store::log_chunks::lock(&mut transaction, project_id, run_id).await?;
    // Another request may have moved them, or the whole log may have taken their place: then nothing changes.
    if store::log_chunks::remove(&mut transaction, run_id, log, place).await? == place.1 - place.0 {
        let (hash, turns) = (&stored.hash, turns.as_ref());
        store::log_chunks::insert_blob(&mut transaction, project_id, run_id, log, place, hash, turns).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Bytes of a run's log from `from` on, at most [`READ_MAX_BYTES`]: of the pieces, or of the whole log.
pub async fn read(app: &AppState, project_id: ProjectId, run: RunRef, log: &LogName, from: i64) -> Result<Vec<u8>> {
    if from < 0 {
        return Err(AppError::invalid("from must be 0 or more."));
    }
    let run_id = runs::resolve(app, project_id, run).await?;
    let whole = store::logs::list(&mut *app.pool.acquire().await?, project_id, &[run_id]).await?;
    let whole = whole.into_iter().map(|(_, found)| found).find(|found| log.names(found));
    let end = from.saturating_add(READ_MAX_BYTES);
    match whole {
        Some(found) => logs::read(app, project_id, run_id, &RunLog { log: found, is_whole: true }, from..end).await,
        None => part(app, project_id, run_id, log, from, end).await,
    }
}

/// Bytes of a log that has not come to rest.
pub(super) async fn part(
    app: &AppState,
    project_id: ProjectId,
    run_id: RunId,
    log: &LogName,
    from: i64,
    to: i64,
) -> Result<Vec<u8>> {
    let chunks = store::log_chunks::range(&mut *app.pool.acquire().await?, project_id, run_id, log, from, to).await?;
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
                read.extend_from_slice(&contents::read_part(app, project_id, &digest, wanted).await?);
            }
            (None, None) => {}
        }
    }
    Ok(read)
}
