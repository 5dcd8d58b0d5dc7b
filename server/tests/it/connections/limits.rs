//! As many as there may be, and no more.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{PATIENCE, Site, client, greet, read_to_close, read_until};

/// A connection that finds no place.
async fn is_turned_away(site: &Site) {
    let answer = read_to_close(&mut site.connect().await).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after"), "{answer:?}");
}

/// A connection that finds a place as soon as the server knows that one is free.
async fn finds_a_place(site: &Site) -> TcpStream {
    let trying = async {
        loop {
            let mut socket = site.connect().await;
            let _ = socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
            let mut first = [0; 12];
            // One that is turned away may be reset as well.
            if socket.read_exact(&mut first).await.is_ok() && first == *b"HTTP/1.1 200" {
                read_until(&mut socket, "hello").await;
                return socket;
            }
        }
    };
    timeout(PATIENCE, trying).await.expect("a place is free again")
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_gets_their_places_back() {
    let site = Site::start(|server| server.limits.per_address = 2).await;
    let (mut first, mut second) = (site.greeted().await, site.greeted().await);
    is_turned_away(&site).await;
    // Who was there goes on.
    greet(&mut first).await;
    drop(first);
    let _third = finds_a_place(&site).await;
    greet(&mut second).await;
}

#[tokio::test]
async fn a_server_has_so_many_connections_in_all_and_goes_on_with_those() {
    let site = Site::start(|server| {
        server.limits.connections = 2;
        server.limits.per_address = 1;
        // Those of a proxy are not counted by its address.
        server.limits.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    // One that sends nothing takes a place like any other, and does not hold up who comes after it.
    let silent = site.connect().await;
    let mut first = site.greeted().await;
    for _ in 0..20 {
        is_turned_away(&site).await;
    }
    greet(&mut first).await;
    drop(silent);
    finds_a_place(&site).await;
}

#[tokio::test]
async fn a_server_with_too_much_to_do_says_so_at_once() {
    let site = Site::start(|server| server.limits.requests = 2).await;
    let http = client(|builder| builder);
    let url = format!("http://{}", site.address);
    let waiting = [(); 2].map(|()| tokio::spawn(http.get(format!("{url}/gate")).send()));
    site.gate.has(2).await;

    let refused = http.get(&url).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 503);
    assert_eq!(refused.headers()["retry-after"], "2");
    let error: serde_json::Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!((error["ok"].as_bool(), error["code"].as_str()), (Some(false), Some("unavailable")));
    // How it is may be asked all the same.
    assert_eq!(http.get(format!("{url}/health/live")).send().await.unwrap().status().as_u16(), 200);

    site.gate.open();
    for passed in waiting {
        assert_eq!(passed.await.unwrap().unwrap().text().await.unwrap(), "passed");
    }
    assert_eq!(http.get(&url).send().await.unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn an_address_with_too_many_requests_under_way_keeps_nobody_else_out() {
    let site = Site::start(|server| {
        server.limits.per_address = 4;
        server.limits.requests = 8;
    })
    .await;
    let url = format!("http://{}", site.address);
    let greedy = client(|builder| builder.http2_prior_knowledge().local_address(IpAddr::from([127, 0, 0, 2])));
    let mut asked = JoinSet::new();
    for _ in 0..8 {
        asked.spawn(greedy.get(format!("{url}/gate")).send());
    }
    for _ in 0..4 {
        let refused = timeout(PATIENCE, asked.join_next()).await.expect("half of them are refused at once");
        assert_eq!(refused.unwrap().unwrap().unwrap().status().as_u16(), 503);
    }
    site.gate.has(4).await;

    // Others find a place, and how the server is may still be asked.
    let other = client(|builder| builder);
    assert_eq!(other.get(&url).send().await.unwrap().status().as_u16(), 200);
    assert_eq!(greedy.get(format!("{url}/health/live")).send().await.unwrap().status().as_u16(), 200);
    assert_eq!(greedy.get(&url).send().await.unwrap().status().as_u16(), 503);

    site.gate.open();
    while let Some(passed) = asked.join_next().await {
        assert_eq!(passed.unwrap().unwrap().text().await.unwrap(), "passed");
    }
    assert_eq!(greedy.get(&url).send().await.unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn who_sends_slowly_keeps_nobody_out() {
    let site = Site::start(|server| server.limits.requests = 1).await;
    let mut slow = Vec::new();
    for _ in 0..5 {
        // "100 Continue" says that the server waits for the body.
        let head = "POST /upload HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
        let mut socket = site.sent(head).await;
        read_until(&mut socket, "100 Continue\r\n\r\n").await;
        slow.push(socket);
    }
    site.greeted().await;
    for mut socket in slow {
        socket.write_all(b"abc").await.unwrap();
        read_until(&mut socket, "HTTP/1.1 200").await;
    }
}
