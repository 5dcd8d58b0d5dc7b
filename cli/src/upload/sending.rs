//! How the bytes go: small contents together, others one by one, and into the store itself where the server says so.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use otrace_wire::Sha256Digest;
use otrace_wire::contents::{LACKING_MAX, OfferedContent, packed};

use super::AT_ONCE;
use crate::capture::stored::StoredFile;
use crate::client::Client;
use crate::client::contents::Piece;
use crate::error::{Error, Result};
use crate::printer::progress::Progress;

/// So many are announced at once: the server copies and reads them before it answers.
const ARRIVED_AT_ONCE: usize = 8;

/// A content to be sent.
pub(super) struct Unit {
    /// Its bytes.
    pub(super) piece: Piece,
    /// Where in the store it may be put.
    pub(super) put_to: Option<String>,
    /// It may not travel with others.
    pub(super) is_alone: bool,
}

/// One request.
enum Job {
    Store(String, Piece),
    Whole(Piece),
    Pack(Vec<Piece>),
}

/// Contents on their way.
pub(super) struct Sending<'a> {
    client: &'a Client,
    progress: Progress,
    /// All of them.
    pub(super) planned: BTreeSet<Sha256Digest>,
    /// Those that have not arrived.
    pub(super) missing: BTreeSet<Sha256Digest>,
    /// Why, for one of them.
    pub(super) reason: Option<Error>,
}

impl Unit {
    /// A file as it is.
    pub(super) fn whole(file: &StoredFile, put_to: Option<String>) -> Self {
        let path = Arc::new(file.path.clone());
        Self { piece: Piece { digest: file.digest, size: file.size, path, offset: 0 }, put_to, is_alone: false }
    }

    /// The same for a server that takes one at a time.
    pub(super) fn alone(file: &StoredFile) -> Self {
        Self { is_alone: true, ..Self::whole(file, None) }
    }
}

impl<'a> Sending<'a> {
    /// These contents, before the first is sent.
    pub(super) fn new(client: &'a Client, progress: Progress, contents: impl Iterator<Item = Sha256Digest>) -> Self {
        let planned: BTreeSet<_> = contents.collect();
        Self { client, progress, missing: planned.clone(), planned, reason: None }
    }

    /// Sends them.
    pub(super) async fn send(&mut self, units: Vec<Unit>) {
        let (mut alone, mut others, mut direct) = (Vec::new(), Vec::new(), Vec::new());
        for Unit { piece, put_to, is_alone } in units {
            match put_to {
                Some(address) => direct.push(Job::Store(address, piece)),
                None if is_alone => alone.push(Job::Whole(piece)),
                None => others.push(piece),
            }
        }
        others.extend(self.send_directly(direct).await);
        let mut jobs = pack(others);
        jobs.extend(alone);
        let failed = self.round(jobs).await;
        // One that can't be read or has changed takes all down that travel with it.
        self.round(failed.into_iter().map(Job::Whole).collect()).await;
    }

    /// Puts contents into the store. Gives those that have to go through the server after all.
    async fn send_directly(&mut self, jobs: Vec<Job>) -> Vec<Piece> {
        if jobs.is_empty() {
            return Vec::new();
        }
        let pieces: Vec<Piece> = jobs.iter().flat_map(Job::pieces).cloned().collect();
        let mut left: BTreeSet<_> = self.round(jobs).await.into_iter().map(|piece| piece.digest).collect();
        let arrived: Vec<_> = pieces.iter().filter(|piece| !left.contains(&piece.digest)).map(offered).collect();
        for arrived in arrived.chunks(ARRIVED_AT_ONCE) {
            match self.client.arrived(arrived.to_vec()).await {
                Ok(answer) => left.extend(answer.lacking.into_iter().map(|content| content.hash)),
                Err(error) => {
                    left.extend(arrived.iter().map(|content| content.hash));
                    // It is told if they can't be sent the other way either.
                    if error.is_unreachable() {
                        self.reason = Some(error);
                    }
                }
            }
        }
        self.missing.extend(left.iter().copied());
        pieces.into_iter().filter(|piece| left.contains(&piece.digest)).collect()
    }

