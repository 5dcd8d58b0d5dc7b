//! A proxy that breaks what passes through it, by a plan.
//!
//! It reads a whole request, does to it what the plan says, and closes the connection after it: so every request comes
//! on a connection of its own, and what is done to one touches no other.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::message::{self, Request};
use super::plan::Plan;
pub use super::plan::{Fault, Nth};

/// How long [`Fault::Silence`] lasts: longer than a run is given to tell what it has not told.
const SILENCE: Duration = Duration::from_secs(2);
/// How late an answer is with [`Fault::Slow`].
const LATENCY: Duration = Duration::from_millis(700);
/// So many connections fail in a [`Fault::Outage`], besides the one that it begins with.
const OUTAGE: usize = 1;
/// So many bytes come one by one with [`Fault::Drip`]; what follows them in a long message comes at once.
const DRIPPING: usize = 4096;

/// A way to a server.
pub struct Proxy {
    url: String,
    inner: Arc<Inner>,
}

/// The calls that come from a moment on.
#[derive(Clone)]
pub struct Watched {
    calls: watch::Receiver<Vec<String>>,
    from: usize,
}

struct Inner {
    target: Mutex<String>,
    plan: Mutex<Plan>,
    late: Mutex<Vec<Vec<u8>>>,
    refusals: Mutex<Vec<String>>,
    /// The calls that came, in their order.
    calls: watch::Sender<Vec<String>>,
    /// Those that something was done to.
    broken: watch::Sender<Vec<String>>,
    /// Those that nothing was done to, and the server has answered.
    answered: watch::Sender<Vec<String>>,
    is_open: watch::Sender<bool>,
    /// How many connections an outage is still to take.
    outage: Mutex<usize>,
    /// How often it was healed.
    healed: watch::Sender<u32>,
}

impl Proxy {
    /// A way to the server at this address.
    pub fn to(url: &str) -> Self {
        // It keeps the port while nobody listens on it: connections are refused then, and nobody else gets it.
        let port = socket("127.0.0.1:0");
        let address = port.local_addr().expect("an address").to_string();
        let inner = Arc::new(Inner {
            target: Mutex::new(without_scheme(url)),
            plan: Mutex::new(Plan::nothing()),
            late: Mutex::default(),
            refusals: Mutex::default(),
            calls: watch::Sender::default(),
            broken: watch::Sender::default(),
            answered: watch::Sender::default(),
            is_open: watch::Sender::new(true),
            outage: Mutex::default(),
            healed: watch::Sender::default(),
        });
        let url = format!("http://{address}");
        let listener = socket(&address).listen(64).expect("listening");
        tokio::spawn(accept(Arc::clone(&inner), port, address, listener));
        Self { url, inner }
    }

    /// The server's address, seen through it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Does this to the first call of that name.
    pub fn break_first(&self, call: &str, fault: Fault) {
        self.break_some(call, Nth::First, fault);
    }

    /// Does this to the first call of every name but these.
    pub fn break_each(&self, fault: Fault, but: &[&str]) {
        self.break_every(Nth::First, fault, but);
    }

    /// Does this to these of the calls of that name, counted from now on.
    pub fn break_some(&self, call: &str, nth: Nth, fault: Fault) {
        *lock(&self.inner.plan) = Plan::some(call, nth, fault);
    }

    /// Does this to these of the calls of every name but some, counted from now on.
    pub fn break_every(&self, nth: Nth, fault: Fault, but: &[&str]) {
        *lock(&self.inner.plan) = Plan::each(nth, fault, but);
    }

    /// Ends what goes on: connections are let through, and what is held is lost. The plan stays.
    pub fn heal(&self) {
        self.inner.is_open.send_replace(true);
        *lock(&self.inner.outage) = 0;
        self.inner.healed.send_modify(|healed| *healed += 1);
    }

    /// Breaks nothing more.
    pub fn break_nothing(&self) {
        *lock(&self.inner.plan) = Plan::nothing();
        self.heal();
    }

