//! How long a client is waited for.

use std::time::Duration;

/// How long a client is waited for. Tests make them short.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// From the connection to its first byte, without TLS.
    pub first_byte: Duration,
    /// From the connection to the end of the TLS handshake.
    pub tls_handshake: Duration,
    /// Until a request's head is there: from the first byte or the handshake, or since the answer before. Only requests
    /// count, and no other frame of HTTP/2.
    pub head: Duration,
    /// The same for a trusted proxy. Longer than proxies keep idle connections, so that it is they who close them: a
    /// proxy that sends a request into a connection that is just being closed has to fail it.
    pub head_behind_proxy: Duration,
    /// Without a byte of a request's body.
    pub body_idle: Duration,
    /// In which at least 1 KiB for each second of it must come of a body. Only time that it is waited for counts.
    pub body_window: Duration,
    /// Until a small body is whole; larger ones may take any time, at their rate.
    pub small_body: Duration,
    /// Without taking anything of an answer; in HTTP/2, without taking the next 16 KiB of a stream.
    pub write_stall: Duration,
    /// Between the pings that HTTP/2 clients have to answer.
    pub ping_every: Duration,
    /// For the answer to a ping.
    pub ping_answer: Duration,
    /// For a client to take note that its connection ends, and for what it sent before it could know.
    pub farewell: Duration,
    /// For the requests under way, once the server stops.
    pub drain: Duration,
    /// For the last answers, to requests that did not end in time.
    pub last_answers: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(10),
            tls_handshake: Duration::from_secs(5),
            head: Duration::from_secs(15),
            head_behind_proxy: Duration::from_secs(75),
            body_idle: Duration::from_secs(30),
            body_window: Duration::from_mins(1),
            small_body: Duration::from_secs(30),
            write_stall: Duration::from_mins(1),
            ping_every: Duration::from_secs(20),
            ping_answer: Duration::from_secs(10),
            farewell: Duration::from_secs(1),
            drain: Duration::from_secs(30),
            last_answers: Duration::from_secs(5),
        }
    }
}
