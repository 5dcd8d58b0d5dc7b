//! Clients that are slow, or pretend to be.

use std::time::Duration;

use otrace_server::serve::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::protocols::Certificate;
use super::{PATIENCE, SHORT, Site, client, greet, read_to_close};

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

/// A server that does not wait long for a request.
pub(super) fn short_of_heads(server: &mut Server) {
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
