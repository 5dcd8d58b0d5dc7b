//! The body of an answer, on its way to the client.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::activity::UnderWay;
use super::streams::Taker;

/// The body of an answer. Its request is under way for as long as it is there.
#[derive(Debug)]
pub(super) struct AnswerBody {
    body: Body,
    taker: Option<Taker>,
    _under_way: UnderWay,
}

impl AnswerBody {
    /// Call it where the request is answered, so that it finds its stream.
    pub(super) fn new(body: Body, under_way: UnderWay) -> Self {
        Self { body, taker: Taker::of_this_stream(), _under_way: under_way }
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(context);
        if let Some(taker) = &this.taker {
            match &frame {
                Poll::Ready(Some(Ok(_))) => taker.is_given(),
                // It is asked for more, and has none yet: the client waits for us.
                _ => taker.has_taken(),
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
