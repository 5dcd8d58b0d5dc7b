//! One connection, from its first byte to its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::activity::Activity;
use super::exchange;
use super::limits::Place;
use super::socket::Socket;
use super::streams::Streams;
use super::{Shared, Timeouts, tls};

/// The largest head of a request: 8 KiB for its first line, 16 KiB for its headers. HTTP/1 takes at most 100 headers
/// besides, which is hyper's own limit; setting it costs each request an allocation.
const HEAD_MAX_BYTES: u16 = 24 * 1024;
/// What an HTTP/1 connection reads ahead and holds back, in bytes. hyper's 400 KiB are much for 8192 of them.
const BUFFER_BYTES: usize = 128 * 1024;
/// From so many bytes on that wait in an HTTP/2 stream, its answer gives it nothing more: it has one piece at a time.
/// With more, a client that makes its window smaller late would leave answers there that are at their ends, which nobody
/// counts or watches any more.
pub(super) const STREAM_BUFFER_BYTES: usize = 1;
/// The requests of one HTTP/2 connection at once.
const STREAMS_MAX: u32 = 100;
/// Streams that the client takes back before they were looked at; more end the connection (CVE-2023-44487).
const TAKEN_BACK_MAX: usize = 20;
/// Streams that the client made the server take back (CVE-2024-2758 and its like).
const BROKEN_MAX: usize = 256;

/// A client's bytes, in the clear.
type Stream = Either<Socket, Box<TlsStream<Socket>>>;

/// How HTTP is spoken.
pub(super) struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<Streams>,
}

impl Protocols {
    pub(super) fn new(timeouts: &Timeouts) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .max_header_size(HEAD_MAX_BYTES.into())
            .max_buf_size(BUFFER_BYTES)
            // `Activity` watches for heads.
            .header_read_timeout(None::<Duration>);
        let mut http2 = http2::Builder::new(Streams { write_stall: timeouts.write_stall });
        http2
            .timer(TokioTimer::new())
            .max_header_list_size(HEAD_MAX_BYTES.into())
            .max_send_buf_size(STREAM_BUFFER_BYTES)
            .max_concurrent_streams(STREAMS_MAX)
            .max_pending_accept_reset_streams(TAKEN_BACK_MAX)
            .max_local_error_reset_streams(BROKEN_MAX)
            .keep_alive_interval(timeouts.ping_every)
            .keep_alive_timeout(timeouts.ping_answer);
        Self { http1, http2 }
    }
}

/// Holds a connection until it ends. The place is its own until then.
pub(super) async fn hold(shared: Arc<Shared>, stream: TcpStream, address: SocketAddr, place: Place) {
    let ended = tokio::select! {
        ended = serve(&shared, stream, address, &place) => ended,
        () = shared.over.cancelled() => Ok(()),
    };
    if let Err(error) = ended {
        tracing::debug!(error = format!("{error:#}"), %address, "a connection ended early");
    }
}

async fn serve(shared: &Arc<Shared>, stream: TcpStream, address: SocketAddr, place: &Place) -> anyhow::Result<()> {
    // Small answers leave at once.
    let _ = stream.set_nodelay(true);
    let activity = Arc::new(Activity::new());
    let socket = Socket::new(stream, shared.timeouts.write_stall, Arc::clone(&activity));
    let (stream, is_http2) = tokio::select! {
        // First what is there already: a request that came before the server was told to stop.
        biased;
        opened = open(shared, socket) => opened?,
        () = stopped_since(shared, shared.timeouts.farewell) => bail!("it had not begun when the server stopped"),
    };
    // The time for the head begins.
    activity.note();
    let service = {
        let (shared, activity, asker) = (Arc::clone(shared), Arc::clone(&activity), place.asker());
        service_fn(move |request| {
            exchange::answer(Arc::clone(&shared), Arc::clone(&activity), address, asker.clone(), request)
        })
    };
    let stream = TokioIo::new(stream);
    let patience = Patience::with(place, &shared.timeouts);
    if is_http2 {
        drive(shared.protocols.http2.serve_connection(stream, service), shared, &activity, patience).await?;
    } else {
        drive(shared.protocols.http1.serve_connection(stream, service), shared, &activity, patience).await?;
    }
    Ok(())
}

/// How long an open connection is waited for.
#[derive(Clone, Copy)]
struct Patience {
    /// For its next request.
    unused_max: Duration,
    /// For a last one, when the server stops.
    last_request: Duration,
}

impl Patience {
    fn with(place: &Place, timeouts: &Timeouts) -> Self {
        if place.is_of_proxy() {
            // A proxy has to fail a request that it writes while the connection is being closed. So those that it keeps
            // get a last answer each, which tells it to use them no more, before the rest is closed.
            Self { unused_max: timeouts.head_behind_proxy, last_request: timeouts.farewell }
        } else {
            Self { unused_max: timeouts.head, last_request: Duration::ZERO }
        }
    }
}

/// Finds out how the client speaks, and whether it is HTTP/2.
///
/// hyper-util's `auto` connection would as well, but waits for ever for the first byte and for the rest of a preface.
async fn open(shared: &Shared, mut socket: Socket) -> anyhow::Result<(Stream, bool)> {
    let timeouts = &shared.timeouts;
    let Some(tls) = &shared.tls else {
        timeout(timeouts.first_byte, socket.first_byte()).await.context("nothing came")??;
        let is_http2 = timeout(timeouts.head, socket.speaks_http2()).await.context("half a preface came")??;
        return Ok((Either::Left(socket), is_http2));
    };
    let handshake = tls.acceptor().accept(socket);
    let stream = timeout(timeouts.tls_handshake, handshake).await.context("no TLS handshake")??;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::ALPN_HTTP2);
    Ok((Either::Right(Box::new(stream)), is_http2))
}

/// Resolves so long after the server has stopped listening: what was on its way then is here.
async fn stopped_since(shared: &Shared, time: Duration) {
    shared.ending.cancelled().await;
    sleep(time).await;
}

/// Serves a connection until it ends by itself, is not used for too long, or the server stops.
async fn drive<C>(connection: C, shared: &Shared, activity: &Activity, patience: Patience) -> hyper::Result<()>
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut connection = pin!(connection);
    let mut unused_max = patience.unused_max;
    let mut is_ending = false;
    loop {
        tokio::select! {
            // First the client: what has come is taken before the connection is ended.
            biased;
            ended = connection.as_mut() => return ended,
            () = activity.unused_for(unused_max) => {
                // It took no note of the end.
                if is_ending {
                    return Ok(());
                }
            }
            () = stopped_since(shared, patience.last_request), if !is_ending => {}
        }
        // HTTP/1 closes at once, or after the answer under way. HTTP/2 tells the client to send nothing more and waits
        // until it knows: for a silent one, not long.
        connection.as_mut().graceful_shutdown();
        is_ending = true;
        unused_max = shared.timeouts.farewell;
        activity.note();
    }
}
