//! The requests that bring contents to the server, or, where the server says so, into its store.
//!
//! Their bodies are streamed from our copies, and read anew each time that they are sent.

mod body;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use otrace_wire::contents::{Arrived, Lacking, Offered, OfferedContent, Parts, PartsTaken};
use otrace_wire::{Sha256Digest, paths};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, StatusCode};
use tokio::time::sleep;

use super::{CONNECT_TIMEOUT, Client, transfer_timeout};
use crate::error::{Error, Result};
use crate::printer::progress::Meter;
use crate::settings::is_loopback;
pub(super) use body::Streamed;

/// How servers answer that take contents only one by one, and whole.
const UNKNOWN: [StatusCode; 2] = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
/// How long the server is first given to put a content together from its parts.
const ASSEMBLING: Duration = Duration::from_millis(200);
/// How long at most, before it is asked again.
const ASSEMBLING_MAX: Duration = Duration::from_secs(2);

/// A content, and where its bytes are: a file of ours, or a part of one.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The SHA-256 of it.
    pub digest: Sha256Digest,
    /// Its size in bytes.
    pub size: u64,
    /// The file.
    pub path: Arc<PathBuf>,
    /// Where in the file it begins.
    pub offset: u64,
}

impl Client {
    /// Asks which contents the project lacks. Nothing, if the server can't tell.
    pub async fn lacking(&self, contents: Vec<OfferedContent>) -> Result<Option<Lacking>> {
        let request = self.request(Method::POST, paths::CONTENTS_LACKING).json(&Offered { contents });
        let response = self.told(&self.built(request)?, None).await?;
        if UNKNOWN.contains(&response.status()) {
            return Ok(None);
        }
        self.read(response).await.map(Some)
    }

    /// Sends one content.
    pub async fn put_content(&self, piece: &Piece, meter: Meter) -> Result<()> {
        let request = self.request(Method::PUT, &paths::content(&piece.digest));
        self.send_streamed(request, &Streamed::of(piece, meter)).await
    }

    /// Sends small contents, many at a time: all of them arrive, or none.
    pub async fn put_packed(&self, pieces: &[Piece], meter: Meter) -> Result<()> {
        let request = self.request(Method::POST, paths::CONTENTS);
        self.send_streamed(request, &Streamed::packed(pieces, meter)).await
    }

    /// Has a content put together from its parts, which the project has by now.
    pub async fn assemble(&self, digest: &Sha256Digest, parts: &Parts) -> Result<()> {
        let (begun, patience) = (Instant::now(), transfer_timeout(parts.size_bytes));
        let mut pause = ASSEMBLING;
        loop {
            let response = self
                .told(&self.built(self.request(Method::PUT, &paths::content_parts(digest)).json(parts))?, None)
                .await?;
            let wanted = wanted_wait(response.headers());
            let taken: PartsTaken = self.read(response).await?;
            if taken.is_stored {
                return Ok(());
            }
            if begun.elapsed() > patience {
                return Err(Error::new(format!("{} takes too long to check a file of many parts", self.base)));
            }
            sleep(wanted.unwrap_or(pause)).await;
            pause = (pause * 2).min(ASSEMBLING_MAX);
        }
    }

    /// Puts a content into the store itself, at the address that the server gave out for it; says whether that
    /// worked. It is tried once: the server takes it too.
    pub async fn put_to_store(&self, address: &str, piece: &Piece, meter: Meter) -> bool {
        // What an eavesdropper on the way to the server can't read it shall not read on the way to the store.
        if self.base.starts_with("https://") && !address.starts_with("https://") {
            return false;
        }
        let Some(store) = self.store.get_or_init(|| store_client(address)) else { return false };
        let content = Streamed::of(piece, meter.clone());
        let request = store
            .put(address)
            .timeout(transfer_timeout(piece.size))
            .header(CONTENT_LENGTH, piece.size)
            .body(content.body());
        let is_there = request.send().await.is_ok_and(|response| response.status().is_success());
        if !is_there {
            meter.take_back();
        }
        is_there
    }

    /// Says that contents were put into the store; the answer has those that are not there.
    pub async fn arrived(&self, contents: Vec<OfferedContent>) -> Result<Lacking> {
        let request = self.request(Method::POST, paths::CONTENTS_ARRIVED).json(&Arrived { contents });
        let response = self.told(&self.built(request)?, None).await?;
        self.read(response).await
    }

    async fn send_streamed(&self, request: RequestBuilder, content: &Streamed) -> Result<()> {
        let length = content.length();
        let request = request
            .timeout(transfer_timeout(length))
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, length);
        let sent = self.tell_run(request, Some(content)).await;
        sent.inspect_err(|_| content.take_back())
    }
}

/// It shows the store neither a key nor who we are: the address alone opens it.
fn store_client(address: &str) -> Option<reqwest::Client> {
    let mut builder =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).connect_timeout(CONNECT_TIMEOUT);
    if address.starts_with("http://") {
        builder = builder.tls_certs_only(std::iter::empty());
    }
    if is_loopback(address) {
        builder = builder.no_proxy();
    }
    builder.build().ok()
}

fn wanted_wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).clamp(ASSEMBLING, ASSEMBLING_MAX * 15))
}