    /// Leads to another address from now on.
    pub fn lead_to(&self, url: &str) {
        *lock(&self.inner.target) = without_scheme(url);
    }

    /// The calls that came, in their order.
    pub fn calls(&self) -> Vec<String> {
        self.inner.calls.borrow().clone()
    }

    /// The calls that come, to be waited for.
    pub fn watched(&self) -> Watched {
        Watched { calls: self.inner.calls.subscribe(), from: self.calls().len() }
    }

    /// What the server has answered that was not a success, as it was written.
    pub fn refusals(&self) -> Vec<String> {
        lock(&self.inner.refusals).clone()
    }

    /// The calls that something was done to, once there are so many.
    pub async fn broken(&self, count: usize) -> Vec<String> {
        let mut broken = self.inner.broken.subscribe();
        broken.wait_for(|broken| broken.len() >= count).await.expect("the proxy lives").clone()
    }

    /// How many calls of this name the server has answered, and nothing was done to.
    pub fn answered(&self, call: &str) -> usize {
        count(&self.inner.answered.borrow(), call)
    }

    /// Waits until there are so many of them.
    pub async fn has_answered(&self, call: &str, times: usize) {
        let mut answered = self.inner.answered.subscribe();
        answered.wait_for(|answered| count(answered, call) >= times).await.expect("the proxy lives");
    }

    /// Brings the server what is [`Fault::Late`], the last first.
    pub async fn deliver_late(&self) {
        let late = std::mem::take(&mut *lock(&self.inner.late));
        for request in late.into_iter().rev() {
            self.inner.exchange(&request).await.expect("the server answers");
        }
    }
}

impl Watched {
    /// Waits until the calls that have come since are enough.
    pub async fn are(mut self, enough: impl Fn(&[String]) -> bool) {
        let from = self.from;
        self.calls.wait_for(|calls| enough(&calls[from..])).await.expect("the proxy lives");
    }
}

fn count(calls: &[String], call: &str) -> usize {
    calls.iter().filter(|found| *found == call).count()
}

fn without_scheme(url: &str) -> String {
    url.trim_start_matches("http://").trim_end_matches('/').to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panicked with it")
}

/// A socket with this address, which shares it with the others that have been made so.
fn socket(address: &str) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("set");
    socket.set_reuseport(true).expect("set");
    socket.bind(address.parse().expect("an address")).expect("a port");
    socket
}

async fn accept(inner: Arc<Inner>, _port: TcpSocket, address: String, mut listener: TcpListener) {
    let mut is_open = inner.is_open.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => Some(accepted),
            _ = is_open.wait_for(|is_open| !is_open) => None,
        };
        match accepted {
            Some(Ok((caller, _))) if inner.is_out() => drop(caller.set_zero_linger()),
            // A connection that breaks is what it is for.
            Some(Ok((caller, _))) => drop(tokio::spawn(pass(Arc::clone(&inner), caller))),
            Some(Err(_)) => {}
            None => {
                drop(listener);
                if is_open.wait_for(|is_open| *is_open).await.is_err() {
                    return;
                }
                listener = socket(&address).listen(64).expect("listening");
            }
        }
    }
}

async fn pass(inner: Arc<Inner>, mut caller: TcpStream) -> io::Result<()> {
    let Some(request) = message::read(&mut caller).await? else { return Ok(()) };
    let mut healed = inner.healed.subscribe();
    healed.mark_unchanged();
    let fault = inner.meet(&request);
    let answer = match fault {
        None => {
            let answer = inner.exchange(&request.bytes).await?;
            inner.answered.send_modify(|answered| answered.push(request.name.clone()));
            answer
        }
        Some(fault) => match inner.broken(fault, &request, &mut healed).await? {
            Some(answer) => answer,
            None => return caller.set_zero_linger(),
        },
    };
    if fault == Some(Fault::Drip) {
        return drip(&mut caller, &answer).await;
    }
    caller.write_all(&answer).await?;
    caller.shutdown().await
}

