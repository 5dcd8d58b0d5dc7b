//! The file of saved logins: several servers in it, and who may read it.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use otrace_server::testing::TestServer;
use serde_json::{Value, json};

use crate::workspace::{Workspace, mode};

async fn log_in(workspace: &Workspace, server: &TestServer, key: &str) {
    workspace.otrace(&["login", "--api-url", server.url(), "--api-key", key]).await.succeeded();
}

fn saved(workspace: &Workspace) -> Value {
    serde_json::from_slice(&fs::read(workspace.saved_login()).expect("read")).expect("JSON")
}

/// Puts a file where the logins are kept, as another client would.
fn put(workspace: &Workspace, login: &Value, mode: u32) {
    let path = workspace.saved_login();
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, login.to_string()).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_has_its_key_and_the_last_login_is_the_default() {
    let (first, last) = (TestServer::start().await, TestServer::start().await);
    let (old, new) = (first.project("old").await, last.project("new").await);
    let workspace = Workspace::new();
    log_in(&workspace, &first, &old.key).await;
    log_in(&workspace, &last, &new.key).await;

    let project = async |args: &[&str]| {
        let answer = workspace.otrace(args).await.succeeded();
        answer.stdout.lines().nth(1).expect("a line").to_owned()
    };
    assert_eq!(project(&["whoami"]).await, "Project: new");
    assert_eq!(project(&["whoami", "--api-url", first.url()]).await, "Project: old");
    assert_eq!(project(&["whoami", "--api-url", last.url()]).await, "Project: new");

    let saved = saved(&workspace);
    assert_eq!((&saved["api_url"], &saved["api_key"]), (&json!(last.url()), &json!(new.key)));
    let servers = json!({(first.url()): {"api_key": old.key}, (last.url()): {"api_key": new.key}});
    assert_eq!(saved["servers"], servers);
    assert_eq!(mode(&workspace.saved_login()), 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_the_published_client_serves_here_and_is_kept() {
    let (first, last) = (TestServer::start().await, TestServer::start().await);
    let (old, new) = (first.project("old").await, last.project("new").await);
    let workspace = Workspace::new();
    put(&workspace, &json!({"api_key": old.key, "api_url": first.url(), "theirs": [1]}), 0o600);
    let answer = workspace.otrace(&["whoami"]).await.succeeded();
    assert!(answer.stdout.contains("Project: old"), "{}", answer.stdout);

    log_in(&workspace, &last, &new.key).await;
    assert_eq!(saved(&workspace)["theirs"], json!([1]));
    let answer = workspace.otrace(&["whoami", "--api-url", first.url()]).await.succeeded();
    assert!(answer.stdout.contains("Project: old"), "{}", answer.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_saved_key_is_sent_to_a_server_that_none_was_saved_for() {
    let (first, last) = (TestServer::start().await, TestServer::start().await);
    let workspace = Workspace::new();
    log_in(&workspace, &first, &first.project("old").await.key).await;
    log_in(&workspace, &last, &last.project("new").await.key).await;
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a port");
    stranger.set_nonblocking(true).expect("non-blocking");
    let url = format!("http://{}", stranger.local_addr().expect("an address"));
    workspace.write(".env", format!("TRACE_API_URL={url}\n"));

    let answer = workspace.otrace(&["whoami"]).await;
    let line = answer.refusal();
    let refused = format!("no API key for {url}");
    for part in [refused.as_str(), first.url(), last.url(), "none is sent elsewhere"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(stranger.accept().is_err(), "nobody may have called");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_others_can_read_is_refused_until_it_is_closed_to_them() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new().set("TRACE_API_URL", server.url());
    let login = json!({"api_key": project.key, "api_url": server.url()});
    for open in [0o644, 0o640, 0o602] {
        put(&workspace, &login, open);
        let answer = workspace.otrace(&["whoami"]).await;
        assert_eq!(answer.code, 1, "{}", answer.stdout);
        let lines: Vec<_> = answer.stderr.lines().collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].contains("is open to others") && lines[0].contains("chmod 600"), "{lines:?}");
        assert!(lines[1].contains("no API key"), "{lines:?}");
    }
    put(&workspace, &login, 0o600);
    workspace.otrace(&["whoami"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_writes_a_refused_file_anew_without_what_stood_in_it() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();
    put(&workspace, &json!({"api_key": "trc_known_to_all", "api_url": "http://elsewhere"}), 0o644);
    log_in(&workspace, &server, &project.key).await;
    assert_eq!(mode(&workspace.saved_login()), 0o600);
    assert_eq!(saved(&workspace)["servers"], json!({(server.url()): {"api_key": project.key}}));
}
