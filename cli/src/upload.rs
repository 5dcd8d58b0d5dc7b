//! Sending contents: each distinct one once, a few at a time, streamed from our own copies.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use otrace_wire::{RunDetails, Sha256Digest};

use crate::capture::stored::StoredFile;
use crate::client::Client;
use crate::error::Error;

/// How many contents are on their way at once.
const AT_ONCE: usize = 4;

/// Contents that the server has not taken.
#[derive(Debug, Default)]
pub struct Unsent {
    digests: BTreeSet<Sha256Digest>,
    /// Why, for one of them.
    pub reason: Option<Error>,
}

impl Unsent {
    /// Leaves out of the details what refers to contents that the server does not have. Artifacts
    /// stay: a file whose path and hash are known is worth more than none.
    pub fn leave_out_of(&self, details: &mut RunDetails) {
        let is_there = |hash: &Sha256Digest| !self.digests.contains(hash);
        details.logs.retain(|log| log.hash.as_ref().is_none_or(is_there));
        if let Some(snapshot) = &mut details.snapshot {
            snapshot.files.retain(|file| is_there(&file.hash));
        }
    }
}

/// Sends the contents of these files.
pub async fn contents(client: &Client, files: &[StoredFile]) -> Unsent {
    let distinct: BTreeMap<_, _> = files.iter().map(|file| (file.digest, file)).collect();
    let answers: Vec<_> = stream::iter(distinct.into_values())
        .map(|file| async move {
            let answer = client.put_content(file.digest, file.size, &file.path).await;
            (file.digest, answer)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut unsent = Unsent::default();
    for (digest, answer) in answers {
        if let Err(error) = answer {
            unsent.digests.insert(digest);
            unsent.reason.get_or_insert(error);
        }
    }
    unsent
}
