//! Clients that are slow, or pretend to be.

use std::time::Duration;

use otrace_server::serve::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::protocols::Certificate;
use super::{PATIENCE, SHORT, Site, client, greet, read_to_close};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Sends a byte now and then until the server closes the connection. Returns what it said before.
async fn drip(socket: &mut TcpStream) -> String {
    let mut text: Vec<u8> = Vec::new();
    let dripping = async {
        loop {
            let Ok(read) = timeout(Duration::from_millis(10), socket.read_buf(&mut text)).await else {
                // Nothing from the server: another byte.
                if socket.write_all(b"a").await.is_err() {
                    return;
                }
                continue;
            };
            // A connection that is reset is closed as well.
            if read.unwrap_or(0) == 0 {
                return;
            }
        }
    };
    timeout(PATIENCE, dripping).await.expect("the server closes the connection");
    String::from_utf8_lossy(&text).into_owned()
}

/// An HTTP/2 client's first request, `GET` for a path, with what comes before it.
fn http2_request(path: &str) -> Vec<u8> {
    http2_request_with(&SETTINGS, path)
}

/// The same, by a client with these settings.
fn http2_request_with(settings: &[u8], path: &str) -> Vec<u8> {
    let path_bytes = u8::try_from(path.len()).unwrap();
    // HPACK: GET and http from the table of usual headers, the path, and `x` as the host.
    let head = [&[0x82, 0x86, 0x04, path_bytes][..], path.as_bytes(), &[0x41, 1, b'x']].concat();
    let frame = [0, 0, u8::try_from(head.len()).unwrap(), 1, 5, 0, 0, 0, 1];
    [PREFACE, settings, &frame, head.as_slice()].concat()
}

