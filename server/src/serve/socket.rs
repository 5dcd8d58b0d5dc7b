//! A client's socket: what was read too early, and answers that nobody takes.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::activity::Activity;

/// What every HTTP/2 client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A socket on which writing fails when the client takes nothing for too long.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// What was read to see which protocol it is.
    read_ahead: BytesMut,
    write_stall: Duration,
    /// Since when the client takes nothing, as the end of its time.
    stalled: Option<Pin<Box<Sleep>>>,
    activity: Arc<Activity>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, write_stall: Duration, activity: Arc<Activity>) -> Self {
        Self { stream, read_ahead: BytesMut::new(), write_stall, stalled: None, activity }
    }

    /// Resolves when the first byte is there, or the end.
    pub(super) async fn first_byte(&self) -> io::Result<()> {
        // `readable` may be wrong about it.
        self.stream.peek(&mut [0]).await.map(drop)
    }

    /// Whether the client speaks HTTP/2 without having been asked, by the preface. Reads as little as tells it.
    pub(super) async fn speaks_http2(&mut self) -> io::Result<bool> {
        self.read_ahead.reserve(PREFACE.len());
        loop {
            let known = self.read_ahead.len().min(PREFACE.len());
            if self.read_ahead[..known] != PREFACE[..known] {
                return Ok(false);
            }
            if known == PREFACE.len() {
                return Ok(true);
            }
            if self.stream.read_buf(&mut self.read_ahead).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Passes on how a write went, and fails it when it has waited for too long.
    fn watch(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            // What leaves at once may be the answer to a ping, which is no use of the connection.
            if self.stalled.take().is_some() {
                self.activity.goes_on();
            }
            return written;
        }
        let limit = self.write_stall;
        if self.stalled.is_none() {
            self.activity.stalls_for(limit);
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client takes nothing of its answer")))
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read_ahead.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let length = this.read_ahead.len().min(buffer.remaining());
        buffer.put_slice(&this.read_ahead.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.watch(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // A TCP socket has nothing of its own to flush, so that it never waits for the client here.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
