//! Large contents: put together of parts that a client has sent one by one.
//!
//! Their hash can only be checked by reading them all, which takes as long as their size: while that goes on, the
//! client asks again now and then, and whoever asks meanwhile waits for the same check.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use otrace_wire::Sha256Digest;
use otrace_wire::contents::{PART_BYTES, Parts, PartsTaken};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::{differs, hold};
use crate::app::AppState;
use crate::blobs::{Hasher, beside};
use crate::domain::ProjectId;
use crate::domain::blob::{Blob, Place};
use crate::error::{AppError, Result};
use crate::store;

/// So long a request waits for the check. No proxy is that impatient.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many checks go on at once.
const CHECKS: usize = 4;
/// So many go on or wait.
const CHECKS_MAX: usize = 64;
/// So many parts are looked up at once.
const GROUP: usize = 64;

/// What a check came to.
#[derive(Clone, Debug)]
enum Outcome {
    Stored,
    Differs(Sha256Digest),
    Lacks(Sha256Digest),
    Misfits(Sha256Digest),
    Failed,
}

/// A content of a project's, and its parts.
type Key = (ProjectId, Sha256Digest, Sha256Digest);

/// The checks that go on.
#[derive(Debug)]
pub struct PartChecks {
    running: Mutex<HashMap<Key, watch::Receiver<Option<Outcome>>>>,
    room: Arc<Semaphore>,
}

impl Default for PartChecks {
    fn default() -> Self {
        Self { running: Mutex::default(), room: Arc::new(Semaphore::new(CHECKS)) }
    }
}

/// Stores a content that is made of these parts, if its hash is what the client announced.
pub async fn assemble(
    app: &AppState,
    project_id: ProjectId,
    announced: Sha256Digest,
    parts: Parts,
) -> Result<PartsTaken> {
    if hold(app, project_id, announced).await?.is_some() {
        return Ok(PartsTaken { is_stored: true });
    }
    let Parts { size_bytes, parts } = parts;
    if parts.len() < 2 || size_bytes.div_ceil(PART_BYTES) != parts.len() as u64 {
        return Err(AppError::invalid("A content in parts has two or more, each of 8 MiB but for the last."));
    }
    let mut outcome = begin(app, project_id, announced, size_bytes, parts)?;
    let Ok(outcome) = timeout(PATIENCE, outcome.wait_for(Option::is_some)).await else {
        return Ok(PartsTaken { is_stored: false });
    };
    match outcome.map_err(anyhow::Error::new)?.as_ref() {
        Some(Outcome::Stored) => Ok(PartsTaken { is_stored: true }),
        Some(Outcome::Differs(found)) => Err(differs(*found, announced)),
        Some(Outcome::Lacks(part)) => {
            Err(AppError::Conflict(format!("The part {part} is not here. Send it, then the parts again.").into()))
        }
        Some(Outcome::Misfits(part)) => {
            Err(AppError::invalid(format!("The part {part} is not as long as its place in the content wants.")))
        }
        Some(Outcome::Failed) | None => {
            Err(AppError::Unavailable("The content's parts could not be checked. Try again in a moment.".into()))
        }
    }
}

/// Joins the check of this content, or begins it.
fn begin(
    app: &AppState,
    project_id: ProjectId,
    announced: Sha256Digest,
    size_bytes: u64,
    parts: Vec<Sha256Digest>,
) -> Result<watch::Receiver<Option<Outcome>>> {
    // Another list of parts is another check: one that is wrong must not refuse one that is right.
    let named: Vec<u8> = parts.iter().flat_map(|part| *part.as_bytes()).collect();
    let key = (project_id, announced, Hasher::digest_of(&named));
    let mut running = app.part_checks.running.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(outcome) = running.get(&key) {
        return Ok(outcome.clone());
    }
    if running.len() >= CHECKS_MAX {
        return Err(AppError::Unavailable("Too many large contents are being checked. Try again in a moment.".into()));
    }
    let (tell, outcome) = watch::channel(None);
    running.insert(key, outcome.clone());
    let app = app.clone();
    tokio::spawn(async move {
        let checked = check(&app, project_id, announced, size_bytes, &parts).await;
        let outcome = checked.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not check a content's parts");
            Outcome::Failed
        });
        app.part_checks.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        // Nobody may wait any more; whoever asks again finds the row.
        tell.send_replace(Some(outcome));
    });
    Ok(outcome)
}

/// What stands against these parts before any of them is read: one is not there, or not as long as its place wants.
async fn misfit(
    app: &AppState,
    project_id: ProjectId,
    size_bytes: u64,
    parts: &[Sha256Digest],
) -> Result<Option<Outcome>> {
    let mut rest = size_bytes;
    for group in parts.chunks(GROUP) {
        let mut connection = app.pool.acquire().await?;
        let found = store::blobs::hold_many(&mut connection, project_id, group, app.clock.now()).await?;
        let found: HashMap<Sha256Digest, i64> = found.into_iter().collect();
        for digest in group {
            let wanted = rest.min(PART_BYTES);
            match found.get(digest) {
                None => return Ok(Some(Outcome::Lacks(*digest))),
                Some(size) if size.cast_unsigned() != wanted => return Ok(Some(Outcome::Misfits(*digest))),
                Some(_) => rest -= wanted,
            }
        }
    }
    Ok(None)
}

async fn check(
    app: &AppState,
    project_id: ProjectId,
    announced: Sha256Digest,
    size_bytes: u64,
    parts: &[Sha256Digest],
) -> Result<Outcome> {
    let _room = app.part_checks.room.acquire().await.map_err(anyhow::Error::new)?;
    if let Some(outcome) = misfit(app, project_id, size_bytes, parts).await? {
        return Ok(outcome);
    }
    let mut whole = Hasher::default();
    for group in parts.chunks(GROUP) {
        let found = store::blobs::places(&mut *app.pool.acquire().await?, project_id, group).await?;
        let found: HashMap<Sha256Digest, Blob> = found.into_iter().map(|blob| (blob.sha256, blob)).collect();
        for digest in group {
            let Some(part) = found.get(digest).filter(|part| part.place != Place::Parts) else {
                return Ok(Outcome::Lacks(*digest));
            };
            let mut bytes = app.blobs.read(project_id, part, 0..part.size_bytes).await?;
            while let Some(chunk) = bytes.try_next().await? {
                whole = beside(move || {
                    whole.update(&chunk);
                    whole
                })
                .await?;
            }
        }
    }
    let found = whole.finish();
    if found.digest != announced || found.size_bytes != size_bytes {
        return Ok(Outcome::Differs(found.digest));
    }
    let mut connection = app.pool.acquire().await?;
    store::blobs::insert_parts(&mut connection, project_id, &announced, size_bytes, parts, app.clock.now()).await?;
    Ok(Outcome::Stored)
}