/// The next frame of HTTP/2: its type and what is in it.
async fn http2_frame(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.unwrap();
    let [high, middle, low, kind, ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
    socket.read_exact(&mut payload).await.unwrap();
    (kind, payload)
}

fn short_of_heads(server: &mut Server) {
    server.timeouts.head = SHORT;
    server.timeouts.farewell = SHORT;
}

#[tokio::test]
async fn a_silent_client_is_closed() {
    let site = Site::start(|server| server.timeouts.first_byte = SHORT).await;
    assert_eq!(read_to_close(&mut site.connect().await).await, "");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_closed_however_it_comes() {
    let site = Site::start(short_of_heads).await;
    for beginning in ["G", "GET / HTTP/1.1\r\nhost: x\r\n", "PRI * HTTP/2"] {
        let mut socket = site.sent(beginning).await;
        assert_eq!(read_to_close(&mut socket).await, "", "{beginning:?}");
    }
    assert_eq!(drip(&mut site.sent("GET /").await).await, "");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let site = Site::start(|_| {}).await;
    for (length, status) in [(20_000, "HTTP/1.1 200"), (30_000, "HTTP/1.1 431")] {
        let request = format!("GET /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "a".repeat(length));
        let answer = read_to_close(&mut site.sent(request).await).await;
        assert!(answer.starts_with(status), "{length}: {answer}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_answer() {
    let site = Site::start(|server| server.timeouts.head = SHORT).await;
    let mut socket = site.greeted().await;
    assert_eq!(read_to_close(&mut socket).await, "");
}

#[tokio::test]
async fn a_trusted_proxy_keeps_idle_connections_longer() {
    let site = Site::start(|server| {
        server.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        server.timeouts.head = SHORT;
        server.timeouts.first_byte = SHORT * 2;
    })
    .await;
    let mut kept = site.greeted().await;
    // Another connection is the clock.
    read_to_close(&mut site.connect().await).await;
    greet(&mut kept).await;
}

#[tokio::test]
async fn a_trusted_proxy_does_not_keep_them_for_ever_either() {
    let site = Site::start(|server| {
        server.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        server.timeouts.head_behind_proxy = SHORT;
    })
    .await;
    assert_eq!(read_to_close(&mut site.greeted().await).await, "");
}

#[tokio::test]
async fn http2_that_sends_nothing_after_its_preface_is_closed() {
    let site = Site::start(short_of_heads).await;
    for beginning in [PREFACE.to_vec(), [PREFACE, &SETTINGS].concat()] {
        read_to_close(&mut site.sent(beginning).await).await;
    }
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_after_its_answer() {
    let site = Site::start(short_of_heads).await;
    let answer = read_to_close(&mut site.sent(http2_request("/")).await).await;
    // Its last byte has a frame of its own.
    assert!(answer.contains("hell"), "{answer:?}");
}

#[tokio::test]
async fn http2_that_answers_no_ping_is_closed_and_who_answers_is_waited_for() {
    let site = Site::start(|server| {
        server.timeouts.ping_every = SHORT;
        server.timeouts.ping_answer = SHORT * 4;
    })
    .await;
    let http2 = client(reqwest::ClientBuilder::http2_prior_knowledge);
    let waiting = tokio::spawn(http2.get(format!("http://{}/gate", site.address)).send());
    let mut deaf = site.sent(http2_request("/gate")).await;
    site.gate.has(2).await;
    read_to_close(&mut deaf).await;
    // This one was asked as well.
    site.gate.open();
    assert_eq!(waiting.await.unwrap().unwrap().text().await.unwrap(), "passed");
}

#[tokio::test]
async fn http2_that_takes_its_requests_back_all_the_time_is_closed() {
    let site = Site::start(|_| {}).await;
    let mut bytes = [PREFACE, &SETTINGS].concat();
    for request in (1..2000_u32).step_by(2) {
        let stream = request.to_be_bytes();
        // GET http://x/ in HPACK's table of usual headers, then RST_STREAM with CANCEL.
        let head = [0x82, 0x86, 0x84, 0x41, 1, b'x'];
        bytes.extend([&[0, 0, 6, 1, 5][..], &stream, &head].concat());
        bytes.extend([&[0, 0, 4, 3, 0][..], &stream, &8_u32.to_be_bytes()].concat());
    }
    let mut socket = site.connect().await;
    // The server may close it before it has read everything.
    let _ = socket.write_all(&bytes).await;
    read_to_close(&mut socket).await;
}

#[tokio::test]
async fn a_body_that_stalls_is_told_so_and_closed() {
    let site = Site::start(|server| server.timeouts.body_idle = SHORT).await;
    let mut socket = site.sent("POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc").await;
    let answer = read_to_close(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too slowly"), "{answer}");
}

#[tokio::test]
async fn a_body_that_drips_is_told_so_and_closed() {
    let at_no_rate = |server: &mut Server| server.timeouts.body_window = SHORT;
    let small_for_too_long = |server: &mut Server| server.timeouts.small_body = SHORT;
    let large = "transfer-encoding: chunked\r\n\r\n100000\r\n";
    let small = "content-length: 100000\r\n\r\n";
    for (site, body) in [(Site::start(at_no_rate).await, large), (Site::start(small_for_too_long).await, small)] {
        let mut socket = site.sent(format!("POST /upload HTTP/1.1\r\nhost: x\r\n{body}")).await;
        let answer = drip(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{body:?}: {answer}");
    }
}

#[tokio::test]
async fn a_download_that_nobody_takes_ends() {
    let site = Site::start(|server| server.timeouts.write_stall = SHORT).await;
    let _socket = site.sent("GET /download HTTP/1.1\r\nhost: x\r\n\r\n").await;
    site.download_ends().await;
}

#[tokio::test]
async fn a_download_over_http2_that_nobody_takes_ends_and_its_connection_goes_on() {
    let site = Site::start(|server| {
        server.timeouts.write_stall = SHORT;
        // Another connection would find no place.
        server.limits.connections = 1;
    })
    .await;
    let http2 = client(reqwest::ClientBuilder::http2_prior_knowledge);
    let url = format!("http://{}", site.address);
    // The client answers all that HTTP/2 asks, and only takes no more of this stream.
    let mut untaken = http2.get(format!("{url}/download")).send().await.unwrap();
    site.download_ends().await;
    let hello = http2.get(&url).send().await.unwrap();
    assert_eq!(hello.text().await.unwrap(), "hello");
    let rest = async { while untaken.chunk().await.is_ok_and(|chunk| chunk.is_some()) {} };
    timeout(PATIENCE, rest).await.expect("what is left of the download ends");
}

#[tokio::test]
async fn an_answer_over_http2_of_which_a_client_takes_one_byte_is_taken_back_though_it_pings() {
    const DATA: u8 = 0;
    const RST_STREAM: u8 = 3;
    const PING: u8 = 6;
    let site = Site::start(|server| server.timeouts.write_stall = SHORT).await;
    // SETTINGS_INITIAL_WINDOW_SIZE is 1.
    let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1];
    let ping = [&[0, 0, 8, PING, 0, 0, 0, 0, 0][..], &[0; 8]].concat();
    for path in ["/", "/page"] {
        let mut socket = site.sent(http2_request_with(&settings, path)).await;
        let mut taken = 0;
        let pinging = async {
            socket.write_all(&ping).await.unwrap();
            loop {
                match http2_frame(&mut socket).await {
                    (DATA, data) => taken += data.len(),
                    (PING, _) => socket.write_all(&ping).await.unwrap(),
                    (RST_STREAM, _) => break,
                    _ => {}
                }
            }
        };
        timeout(PATIENCE, pinging).await.expect("the server takes the answer back");
        assert_eq!(taken, 1, "{path}");
    }
}

#[tokio::test]
async fn a_tls_handshake_that_does_not_end_is_closed() {
    let certificate = Certificate::new();
    let site = Site::start(|server| {
        server.tls = Some(certificate.tls());
        server.timeouts.tls_handshake = SHORT;
    })
    .await;
    for beginning in [&b""[..], &b"\x16\x03\x01\x02\x00\x01"[..]] {
        assert_eq!(read_to_close(&mut site.sent(beginning).await).await, "", "{beginning:?}");
    }
}
