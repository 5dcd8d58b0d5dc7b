//! Many open pages.

use std::time::Duration;

use otrace_server::testing::TestProject;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{PATIENCE, Page, get, now, server_with};

#[tokio::test]
async fn an_account_and_a_server_have_so_many_open_pages_and_get_their_places_back() {
    let server = server_with(|config| {
        config.limits.live_pages_per_account = 2;
        config.limits.live_pages = 3;
    })
    .await;
    let (mine, theirs) = (server.project("mine").await, server.project("theirs").await);
    let mut page = Page::open(server.url(), &mine, now(&server)).await;
    let second = Page::open(server.url(), &mine, now(&server)).await;
    let refused = async |project: &TestProject, reason: &str| {
        let response = get(server.url(), &project.slug, &project.cookie, "", None).await;
        assert_eq!(response.status().as_u16(), 503);
        assert_eq!(response.headers()["retry-after"], "5");
        let text = response.text().await.unwrap();
        assert!(text.contains(reason), "{text}");
    };
    refused(&mine, "You have too many pages open").await;
    let _third = Page::open(server.url(), &theirs, now(&server)).await;
    refused(&theirs, "Too many pages are open on this server").await;

    // The server notices a closed page when it has something to tell it.
    drop(second);
    let reopened = async {
        loop {
            server.app.run(&mine.key, "something to tell").await;
            page.hear().await;
            let response = get(server.url(), &mine.slug, &mine.cookie, "", None).await;
            if response.status().as_u16() == 200 {
                return;
            }
        }
    };
    timeout(PATIENCE, reopened).await.expect("a place is free again");
}

#[tokio::test]
async fn a_thousand_open_pages_hear_of_a_run() {
    const PAGES: usize = 1000;
    /// Generous: the machine may be busy with other tests.
    const PATIENCE: Duration = Duration::from_mins(1);
    let server = server_with(|config| config.limits.live_pages_per_account = 1000).await;
    let project = server.project("wake-word").await;
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    let (slug, cookie) = (&project.slug, &project.cookie);
    let request =
        format!("GET /projects/{slug}/live HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\r\n").into_bytes();
    let (opened, mut openings) = mpsc::channel(PAGES);
    let mut pages = JoinSet::new();
    for _ in 0..PAGES {
        let (address, request, opened) = (address.clone(), request.clone(), opened.clone());
        pages.spawn(async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(&request).await.unwrap();
            let mut text = String::new();
            read_until(&mut socket, &mut text, "\r\n\r\n").await;
            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
            opened.send(()).await.unwrap();
            drop(opened);
            read_until(&mut socket, &mut text, "\"experiment_id\":\"exp001\"").await;
        });
    }
    drop(opened);
    let all_open = async { while openings.recv().await.is_some() {} };
    timeout(PATIENCE, all_open).await.expect("all pages open in time");
    server.app.run(&project.key, "for all to hear").await;
    let all_heard = async {
        while let Some(heard) = pages.join_next().await {
            heard.unwrap();
        }
    };
    timeout(PATIENCE, all_heard).await.expect("all pages hear of it in time");
}

/// Reads until the text holds this.
async fn read_until(socket: &mut TcpStream, text: &mut String, wanted: &str) {
    let mut buffer = [0; 1024];
    while !text.contains(wanted) {
        let length = socket.read(&mut buffer).await.unwrap();
        assert!(length > 0, "the stream ended after: {text}");
        text.push_str(str::from_utf8(&buffer[..length]).unwrap());
    }
}
