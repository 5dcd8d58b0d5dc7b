//! `otrace login`.

use otrace_server::testing::TestServer;
use serde_json::Value;

use crate::workspace::{Workspace, mode, nowhere};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_saved_for_its_owner_only_and_used_from_then_on() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();

    let args = ["login", "--api-url", server.url(), "--api-key", &project.key];
    let answer = workspace.otrace(&args).await.succeeded();
    assert!(answer.stdout.contains(&project.email));
    assert!(!answer.stdout.contains(&project.key), "the key must not be printed");

    let path = workspace.saved_login();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    let saved: Value = serde_json::from_slice(&std::fs::read(&path).expect("read")).expect("JSON");
    assert_eq!(saved["api_url"], server.url());
    assert_eq!(saved["api_key"], project.key);

    let answer = workspace.otrace(&["whoami"]).await.succeeded();
    assert!(answer.stdout.contains(&project.name));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_leaves_the_saved_login_as_it_was() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();
    let good = ["login", "--api-url", server.url(), "--api-key", &project.key];
    workspace.otrace(&good).await.succeeded();
    let before = std::fs::read(workspace.saved_login()).expect("read");

    let answer = workspace.otrace(&["login", "--api-key", "trc_wrong"]).await;
    answer.refusal();
    assert_eq!(std::fs::read(workspace.saved_login()).expect("read"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_without_a_key_or_a_person_says_where_to_make_one() {
    let workspace = Workspace::new();
    let answer = workspace.otrace(&["login", "--paste", "--api-url", &nowhere()]).await;
    let line = answer.refusal();
    assert!(line.contains("no API key") && line.contains("/projects"), "{line}");
    assert!(!workspace.saved_login().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_piped_in_stands_in_no_list_of_processes() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();
    let args = ["login", "--api-url", server.url(), "--api-key", "-"];
    let answer = workspace.otrace_reading(&args, &format!("{}\n", project.key)).await.succeeded();
    assert!(answer.stdout.contains(&project.email));
    workspace.otrace(&["whoami"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_key_is_not_sent_to_a_server_that_a_repository_names() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();
    let args = ["login", "--api-url", server.url(), "--api-key", &project.key];
    workspace.otrace(&args).await.succeeded();

    let stranger = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    stranger.set_nonblocking(true).expect("non-blocking");
    let address = stranger.local_addr().expect("an address");
    workspace.write(".env", format!("TRACE_API_URL=http://{address}\n"));
    let answer = workspace.otrace(&["whoami"]).await;
    assert!(answer.refusal().contains("the saved login is for"));
    assert!(stranger.accept().is_err(), "nobody may have called");
}
