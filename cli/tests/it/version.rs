//! Two sides of different ages: each says its version, and the one that can't go on says why.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use otrace_server::testing::TestServer;

use crate::workspace::Workspace;

/// A server that gives one answer, and tells what it was asked.
fn answering(head: &'static str, body: &'static str) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a caller");
        let mut stream = BufReader::new(stream);
        let lines = head_of(&mut stream);
        let length = body.len();
        let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        stream.get_mut().write_all(answer.as_bytes()).expect("it is read");
        lines
    });
    (url, asked)
}

/// The lines of a request's head.
fn head_of(stream: &mut BufReader<TcpStream>) -> Vec<String> {
    let lines = stream.lines().map(|line| line.expect("a line").to_lowercase());
    lines.take_while(|line| !line.is_empty()).collect()
}

fn against(url: &str) -> Workspace {
    Workspace::new().set("TRACE_API_URL", url).set("TRACE_API_KEY", "trc_key")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_too_old_is_told_by_both_versions() {
    let (url, asked) = answering("200 OK\r\nX-Otrace-Version: 0.1.0", r#"{"ok": true}"#);
    let answer = against(&url).otrace(&["whoami"]).await;
    assert_eq!(answer.code, 1);
    let told = format!("error: the server at {url} is version 0.1.0, and this otrace needs 0.2.0 or newer\n");
    assert!(answer.stderr.starts_with(&told), "{}", answer.stderr);
    let said = format!("x-otrace-version: {}", env!("CARGO_PKG_VERSION"));
    assert!(asked.join().expect("asked").contains(&said), "each request says our version");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_finds_us_too_old_is_quoted() {
    let body = r#"{"ok": false, "error": "This otrace is too old.", "code": "client_too_old", "hint": "Update it."}"#;
    let (url, _asked) = answering("426 Upgrade Required", body);
    let answer = against(&url).otrace(&["whoami"]).await;
    assert_eq!((answer.code, answer.stderr.as_str()), (1, "error: This otrace is too old.\nhint: Update it.\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_no_version_is_spoken_to() {
    let (url, _asked) = answering("401 Unauthorized", r#"{"ok": false, "error": "No such key.", "hint": "Log in."}"#);
    let answer = against(&url).otrace(&["whoami"]).await;
    assert!(answer.stderr.contains("No such key."), "{}", answer.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_of_today_understand_each_other() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    Workspace::with_key(&server, &project.key).otrace(&["whoami"]).await.succeeded();
}