async fn drip(to: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    to.set_nodelay(true)?;
    let (first, rest) = bytes.split_at(bytes.len().min(DRIPPING));
    for byte in first {
        to.write_all(std::slice::from_ref(byte)).await?;
    }
    to.write_all(rest).await
}

impl Inner {
    /// Writes a call down, and says what is done to it.
    fn meet(&self, request: &Request) -> Option<Fault> {
        let name = &request.name;
        let fault = lock(&self.plan).meet(name);
        match fault {
            Some(Fault::Refuse) => {
                self.is_open.send_replace(false);
            }
            Some(Fault::Outage) => *lock(&self.outage) = OUTAGE,
            _ => {}
        }
        self.calls.send_modify(|calls| calls.push(name.clone()));
        if fault.is_some() && !matches!(fault, Some(Fault::HoldAnswer)) {
            self.broken.send_modify(|broken| broken.push(name.clone()));
        }
        fault
    }

    /// Whether an outage takes the connection that has just come.
    fn is_out(&self) -> bool {
        let mut left = lock(&self.outage);
        let is_out = *left > 0;
        *left = left.saturating_sub(1);
        is_out
    }

    /// What comes back of a request that something is done to. Nothing: its connection is reset.
    async fn broken(
        &self,
        fault: Fault,
        request: &Request,
        healed: &mut watch::Receiver<u32>,
    ) -> io::Result<Option<Vec<u8>>> {
        let bytes = &request.bytes;
        match fault {
            Fault::Refuse | Fault::Outage | Fault::Reset => return Ok(None),
            Fault::CutRequest => {
                let mut server = self.connect().await?;
                server.write_all(&bytes[..bytes.len() / 2]).await?;
                return Ok(None);
            }
            Fault::LoseAnswer => {
                self.exchange(bytes).await?;
                return Ok(None);
            }
            Fault::Silence => {
                tokio::time::sleep(SILENCE).await;
                return Ok(None);
            }
            Fault::Late => {
                lock(&self.late).push(bytes.clone());
                return Ok(None);
            }
            Fault::HoldRequest | Fault::HoldAnswer => {
                if fault == Fault::HoldAnswer {
                    // One that the server did not come to answer is still to be broken.
                    let answered = self.exchange(bytes).await;
                    answered.inspect_err(|_| lock(&self.plan).forget(&request.name))?;
                    self.broken.send_modify(|broken| broken.push(request.name.clone()));
                }
                // Whoever would heal it may be gone.
                let _ = healed.changed().await;
                return Ok(None);
            }
            Fault::CutHead => self.exchange(bytes).await.map(|answer| answer[..10].to_vec()),
            Fault::CutAnswer => self.exchange(bytes).await.map(|answer| answer[..answer.len() / 2].to_vec()),
            Fault::CutBody => self.exchange(bytes).await.map(|answer| answer[..answer.len() - 3].to_vec()),
            Fault::Slow => {
                let answer = self.exchange(bytes).await;
                tokio::time::sleep(LATENCY).await;
                answer
            }
            Fault::Drip => {
                let mut server = self.connect().await?;
                drip(&mut server, bytes).await?;
                message::answer(&mut server).await
            }
            Fault::Twice => {
                self.exchange(bytes).await?;
                self.exchange(bytes).await
            }
            Fault::TwiceAtOnce => {
                let (first, second) = tokio::join!(self.exchange(bytes), self.exchange(bytes));
                first.and(second)
            }
            Fault::Answer(answer) => Ok(answer.as_bytes().to_vec()),
        }
        .map(Some)
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let target = lock(&self.target).clone();
        TcpStream::connect(target).await
    }

    async fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut server = self.connect().await?;
        server.write_all(request).await?;
        let answer = message::answer(&mut server).await?;
        if !answer.starts_with(b"HTTP/1.1 2") {
            lock(&self.refusals).push(String::from_utf8_lossy(&answer).into_owned());
        }
        Ok(answer)
    }
}
