//! Whether a connection is used.
//!
//! One rule covers whatever a client may leave undone before its request is there, in HTTP/1 and in HTTP/2: sending
//! nothing, half a head, a head byte by byte, only HTTP/2's preface, or nothing more after an answer. Only requests and
//! their answers are use: what HTTP/2 says besides, such as a ping and the answer to it, is none. hyper has a timer for
//! HTTP/1's heads alone, and it starts while the answer before may still be leaving.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// What a connection is used for.
#[derive(Debug)]
pub(super) struct Activity {
    opened_at: Instant,
    /// When it was last used, in milliseconds since it was opened. Later than now: another time runs until then.
    used_at_ms: AtomicU64,
    /// The requests whose answers are not at their ends.
    under_way: AtomicUsize,
}

/// A request, until its answer is at its end.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Activity>);

impl Activity {
    /// Of a connection that is open from now on.
    pub(super) fn new() -> Self {
        Self { opened_at: Instant::now(), used_at_ms: AtomicU64::new(0), under_way: AtomicUsize::new(0) }
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(self))
    }

    /// It is used: the time of waiting starts anew, unless another one runs.
    pub(super) fn note(&self) {
        self.used_at_ms.fetch_max(self.elapsed_ms(Duration::ZERO), Ordering::AcqRel);
    }

    /// The client takes nothing of what is written. It has a time of its own for that, at most so long.
    pub(super) fn stalls_for(&self, limit: Duration) {
        self.used_at_ms.fetch_max(self.elapsed_ms(limit), Ordering::AcqRel);
    }

    /// The client takes something again: the time of waiting starts anew.
    pub(super) fn goes_on(&self) {
        self.used_at_ms.store(self.elapsed_ms(Duration::ZERO), Ordering::Release);
    }

    /// What the time will be after `more`, in milliseconds since the connection was opened.
    fn elapsed_ms(&self, more: Duration) -> u64 {
        u64::try_from((self.opened_at.elapsed() + more).as_millis()).unwrap_or(u64::MAX)
    }

    /// Resolves when the connection was not used for so long.
    pub(super) async fn unused_for(&self, limit: Duration) {
        loop {
            let rest = if self.under_way.load(Ordering::Acquire) > 0 {
                limit
            } else {
                let used_at = Duration::from_millis(self.used_at_ms.load(Ordering::Acquire));
                limit.saturating_sub(self.opened_at.elapsed().saturating_sub(used_at))
            };
            if rest.is_zero() {
                return;
            }
            sleep(rest).await;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.note();
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}
