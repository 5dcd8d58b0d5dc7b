//! Sending contents: only those that the server lacks, each distinct one once, a few requests at a time.
//!
//! Small ones travel together, and long ones in parts. What has arrived is never sent again, whichever side has
//! been started anew meanwhile: the server is asked first. [`sending`] is how the bytes go.

mod sending;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use otrace_wire::contents::{LACKING_MAX, LackingContent, OfferedContent, PART_BYTES, Parts};
use otrace_wire::{RunDetails, Sha256Digest};

use crate::capture::stored::{self, StoredFile};
use crate::client::Client;
use crate::client::contents::Piece;
use crate::error::{Error, Result};
use crate::printer::progress::Progress;
use sending::{Sending, Unit};

/// How many requests are on their way at once.
const AT_ONCE: usize = 4;
/// So few bytes are sent sooner than asked for.
const UNASKED_MAX: u64 = 16 * 1024;

/// Contents that the server has not taken.
#[derive(Debug, Default)]
pub struct Unsent {
    digests: BTreeSet<Sha256Digest>,
    /// Why, for one of them.
    pub reason: Option<Error>,
}

/// A content that the server is to put together.
struct Long {
    digest: Sha256Digest,
    parts: Parts,
}

/// What there is to send.
#[derive(Default)]
struct Plan {
    units: BTreeMap<Sha256Digest, Unit>,
    long: Vec<Long>,
}

impl Unsent {
    /// Whether the server has not taken this one.
    pub fn has(&self, digest: &Sha256Digest) -> bool {
        self.digests.contains(digest)
    }

    /// Leaves out of the details what refers to contents that the server does not have.
    pub fn leave_out_of(&self, details: &mut RunDetails) {
        leave_out(&self.digests, details);
    }

    fn add_reason(&mut self, reason: Error) {
        // That the server is away counts more than what one content failed for.
        if self.reason.is_none() || reason.is_unreachable() {
            self.reason = Some(reason);
        }
    }

    fn is_over(&self) -> bool {
        self.reason.as_ref().is_some_and(Error::is_unreachable)
    }
}

/// Leaves out of the details what refers to these contents. Artifacts stay: a file whose path and hash
/// are known is worth more than none.
pub fn leave_out(digests: &BTreeSet<Sha256Digest>, details: &mut RunDetails) {
    let is_there = |hash: &Sha256Digest| !digests.contains(hash);
    details.logs.retain(|log| log.hash.as_ref().is_none_or(is_there));
    if let Some(snapshot) = &mut details.snapshot {
        snapshot.files.retain(|file| is_there(&file.hash));
    }
}

/// Sends the contents of these files, in sight of whoever watches if it `is_shown`. When the server can't be got
/// through to, none of the rest is tried: each would wait as long, in vain.
pub async fn contents(client: &Client, files: &[StoredFile], is_shown: bool) -> Unsent {
    let distinct: BTreeMap<_, _> = files.iter().map(|file| (file.digest, file)).collect();
    let mut unsent = Unsent { digests: distinct.keys().copied().collect(), reason: None };
    let Plan { units, long } = plan(client, &distinct, &mut unsent).await;
    let bytes = units.values().map(|unit| unit.piece.size).sum();
    let progress = if is_shown { Progress::of(bytes) } else { Progress::hidden() };
    let mut sending = Sending::new(client, progress, units.keys().copied());
    if !unsent.is_over() {
        sending.send(units.into_values().collect()).await;
    }
    // What was planned whole is there unless it is missing still; what is long is there once it is put together.
    let longs: BTreeSet<_> = long.iter().map(|long| long.digest).collect();
    unsent.digests.retain(|digest| {
        longs.contains(digest) || sending.missing.contains(digest) || !sending.planned.contains(digest)
    });
    if let Some(reason) = sending.reason.take() {
        unsent.add_reason(reason);
    }
    if !unsent.is_over() {
        let is_complete = |long: &Long| long.parts.parts.iter().all(|part| !sending.missing.contains(part));
        let complete = long.into_iter().filter(is_complete).collect();
        assemble(client, complete, &mut unsent).await;
    }
    unsent
}

