//! Accepts connections and ends them in order.
//!
//! Our own loop, because `axum::serve` waits for ever for a client that sends nothing (`docs/security.md`). It never
//! waits for a client: there is a place for a new connection (`limits`) or it is turned away. From then on the
//! connection has a task of its own (`connection`), in which each of its requests goes through `exchange`:
//!
//! - `timeouts` says how long a client is waited for. `activity` watches for requests that don't come, `request_body`
//!   with its `pace` for bodies that don't, `socket` and `streams` for answers that nobody takes.
//! - `crowd` keeps the requests that the server works on from becoming ever more, and `limits` those of one address.
//! - `tls` has the certificate, and reads it anew when it changes.

mod activity;
mod answer_body;
mod connection;
mod crowd;
mod exchange;
mod limits;
mod pace;
mod request_body;
mod socket;
mod streams;
mod timeouts;
mod tls;

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use connection::Protocols;
use crowd::Crowd;
use limits::Places;

pub use limits::ConnectionLimits;
pub use timeouts::Timeouts;
pub use tls::Tls;

/// As many connections as the kernel takes for us before we ask for them.
const BACKLOG: usize = 1024;
/// What who finds no place is told, if they can read it: those who speak TLS can't.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// How connections are served.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// How long clients are waited for.
    pub timeouts: Timeouts,
    /// How many are served at once.
    pub limits: ConnectionLimits,
    /// The certificate, where the server speaks TLS itself.
    pub tls: Option<Tls>,
    /// Cancelled some time before the server stops: it goes on serving, and has clients look for another server.
    pub draining: CancellationToken,
}

/// What all connections share.
struct Shared {
    router: Router,
    timeouts: Timeouts,
    tls: Option<Tls>,
    protocols: Protocols,
    crowd: Crowd,
    /// Answers of HTTP/1 end their connections.
    draining: CancellationToken,
    /// No connection takes another request.
    ending: CancellationToken,
    /// Requests that have no answer yet get one that tells them to come again.
    out_of_time: CancellationToken,
    /// Whatever is left is dropped.
    over: CancellationToken,
}

impl Server {
    /// Serves until `stop` resolves, then lets the requests under way end.
    pub async fn serve(self, listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
        let places = Places::new(&self.limits);
        let connections = TaskTracker::new();
        let shared = Arc::new(self.share(router));
        let take = |stream: TcpStream, address: SocketAddr| match places.take(address.ip()) {
            Ok(place) => {
                connections.spawn(connection::hold(Arc::clone(&shared), stream, address, place));
            }
            Err(full) => {
                tracing::debug!(%address, ?full, "a connection was turned away");
                turn_away(stream, shared.tls.is_some());
            }
        };
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                (stream, address) = accept(&listener) => take(stream, address),
            }
        }
        for (stream, address) in accepted_already(listener) {
            take(stream, address);
        }
        shared.end(&connections).await;
    }

    fn share(self, router: Router) -> Shared {
        Shared {
            router,
            protocols: Protocols::new(&self.timeouts),
            timeouts: self.timeouts,
            tls: self.tls,
            crowd: Crowd::new(self.limits.requests),
            draining: self.draining,
            ending: CancellationToken::new(),
            out_of_time: CancellationToken::new(),
            over: CancellationToken::new(),
        }
    }
}

impl Shared {
    /// Lets the requests under way end, for as long as there is time.
    async fn end(&self, connections: &TaskTracker) {
        connections.close();
        self.draining.cancel();
        self.ending.cancel();
        if timeout(self.timeouts.drain, connections.wait()).await.is_ok() {
            return;
        }
        let waited_s = self.timeouts.drain.as_secs();
        tracing::warn!(
            waited_s,
            left = connections.len(),
            "some requests did not end in time; they have to come again"
        );
        self.out_of_time.cancel();
        if timeout(self.timeouts.last_answers, connections.wait()).await.is_err() {
            self.over.cancel();
            connections.wait().await;
        }
    }
}

/// The next connection. When the machine has run out of something, waits for it to come back.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // That client has left again; the next one may be there.
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                sleep(AFTER_FAILED_ACCEPT).await;
            }
        }
    }
}

/// Closes the listener; gives the connections that the kernel has taken for us, which would be reset with it.
fn accepted_already(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    // The kernel itself is asked: Tokio only knows what was there when it last looked.
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let accepted = std::iter::from_fn(|| listener.accept().ok()).take(BACKLOG);
    let ready = accepted.filter_map(|(stream, address)| {
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, address))
    });
    ready.collect()
}

fn is_of_the_client(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}

/// Closes a connection that there is no place for, with a word if it is understood.
fn turn_away(stream: TcpStream, is_tls: bool) {
    // Written without waiting: the buffer of a new connection is empty. Tokio would first wait to be told so.
    if !is_tls && let Ok(mut stream) = stream.into_std() {
        let _ = stream.write_all(FULL);
    }
}
