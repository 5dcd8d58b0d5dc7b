//! HTTP/2's streams, and answers in them that nobody takes.
//!
//! A client can take nothing of a stream and yet answer everything else, so that the socket never stalls. hyper then
//! holds the answer's next piece and waits for room without asking the body for more: no body can notice it, but what
//! runs the stream can. So the body tells when it has given a piece and when it is asked for another, and who runs the
//! stream drops it when too much time lies between, with what waits in it. The connection's other streams go on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::{Instant, sleep};

tokio::task_local! {
    static TAKER: Taker;
}

/// Whether the client of a stream takes its answer. Its clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Taker(Arc<Mutex<Option<Instant>>>);

impl Taker {
    /// That of the stream that is being run, if it is one.
    pub(super) fn of_this_stream() -> Option<Self> {
        TAKER.try_with(Self::clone).ok()
    }

    /// A piece of the answer waits for the client.
    pub(super) fn is_given(&self) {
        self.set(Some(Instant::now()));
    }

    /// The piece is on its way, and there is room for another.
    pub(super) fn has_taken(&self) {
        self.set(None);
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Resolves when the client has taken nothing for so long.
    async fn takes_nothing_for(&self, limit: Duration) {
        loop {
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let rest = limit.saturating_sub(since.map_or(Duration::ZERO, |since| since.elapsed()));
            if rest.is_zero() {
                return;
            }
            sleep(rest).await;
        }
    }
}

/// Runs each stream as a task of its own.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    /// Without anything taken of an answer.
    pub(super) write_stall: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let limit = self.write_stall;
        tokio::spawn(async move {
            let taker = Taker::default();
            tokio::select! {
                _ = TAKER.scope(taker.clone(), stream) => {}
                () = taker.takes_nothing_for(limit) => tracing::debug!("a client takes nothing of its answer"),
            }
        });
    }
}
