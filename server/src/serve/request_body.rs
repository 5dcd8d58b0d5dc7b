//! The body of a request, as it comes from the client.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::BoxError;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::Timeouts;
use super::crowd::Waiter;
use super::pace::Pace;

/// Why a body ends in an error: its client was too slow.
#[derive(Clone, Debug, Default)]
pub(super) struct TooSlow(Arc<AtomicBool>);

impl TooSlow {
    pub(super) fn is_so(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The body of a request, which ends in an error when its client is too slow.
///
/// It is for whoever reads it: while nobody does, no time passes.
#[derive(Debug)]
pub(super) struct RequestBody {
    body: Incoming,
    pace: Pace,
    /// Since when the client is waited for, and until when.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    waiter: Waiter,
    too_slow: TooSlow,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, timeouts: &Timeouts, waiter: Waiter, too_slow: TooSlow) -> Self {
        let pace = Pace::new(timeouts, body.size_hint().exact());
        Self { body, pace, waiting: None, waiter, too_slow }
    }

    /// Something has come, if only the end.
    fn has_come(&mut self, bytes: usize) {
        let waited = self.waiting.take().map(|(since, _)| {
            self.waiter.goes_on();
            since.elapsed()
        });
        self.pace.has_come(bytes as u64, waited.unwrap_or_default());
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            this.has_come(data.map_or(0, Bytes::len));
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let (_, end) = this.waiting.get_or_insert_with(|| {
            this.waiter.waits_for_client();
            (Instant::now(), Box::pin(sleep(this.pace.patience())))
        });
        ready!(end.as_mut().poll(context));
        this.too_slow.0.store(true, Ordering::Release);
        Poll::Ready(Some(Err("the body comes too slowly".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
