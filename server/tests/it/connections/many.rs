//! Thousands of connections that are idle or slow.

use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::{PATIENCE, Site, greet, read_until};

/// So many of each of four kinds.
const EACH: usize = 500;
/// Each connection is a file at both ends, which are both in this process; and some to spare.
const OPEN_FILES: u64 = 5000;

fn allow_open_files() {
    let (now, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(most >= OPEN_FILES, "2,000 connections need {OPEN_FILES} open files, and {most} are allowed (ulimit -Hn)");
    setrlimit(Resource::RLIMIT_NOFILE, now.max(OPEN_FILES), most).unwrap();
}

/// What it costs the others is a figure of `make bench`; here is that nobody is kept out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_idle_and_slow_connections_keep_nobody_out() {
    allow_open_files();
    let site = Site::start(|server| {
        server.limits.per_address = 8 * EACH;
        // Fewer than send their bodies slowly.
        server.limits.requests = EACH / 10;
        // Opening them may take its time.
        server.timeouts.first_byte = Duration::from_mins(2);
        server.timeouts.head = Duration::from_mins(2);
        server.timeouts.body_idle = Duration::from_mins(2);
        server.timeouts.small_body = Duration::from_mins(2);
    })
    .await;
    let (mut silent, mut idle, mut heads, mut bodies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..EACH {
        silent.push(site.connect().await);
        idle.push(site.greeted().await);
        heads.push(site.sent("GET / HTTP/1.1\r\nhost:").await);
        bodies.push(site.sent("POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nhalf").await);
    }
    let others = async {
        for _ in 0..100 {
            site.greeted().await;
        }
    };
    timeout(PATIENCE, others).await.expect("who comes now is served");
    // And so is each of them that goes on.
    for socket in silent.iter_mut().chain(&mut idle) {
        greet(socket).await;
    }
    for socket in &mut heads {
        socket.write_all(b" x\r\n\r\n").await.unwrap();
        read_until(socket, "hello").await;
    }
    for socket in &mut bodies {
        socket.write_all(b"half").await.unwrap();
        read_until(socket, "\r\n\r\n8").await;
    }
}
