//! Sending contents: each distinct one once, a few at a time, streamed from our own copies.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

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
    /// Leaves out of the details what refers to contents that the server does not have.
    pub fn leave_out_of(&self, details: &mut RunDetails) {
        leave_out(&self.digests, details);
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

/// Sends the contents of these files. When the server can't be got through to, none of the rest is
/// tried: each would wait as long, in vain.
pub async fn contents(client: &Client, files: &[StoredFile]) -> Unsent {
    let distinct: BTreeMap<_, _> = files.iter().map(|file| (file.digest, file)).collect();
    let mut unsent = Unsent { digests: distinct.keys().copied().collect(), reason: None };
    let sending = stream::iter(distinct.into_values())
        .map(|file| async move {
            let answer = client.put_content(file.digest, file.size, &file.path).await;
            (file.digest, answer)
        })
        .buffer_unordered(AT_ONCE);
    let mut sending = pin!(sending);
    while let Some((digest, answer)) = sending.next().await {
        let Err(error) = answer else {
            unsent.digests.remove(&digest);
            continue;
        };
        let is_over = error.is_unreachable();
        unsent.reason.get_or_insert(error);
        if is_over {
            break;
        }
    }
    unsent
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
        let unsent = contents(&Client::at(&url, None).expect("a client"), &files).await;
        assert_eq!(unsent.digests.len(), files.len());
        assert!(unsent.reason.is_some_and(|reason| reason.is_unreachable()));
    }
}