/// Finds out what there is to send. What the server has already is no longer unsent.
async fn plan(client: &Client, files: &BTreeMap<Sha256Digest, &StoredFile>, unsent: &mut Unsent) -> Plan {
    let mut plan = Plan::default();
    if files.values().map(|file| file.size).sum::<u64>() <= UNASKED_MAX && files.len() <= LACKING_MAX {
        plan.units.extend(files.values().map(|file| (file.digest, Unit::whole(file, None))));
        return plan;
    }
    let offered = files.values().map(|file| OfferedContent { hash: file.digest, size_bytes: file.size }).collect();
    let lacking = match ask(client, offered).await {
        Ok(Some(lacking)) => lacking,
        Ok(None) => {
            // A server of another version or make takes each of them whole.
            plan.units.extend(files.values().map(|file| (file.digest, Unit::alone(file))));
            return plan;
        }
        Err(error) => {
            unsent.add_reason(error);
            return plan;
        }
    };
    unsent.digests = lacking.iter().map(|content| content.hash).collect();
    for LackingContent { hash, put_to } in lacking {
        let Some(file) = files.get(&hash) else { continue };
        if file.size <= PART_BYTES {
            plan.units.insert(hash, Unit::whole(file, put_to));
            continue;
        }
        match parts(client, file).await {
            Ok((long, units)) => {
                plan.units.extend(units);
                plan.long.push(long);
            }
            Err(error) => unsent.add_reason(error),
        }
        if unsent.is_over() {
            break;
        }
    }
    plan
}

/// Finds out which parts of a long file there are to send.
async fn parts(client: &Client, file: &StoredFile) -> Result<(Long, Vec<(Sha256Digest, Unit)>)> {
    let hashes = known_parts(file).await?;
    let path = Arc::new(file.path.clone());
    let pieces: BTreeMap<_, _> = hashes
        .iter()
        .zip((0..).step_by(usize::try_from(PART_BYTES).unwrap_or(usize::MAX)))
        .map(|(digest, offset)| {
            let size = file.size.saturating_sub(offset).min(PART_BYTES);
            (*digest, Piece { digest: *digest, size, path: Arc::clone(&path), offset })
        })
        .collect();
    let offered = pieces.values().map(|piece| OfferedContent { hash: piece.digest, size_bytes: piece.size }).collect();
    let lacking = ask(client, offered).await?.unwrap_or_default();
    let unit = |LackingContent { hash, put_to }: LackingContent| {
        let piece = pieces.get(&hash)?.clone();
        Some((hash, Unit { piece, put_to, is_alone: false }))
    };
    let units = lacking.into_iter().filter_map(unit).collect();
    Ok((Long { digest: file.digest, parts: Parts { size_bytes: file.size, parts: hashes } }, units))
}

async fn known_parts(file: &StoredFile) -> Result<Vec<Sha256Digest>> {
    if !file.parts.is_empty() {
        return Ok(file.parts.clone());
    }
    let path = file.path.clone();
    tokio::task::spawn_blocking(move || stored::parts(&path).map_err(|error| Error::file("read", &path, &error)))
        .await
        .unwrap_or_else(|error| Err(Error::new(format!("a mistake in otrace ended it ({error})"))))
}

/// Asks which of these the server lacks. Nothing, if it can't tell.
async fn ask(client: &Client, offered: Vec<OfferedContent>) -> Result<Option<Vec<LackingContent>>> {
    let mut all = Vec::new();
    for offered in offered.chunks(LACKING_MAX) {
        let Some(answer) = client.lacking(offered.to_vec()).await? else { return Ok(None) };
        all.extend(answer.lacking);
    }
    Ok(Some(all))
}

/// Has the server put the long ones together whose parts it has.
async fn assemble(client: &Client, long: Vec<Long>, unsent: &mut Unsent) {
    let assembling = stream::iter(long)
        .map(|Long { digest, parts }| async move { (digest, client.assemble(&digest, &parts).await) })
        .buffer_unordered(AT_ONCE);
    let mut assembling = pin!(assembling);
    while let Some((digest, answer)) = assembling.next().await {
        match answer {
            Ok(()) => {
                unsent.digests.remove(&digest);
            }
            Err(error) => unsent.add_reason(error),
        }
        if unsent.is_over() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::capture::stored;

    #[tokio::test]
    async fn nothing_more_is_tried_once_the_server_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        drop(listener);
        let folder = tempfile::tempdir().expect("a folder");
        let files: Vec<_> = (0..20)
            .map(|number| {
                let path = folder.path().join(number.to_string());
                std::fs::write(&path, number.to_string()).expect("written");
                stored::measure(path).expect("measured")
            })
            .collect();
        let unsent = contents(&Client::at(&url, None).expect("a client"), &files, false).await;
        assert_eq!(unsent.digests.len(), files.len());
        assert!(unsent.reason.is_some_and(|reason| reason.is_unreachable()));
    }
}
