//! Connections, over real sockets against the loop that accepts them: slow and hostile clients, limits, HTTP/2, TLS,
//! and how the server stops.
//!
//! Each test makes the time short that it is about, and leaves the others as they are: longer than it waits.

mod drain;
mod http2;
mod limits;
mod many;
mod pool;
mod protocols;
mod slow;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Uri};
use axum::routing::{get, post};
use futures_util::stream;
use otrace_server::serve::Server;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A guard: nothing waits for it. Shorter than the times that a test leaves as they are.
const PATIENCE: Duration = Duration::from_secs(9);
/// A time that is short for a test.
const SHORT: Duration = Duration::from_millis(150);

/// A small site on a real socket.
struct Site {
    address: SocketAddr,
    gate: Gate,
    /// Cancelled when an endless download has ended.
    download_ended: CancellationToken,
    stop: CancellationToken,
    stopped: JoinHandle<()>,
}

/// Where requests wait until they are let through.
#[derive(Clone)]
struct Gate {
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn closed() -> Self {
        Self { arrived: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }

    async fn pass(self) -> &'static str {
        self.arrived.add_permits(1);
        let _open = self.open.acquire().await.unwrap();
        "passed"
    }

    /// Waits until so many more requests are at it.
    async fn has(&self, requests: u32) {
        timeout(PATIENCE, self.arrived.acquire_many(requests)).await.expect("the requests arrive").unwrap().forget();
    }

    fn open(&self) {
        self.open.add_permits(1000);
    }
}

impl Site {
    async fn start(change: impl FnOnce(&mut Server)) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (gate, download_ended, stop) = (Gate::closed(), CancellationToken::new(), CancellationToken::new());
        let mut server = Server::default();
        change(&mut server);
        let router = router(gate.clone(), download_ended.clone());
        let stopped = tokio::spawn(server.serve(listener, router, stop.clone().cancelled_owned()));
        Self { address, gate, download_ended, stop, stopped }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection that has had an answer, and may have more.
    async fn greeted(&self) -> TcpStream {
        let mut socket = self.connect().await;
        greet(&mut socket).await;
        socket
    }

    /// A connection with these bytes sent.
    async fn sent(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut socket = self.connect().await;
        socket.write_all(bytes.as_ref()).await.unwrap();
        socket
    }

    /// Waits until the endless download has ended.
    async fn download_ends(&self) {
        timeout(PATIENCE, self.download_ended.cancelled()).await.expect("a download that nobody takes ends");
    }

    /// Waits until the server has stopped.
    async fn stopped(self) {
        timeout(PATIENCE, self.stopped).await.expect("the server stops").unwrap();
    }
}

fn router(gate: Gate, download_ended: CancellationToken) -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/page", get(|| async { page() }))
        .route("/upload", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/gate", get(move || gate.pass()))
        .route("/download", get(move || async move { endless(download_ended) }))
        .fallback(|headers: HeaderMap, uri: Uri| async move { format!("{} {uri}", headers["host"].to_str().unwrap()) })
}

/// An answer in one large piece.
fn page() -> String {
    "0123456789".repeat(10_000)
}

/// A body without an end, which tells when it is dropped all the same.
fn endless(ended: CancellationToken) -> Body {
    static PIECE: [u8; 64 * 1024] = [0; 64 * 1024];
    let guard = ended.drop_guard();
    Body::from_stream(stream::repeat_with(move || {
        let _kept = &guard;
        Ok::<_, std::io::Error>(Bytes::from_static(&PIECE))
    }))
}

/// Sends a request and reads its answer.
async fn greet(socket: &mut TcpStream) {
    socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let answer = read_until(socket, "hello").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Reads until this has come.
async fn read_until(socket: &mut (impl AsyncRead + Unpin), wanted: &str) -> String {
    let mut text: Vec<u8> = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&text).contains(wanted) {
            assert!(socket.read_buf(&mut text).await.unwrap() > 0, "ended after {}", String::from_utf8_lossy(&text));
        }
    };
    timeout(PATIENCE, reading).await.expect("an answer in time");
    String::from_utf8_lossy(&text).into_owned()
}

/// What comes until the server closes the connection, which it must.
async fn read_to_close(socket: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    // A connection that is reset is closed as well.
    let _ = timeout(PATIENCE, socket.read_to_end(&mut text)).await.expect("the server closes the connection");
    String::from_utf8_lossy(&text).into_owned()
}

/// A client that trusts nobody and speaks as it is told to.
fn client(speak: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().tls_certs_only(std::iter::empty());
    speak(builder).build().unwrap()
}
