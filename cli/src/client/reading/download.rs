//! Contents of any size, streamed into files. What has arrived is never asked for again: a download that broke goes on
//! where it stopped, in the same call or a later one.

use std::path::Path;
use std::time::Duration;

use otrace_wire::{Sha256Digest, paths};
use reqwest::header::{CONTENT_RANGE, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Method, StatusCode};
use tokio::time::sleep;

use super::not_stored;
use super::partial::Partial;
use crate::client::{Client, backoff, transfer_timeout};
use crate::error::{Error, Result};
use crate::printer::progress::{Meter, Progress};

/// How long a server that brings nothing is tried again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why an answer did not bring all of it.
enum Broken {
    /// Another request may bring the rest.
    Off(Error),
    /// It is of no use to go on.
    ForGood(Error),
}

impl Client {
    /// Downloads a content of this size into a file.
    pub async fn download(&self, digest: &Sha256Digest, size_bytes: u64, target: &Path, overwrite: bool) -> Result<()> {
        let progress = Progress::receiving(size_bytes);
        self.download_in_sight(digest, size_bytes, target, overwrite, &progress.meter()).await
    }

    /// The same as a part of something larger, whose progress is shown.
    pub async fn download_in_sight(
        &self,
        digest: &Sha256Digest,
        size_bytes: u64,
        target: &Path,
        overwrite: bool,
        meter: &Meter,
    ) -> Result<()> {
        refuse_existing(target, overwrite)?;
        let mut partial = Partial::open(target, digest)?;
        if partial.have() > size_bytes {
            partial.restart()?;
        }
        meter.add(partial.have());
        let mut was_begun = partial.have() > 0;
        loop {
            self.fill(&mut partial, digest, size_bytes, meter).await?;
            if partial.digest() == *digest {
                refuse_existing(target, overwrite)?;
                return partial.finish(target);
            }
            meter.take_back();
            if !was_begun {
                partial.discard();
                let told = format!("{} did not arrive as it is on the server", target.display());
                return Err(Error::new(told).with_hint("Download it again."));
            }
            // What lay there was something else.
            partial.restart()?;
            was_begun = false;
        }
    }

    /// Brings what is missing, in as many requests as it takes, as long as they bring anything.
    async fn fill(&self, partial: &mut Partial, digest: &Sha256Digest, size: u64, meter: &Meter) -> Result<()> {
        let (mut failures, mut waited) = (0, Duration::ZERO);
        while partial.have() < size {
            let before = partial.have();
            match self.receive(partial, digest, size, meter).await {
                Ok(()) => {}
                Err(Broken::ForGood(error)) => return Err(error),
                Err(Broken::Off(error)) => {
                    if partial.have() > before {
                        (failures, waited) = (0, Duration::ZERO);
                    }
                    let wait = backoff::pause(failures);
                    if waited + wait > PATIENCE {
                        return Err(error);
                    }
                    sleep(wait).await;
                    (failures, waited) = (failures + 1, waited + wait);
                }
            }
        }
        Ok(())
    }

    async fn receive(
        &self,
        partial: &mut Partial,
        digest: &Sha256Digest,
        size: u64,
        meter: &Meter,
    ) -> Result<(), Broken> {
        let have = partial.have();
        let mut request = self.request(Method::GET, &paths::content(digest)).timeout(transfer_timeout(size - have));
        if have > 0 {
            let tag = format!("\"{}\"", digest.hex());
            request = request.header(RANGE, format!("bytes={have}-")).header(IF_RANGE, tag);
        }
        let request = self.built(request).map_err(Broken::ForGood)?;
        let mut response = self.answer(&request, None, None).await.map_err(Broken::Off)?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if have > 0 && first_byte(response.headers()) == Some(have) => {}
            StatusCode::OK => {
                if have > 0 {
                    meter.take_back();
                    partial.restart().map_err(Broken::ForGood)?;
                }
            }
            StatusCode::NOT_FOUND => return Err(Broken::ForGood(not_stored(digest))),
            StatusCode::RANGE_NOT_SATISFIABLE => return Err(Broken::ForGood(other_size(digest))),
            status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                return Err(Broken::Off(self.refusal(response).await));
            }
            _ => return Err(Broken::ForGood(self.refusal(response).await)),
        }
        loop {
            let chunk = response.chunk().await.map_err(|error| Broken::Off(self.unreachable(&error)))?;
            let Some(chunk) = chunk else { break };
            if partial.have() + chunk.len() as u64 > size {
                return Err(Broken::ForGood(other_size(digest)));
            }
            partial.add(&chunk).map_err(Broken::ForGood)?;
            meter.add(chunk.len() as u64);
        }
        if partial.have() == size { Ok(()) } else { Err(Broken::Off(broke_off(digest))) }
    }
}

fn refuse_existing(target: &Path, overwrite: bool) -> Result<()> {
    if overwrite || target.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Error::new(format!("{} is there already", target.display())).with_hint("Use --force to write it anew."))
}

/// Where a part of a content begins, as the answer says: `bytes 10-19/100`.
fn first_byte(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.parse().ok()
}

fn other_size(digest: &Sha256Digest) -> Error {
    Error::new(format!("the content {digest} is not as long as its run says"))
}

fn broke_off(digest: &Sha256Digest) -> Error {
    Error::new(format!("the content {digest} broke off before its end"))
}
