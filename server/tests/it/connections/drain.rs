//! How the server stops.

use std::env;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use otrace_server::testing::{TestApp, TestServer};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{PATIENCE, SHORT, Site, client, read_to_close, read_until};

/// The binary starts and ends within this time, also on a busy machine.
const BINARY_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn requests_under_way_end_and_idle_connections_do_at_once() {
    let site = Site::start(|_| {}).await;
    let mut idle = site.greeted().await;
    let mut silent = site.connect().await;
    let mut busy = site.sent("GET /gate HTTP/1.1\r\nhost: x\r\n\r\n").await;
    site.gate.has(1).await;
    let http2 = client(reqwest::ClientBuilder::http2_prior_knowledge);
    let busy2 = tokio::spawn(http2.get(format!("http://{}/gate", site.address)).send());
    site.gate.has(1).await;

    site.stop.cancel();
    assert_eq!(read_to_close(&mut idle).await, "");
    assert_eq!(read_to_close(&mut silent).await, "");
    TcpStream::connect(site.address).await.expect_err("nobody listens any more");

    site.gate.open();
    let answer = read_to_close(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    assert_eq!(busy2.await.unwrap().unwrap().text().await.unwrap(), "passed");
    drop(http2);
    site.stopped().await;
}

#[tokio::test]
async fn a_proxy_gets_a_last_answer_on_each_connection_that_it_keeps() {
    let site = Site::start(|server| {
        server.limits.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        server.timeouts.farewell = PATIENCE / 2;
    })
    .await;
    let (kept, fresh) = (site.greeted().await, site.connect().await);
    site.stop.cancel();
    let refused = async { while TcpStream::connect(site.address).await.is_ok() {} };
    timeout(PATIENCE, refused).await.expect("nobody listens any more");
    for mut socket in [kept, fresh] {
        socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let answer = read_to_close(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    }
    site.stopped().await;
}

#[tokio::test]
async fn requests_that_do_not_end_in_time_are_told_to_come_again() {
    let site = Site::start(|server| server.timeouts.drain = SHORT).await;
    let mut waiting = site.sent("GET /gate HTTP/1.1\r\nhost: x\r\n\r\n").await;
    site.gate.has(1).await;
    let mut upload =
        site.sent("POST /upload HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n").await;
    read_until(&mut upload, "100 Continue\r\n\r\n").await;
    upload.write_all(b"half").await.unwrap();
    site.stop.cancel();
    for socket in [&mut waiting, &mut upload] {
        let answer = read_to_close(socket).await;
        assert!(answer.contains("HTTP/1.1 503") && answer.contains("retry-after: 2"), "{answer}");
        assert!(answer.contains("\"code\":\"unavailable\""), "{answer}");
    }
    site.stopped().await;
}

#[tokio::test]
async fn what_does_not_end_at_all_is_dropped() {
    let site = Site::start(|server| {
        server.timeouts.drain = SHORT;
        server.timeouts.last_answers = SHORT;
    })
    .await;
    let mut download = site.sent("GET /download HTTP/1.1\r\nhost: x\r\n\r\n").await;
    read_until(&mut download, "HTTP/1.1 200").await;
    site.stop.cancel();
    site.download_ends().await;
    site.stopped().await;
}

#[tokio::test]
async fn before_it_stops_a_server_has_its_clients_look_for_another() {
    let draining = CancellationToken::new();
    let site = Site::start(|server| server.draining = draining.clone()).await;
    let mut open = site.greeted().await;
    draining.cancel();
    // Its next answer is the last on this connection; others are taken still.
    open.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    for mut socket in [open, site.sent("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await] {
        let answer = read_to_close(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_server_that_is_about_to_stop_lives_and_is_not_ready() {
    let server = TestServer::start().await;
    let http = client(|builder| builder);
    let get = async |path: &str| http.get(format!("{}{path}", server.url())).send().await.unwrap();
    assert_eq!(get("/health/ready").await.status().as_u16(), 200);
    server.app.app.draining.cancel();
    let not_ready = get("/health/ready").await;
    assert_eq!(not_ready.status().as_u16(), 503);
    assert!(not_ready.headers().contains_key("retry-after"));
    for path in ["/health/live", "/signin"] {
        assert_eq!(get(path).await.status().as_u16(), 200, "{path}");
    }
}

#[tokio::test]
async fn the_binary_serves_on_for_its_drain_delay_ends_what_is_under_way_and_exits_with_0() {
    let app = TestApp::at_real_time(|_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let (mut child, address) = start_binary(&app, folder.path()).await;
    // An idle connection, and a sign-in whose form is not whole yet.
    let mut idle = TcpStream::connect(&address).await.unwrap();
    idle.write_all(format!("GET /health/live HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    read_until(&mut idle, "ok\n").await;
    let form = "email=nobody%40example.org&password=correct+horse";
    let head = format!(
        "POST /signin HTTP/1.1\r\nhost: {address}\r\nsec-fetch-site: same-origin\r\nexpect: 100-continue\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        form.len()
    );
    let mut under_way = TcpStream::connect(&address).await.unwrap();
    under_way.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut under_way, "100 Continue\r\n\r\n").await;

    kill(Pid::from_raw(child.id().unwrap().cast_signed()), Signal::SIGTERM).unwrap();
    let http = client(|builder| builder);
    let status = async |path: &str| http.get(format!("http://{address}{path}")).send().await.unwrap().status().as_u16();
    let told = async { while status("/health/ready").await != 503 {} };
    timeout(PATIENCE, told).await.expect("it says that it is not ready");
    assert_eq!(status("/signin").await, 200, "it still serves");

    assert_eq!(read_to_close(&mut idle).await, "");
    TcpStream::connect(&address).await.expect_err("after its delay it listens no more");
    under_way.write_all(form.as_bytes()).await.unwrap();
    let answer = read_to_close(&mut under_way).await;
    assert!(answer.starts_with("HTTP/1.1 ") && answer.contains("</html>"), "the answer is whole: {answer}");
    let ended = timeout(BINARY_WITHIN, child.wait()).await.expect("the server ends").unwrap();
    assert_eq!(ended.code(), Some(0));
}

/// Starts the binary on the app's schema with a drain delay. Returns it and where it listens.
async fn start_binary(app: &TestApp, folder: &Path) -> (Child, String) {
    let schema: String = sqlx::query_scalar("SELECT current_schema()::text").fetch_one(&app.app.pool).await.unwrap();
    let mut database: Url = env::var("OTRACE_TEST_DATABASE_URL").unwrap().parse().unwrap();
    database.query_pairs_mut().append_pair("options[search_path]", &schema);
    let mut child = Command::new(env!("CARGO_BIN_EXE_otrace-server"))
        .args(["serve", "--listen", "127.0.0.1:0", "--drain-delay", "2", "--database-connections", "4", "--data-dir"])
        .arg(folder)
        .env("DATABASE_URL", database.as_str())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    timeout(BINARY_WITHIN, stdout.read_line(&mut line)).await.expect("the server says where it is").unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).expect(&line);
    (child, url.replace("http://localhost", "127.0.0.1"))
}
