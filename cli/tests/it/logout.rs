//! `otrace logout`: what is forgotten, and which keys end with it.

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::sync_harness::Network;
use crate::workspace::{Workspace, mode, nowhere};

/// Logs in through the browser, approved by the project's owner. Gives the key that came of it.
async fn log_in_by_browser(workspace: &Workspace, server: &TestServer, url: &str, project: &TestProject) -> String {
    let mut child = workspace.command(&["login", "--api-url", url]).spawn().expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("an output")).lines();
    let code = loop {
        let line = lines.next_line().await.expect("read").expect("more lines");
        if let Some(code) = line.strip_prefix("Approve only if it shows this code: ") {
            break code.to_owned();
        }
    };
    let fields = [("code", code.as_str()), ("project", project.slug.as_str()), ("decision", "approve")];
    let answer = server.app.post(&project.cookie, "/device", &fields).await;
    assert!(answer.status.as_u16() < 400, "{}: {}", answer.status, answer.text());
    while lines.next_line().await.expect("read").is_some() {}
    assert!(child.wait().await.expect("ended").success());
    saved(workspace)["servers"][url]["api_key"].as_str().expect("a key").to_owned()
}

async fn log_in_with_key(workspace: &Workspace, server: &TestServer, key: &str) {
    workspace.otrace(&["login", "--api-url", server.url(), "--api-key", key]).await.succeeded();
}

fn saved(workspace: &Workspace) -> Value {
    serde_json::from_slice(&std::fs::read(workspace.saved_login()).expect("read")).expect("JSON")
}

/// How the server answers to a key.
async fn status_of(server: &TestServer, key: &str) -> u16 {
    server.app.api(key, "GET", "/v1/auth/whoami", None).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_login_had_made_ends_with_it() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();
    let key = log_in_by_browser(&workspace, &server, server.url(), &project).await;
    assert_eq!(status_of(&server, &key).await, 200);

    let answer = workspace.otrace(&["logout"]).await.succeeded();
    assert_eq!(answer.stdout, format!("Logged out of {}\nIts API key was revoked\n", server.url()));
    assert_eq!(answer.stderr, "");
    assert_eq!(status_of(&server, &key).await, 401);
    assert_eq!(saved(&workspace), json!({"servers": {}}));
    assert_eq!(mode(&workspace.saved_login()), 0o600);
    let again = workspace.otrace(&["whoami", "--api-url", server.url()]).await;
    assert!(again.refusal().contains("no API key"), "{}", again.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_somebody_gave_stays_good() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();
    // Over one that a login had made: the mark is the former key's.
    log_in_by_browser(&workspace, &server, server.url(), &project).await;
    log_in_with_key(&workspace, &server, &project.key).await;

    let answer = workspace.otrace(&["logout"]).await.succeeded();
    assert!(answer.stdout.contains("stays good") && answer.stdout.contains("/projects"), "{}", answer.stdout);
    assert_eq!(status_of(&server, &project.key).await, 200);
    assert_eq!(saved(&workspace), json!({"servers": {}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_is_logged_out_of_and_the_others_stay_until_all_are_meant() {
    let (first, second, last) = (TestServer::start().await, TestServer::start().await, TestServer::start().await);
    let workspace = Workspace::new();
    for server in [&first, &second, &last] {
        log_in_with_key(&workspace, server, &server.project("wake-word").await.key).await;
    }
    let answer = workspace.otrace(&["logout", "--api-url", first.url()]).await.succeeded();
    assert!(answer.stdout.starts_with(&format!("Logged out of {}\n", first.url())), "{}", answer.stdout);
    assert_eq!(saved(&workspace)["api_url"], last.url());
    workspace.otrace(&["logout"]).await.succeeded();
    let left = saved(&workspace);
    assert_eq!((&left["api_url"], &left["servers"][last.url()]), (&Value::Null, &Value::Null));
    workspace.otrace(&["whoami", "--api-url", second.url()]).await.succeeded();

    log_in_with_key(&workspace, &last, &last.project("another").await.key).await;
    let answer = workspace.otrace(&["logout", "--all"]).await.succeeded();
    assert_eq!(answer.stdout.matches("Logged out of ").count(), 2, "{}", answer.stdout);
    assert_eq!(saved(&workspace), json!({"servers": {}}));
    assert_eq!(workspace.otrace(&["logout", "--all"]).await.succeeded().stdout, "There is no saved login.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_out_of_reach_is_forgotten_and_its_key_is_told_of() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let network = Network::to(&server).await;
    let workspace = Workspace::new();
    let key = log_in_by_browser(&workspace, &server, network.url(), &project).await;
    network.cut();

    let answer = workspace.otrace(&["logout"]).await.succeeded();
    assert_eq!(answer.stdout, format!("Logged out of {}\n", network.url()));
    let told = format!("otrace: the API key for {} stays good until it expires or is revoked at ", network.url());
    assert!(answer.stderr.starts_with(&told) && answer.stderr.lines().count() == 1, "{}", answer.stderr);
    assert!(!answer.stderr.contains(&key));
    assert_eq!(saved(&workspace), json!({"servers": {}}));
    assert_eq!(status_of(&server, &key).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_none_is_saved_for_is_told_with_those_that_are() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let (workspace, elsewhere) = (Workspace::new(), nowhere());
    let refused = format!("error: there is no saved login for {elsewhere}");
    let answer = workspace.otrace(&["logout", "--api-url", &elsewhere]).await;
    assert_eq!(answer.refusal(), refused);
    assert!(!workspace.saved_login().exists());

    log_in_with_key(&workspace, &server, &project.key).await;
    let answer = workspace.otrace(&["logout", "--api-url", &elsewhere]).await;
    let hint = format!("{refused}\nhint: Choose one with --api-url, or all with --all: {}", server.url());
    assert_eq!(answer.refusal(), hint);
    workspace.otrace(&["whoami"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_environment_is_told_to_go_on() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    log_in_with_key(&workspace, &server, &project.key).await;
    let answer = workspace.otrace(&["logout"]).await.succeeded();
    let told = "otrace: TRACE_API_KEY is set in your shell or in .env, and goes on being used\n";
    assert_eq!(answer.stderr, told);
    workspace.otrace(&["whoami"]).await.succeeded();
}