    /// Makes requests, a few at a time, until the server is away. Gives what is worth another try in another way.
    async fn round(&mut self, jobs: Vec<Job>) -> Vec<Piece> {
        let (client, progress) = (self.client, &self.progress.clone());
        let mut failed = Vec::new();
        if self.is_over() {
            return failed;
        }
        let sending = stream::iter(jobs)
            .map(|job| async move {
                let answer = job.send(client, progress).await;
                (job, answer)
            })
            .buffer_unordered(AT_ONCE);
        let mut sending = pin!(sending);
        while let Some((job, answer)) = sending.next().await {
            match (job, answer) {
                (job, Ok(())) => {
                    for piece in job.pieces() {
                        self.missing.remove(&piece.digest);
                    }
                }
                (Job::Pack(pieces), Err(error)) if !error.is_unreachable() => failed.extend(pieces),
                (Job::Store(_, piece), Err(_)) => failed.push(piece),
                (_, Err(error)) => {
                    self.reason = Some(error);
                    if self.is_over() {
                        break;
                    }
                }
            }
        }
        failed
    }

    fn is_over(&self) -> bool {
        self.reason.as_ref().is_some_and(Error::is_unreachable)
    }
}

impl Job {
    fn pieces(&self) -> &[Piece] {
        match self {
            Self::Store(_, piece) | Self::Whole(piece) => std::slice::from_ref(piece),
            Self::Pack(pieces) => pieces,
        }
    }

    async fn send(&self, client: &Client, progress: &Progress) -> Result<()> {
        let meter = progress.meter();
        match self {
            Self::Store(address, piece) => {
                if client.put_to_store(address, piece, meter).await {
                    return Ok(());
                }
                Err(Error::new("the store did not take a content"))
            }
            Self::Whole(piece) => client.put_content(piece, meter).await,
            Self::Pack(pieces) => client.put_packed(pieces, meter).await,
        }
    }
}

/// Puts small contents together, as many as one request takes.
fn pack(pieces: Vec<Piece>) -> Vec<Job> {
    let (mut jobs, mut pack, mut bytes) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        if piece.size > packed::CONTENT_MAX as u64 {
            jobs.push(Job::Whole(piece));
            continue;
        }
        let length = packed::HEAD_BYTES as u64 + piece.size;
        if pack.len() == LACKING_MAX || bytes + length > packed::BODY_MAX as u64 {
            jobs.push(Job::Pack(std::mem::take(&mut pack)));
            bytes = 0;
        }
        bytes += length;
        pack.push(piece);
    }
    if !pack.is_empty() {
        jobs.push(Job::Pack(pack));
    }
    jobs
}

fn offered(piece: &Piece) -> OfferedContent {
    OfferedContent { hash: piece.digest, size_bytes: piece.size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(sizes: impl IntoIterator<Item = u64>) -> Vec<usize> {
        let piece = |size| Piece { digest: Sha256Digest::new([0; 32]), size, path: Arc::default(), offset: 0 };
        let jobs = pack(sizes.into_iter().map(piece).collect());
        jobs.iter()
            .map(|job| {
                let bytes: u64 = job.pieces().iter().map(|piece| piece.size + packed::HEAD_BYTES as u64).sum();
                assert!(matches!(job, Job::Whole(_)) || bytes <= packed::BODY_MAX as u64);
                job.pieces().len()
            })
            .collect()
    }

    #[test]
    fn small_contents_travel_together_as_far_as_one_request_takes_them() {
        assert_eq!(lengths([]), [0; 0]);
        assert_eq!(lengths([5, 0, 7]), [3]);
        assert_eq!(lengths(vec![10; 2001]), [1000, 1000, 1]);
        assert_eq!(lengths(vec![256 * 1024; 40]), [31, 9]);
        assert_eq!(lengths([10, 256 * 1024 + 1, 10]), [1, 2]);
    }
}
