//! The body of an answer, on its way to the client.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::activity::UnderWay;
use super::limits::Asked;
use super::streams::Taker;

/// The most that is given to an HTTP/2 stream at once, which is a frame: so much the client has to take in the time that
/// it has.
const PIECE_BYTES: usize = 16 * 1024;

/// The body of an answer. Its request is under way for as long as it is there.
#[derive(Debug)]
pub(super) struct AnswerBody {
    body: Body,
    /// What was not given yet of the data that the body had last.
    rest: Bytes,
    taker: Option<Taker>,
    _under_way: UnderWay,
    _asked: Asked,
}

impl AnswerBody {
    /// Call it where the request is answered, so that it finds its stream.
    pub(super) fn new(body: Body, under_way: UnderWay, asked: Asked) -> Self {
        Self { body, rest: Bytes::new(), taker: Taker::of_this_stream(), _under_way: under_way, _asked: asked }
    }

    /// The next piece of data that a stream gets; what is left of it is the rest.
    ///
    /// A stream takes a piece when all before it has left and the client takes a byte more
    /// ([`STREAM_BUFFER_BYTES`](super::connection::STREAM_BUFFER_BYTES)), and is not watched after the last one. So the
    /// last byte is a piece of its own: with it the client has taken everything else.
    fn piece_of(&mut self, mut data: Bytes) -> Bytes {
        if data.len() > 1 {
            self.rest = data.split_off(PIECE_BYTES.min(data.len() - 1));
        }
        data
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let frame = if this.rest.is_empty() {
            Pin::new(&mut this.body).poll_frame(context)
        } else {
            Poll::Ready(Some(Ok(Frame::data(mem::take(&mut this.rest)))))
        };
        let Some(taker) = &this.taker else { return frame };
        if let Poll::Ready(Some(Ok(frame))) = frame {
            taker.is_given();
            Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(data) => Frame::data(this.piece_of(data)),
                Err(trailers) => trailers,
            })))
        } else {
            // It is asked for more, and has none yet: the client waits for us.
            taker.has_taken();
            frame
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        // The upper bound first: it is never below the lower one.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(hint.lower().saturating_add(rest));
        hint
    }
}
