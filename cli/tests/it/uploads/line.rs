//! The way to a server, which counts what goes there, one request at a time, and can be cut or held at a byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use otrace_server::testing::TestServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio_util::task::AbortOnDropHandle;

const CONTENTS: &[u8] = b" /v1/contents";

/// It, until it is dropped.
pub struct Line {
    url: String,
    state: Arc<State>,
    _listening: AbortOnDropHandle<()>,
}

/// What happens to what is sent.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Passes,
    IsCutAfter(u64),
    IsHeldAfter(u64),
}

struct State {
    target: String,
    fate: watch::Sender<Fate>,
    /// Held from a request's first byte to the first one of its answer.
    turn: Mutex<()>,
    sent: AtomicU64,
    content_requests: AtomicUsize,
}

impl Line {
    /// A way to this server.
    pub async fn to(server: &TestServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(State {
            target: server.url().trim_start_matches("http://").to_owned(),
            fate: watch::Sender::new(Fate::Passes),
            turn: Mutex::new(()),
            sent: AtomicU64::new(0),
            content_requests: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        let listening = tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move { state.pass(caller).await });
            }
        });
        Self { url, state, _listening: AbortOnDropHandle::new(listening) }
    }

    /// The server's address, seen through it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many bytes have gone to the server.
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::Relaxed)
    }

    /// How many requests had to do with contents.
    pub fn content_requests(&self) -> usize {
        self.state.content_requests.load(Ordering::Relaxed)
    }

    /// Lets so many bytes through from now on, and then breaks all connections.
    pub fn cut_after(&self, bytes: u64) {
        self.state.fate.send_replace(Fate::IsCutAfter(self.sent() + bytes));
    }

    /// Lets so many bytes through from now on, and then makes all wait.
    pub fn hold_after(&self, bytes: u64) {
        self.state.fate.send_replace(Fate::IsHeldAfter(self.sent() + bytes));
    }

    /// Lets everything through again.
    pub fn heal(&self) {
        self.state.fate.send_replace(Fate::Passes);
    }
}

impl State {
    /// Passes requests on, and their answers back, until either side has had enough.
    async fn pass(&self, mut caller: TcpStream) {
        let Ok(mut server) = TcpStream::connect(&self.target).await else { return };
        let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
        let (mut turn, mut tail) = (None, Vec::new());
        loop {
            tokio::select! {
                read = caller.read(&mut up) => {
                    let Ok(length @ 1..) = read else { return };
                    if turn.is_none() {
                        turn = Some(self.turn.lock().await);
                    }
                    if !self.lets_through(&up[..length], &mut tail).await {
                        return;
                    }
                    if server.write_all(&up[..length]).await.is_err() {
                        return;
                    }
                }
                read = server.read(&mut down) => {
                    let Ok(length @ 1..) = read else { return };
                    turn = None;
                    if caller.write_all(&down[..length]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn lets_through(&self, bytes: &[u8], tail: &mut Vec<u8>) -> bool {
        let length = bytes.len() as u64;
        let mut fate = self.fate.subscribe();
        let after = self.sent.load(Ordering::Relaxed) + length;
        let goes_on = |fate: &Fate| !matches!(fate, Fate::IsHeldAfter(limit) if after > *limit);
        let Ok(fate) = fate.wait_for(goes_on).await.map(|fate| *fate) else { return false };
        if matches!(fate, Fate::IsCutAfter(limit) if after > limit) {
            return false;
        }
        self.sent.fetch_add(length, Ordering::Relaxed);
        // What they look for may be cut in two by the network.
        tail.extend_from_slice(bytes);
        let found = tail.windows(CONTENTS.len()).filter(|window| *window == CONTENTS).count();
        self.content_requests.fetch_add(found, Ordering::Relaxed);
        tail.drain(..tail.len().saturating_sub(CONTENTS.len() - 1));
        true
    }
}
