//! `otrace whoami`, and the order in which settings are taken.

use otrace_server::testing::TestServer;
use serde_json::Value;

use crate::workspace::Workspace;

#[tokio::test(flavor = "multi_thread")]
async fn whoami_names_account_project_key_and_server() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let answer = workspace.otrace(&["whoami"]).await.succeeded();
    let lines: Vec<_> = answer.stdout.lines().collect();
    assert_eq!(lines[0], format!("Account: {}", project.email));
    assert_eq!(lines[1], format!("Project: {}", project.name));
    let prefix = lines[2].strip_prefix("API key: ").and_then(|key| key.strip_suffix('…')).expect("a prefix");
    assert!(prefix.len() > 4 && project.key.starts_with(prefix), "{prefix}");
    assert_eq!(lines[3], format!("Server: {}", server.url()));
    assert!(!answer.stdout.contains(&project.key));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoami_answers_scripts_in_json() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let answer = workspace.otrace(&["whoami", "--json"]).await.succeeded();
    let identity: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(identity["project"]["id"], project.id.to_string());
    assert_eq!(identity["account"]["email"], project.email);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_beats_the_environment_and_that_beats_the_env_file() {
    let server = TestServer::start().await;
    let by_flag = server.project("by-flag").await;
    let by_environment = server.project("by-environment").await;
    let by_file = server.project("by-file").await;
    let by_login = server.project("by-login").await;

    let workspace = Workspace::new();
    let login = ["login", "--api-url", server.url(), "--api-key", &by_login.key];
    workspace.otrace(&login).await.succeeded();
    let name = async |workspace: &Workspace, args: &[&str]| {
        let answer = workspace.otrace(args).await.succeeded();
        answer.stdout.lines().nth(1).expect("a line").to_owned()
    };
    assert_eq!(name(&workspace, &["whoami"]).await, format!("Project: {}", by_login.name));

    workspace.write(".env", format!("# mine\nexport TRACE_API_KEY=\"{}\"\n", by_file.key));
    assert_eq!(name(&workspace, &["whoami"]).await, format!("Project: {}", by_file.name));

    let workspace = workspace.set("TRACE_API_KEY", &by_environment.key);
    assert_eq!(name(&workspace, &["whoami"]).await, format!("Project: {}", by_environment.name));

    let flagged = ["whoami", "--api-key", &by_flag.key];
    assert_eq!(name(&workspace, &flagged).await, format!("Project: {}", by_flag.name));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_project_than_the_settings_say_is_told() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let other = server.project("other").await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_PROJECT_ID", &other.id.to_string());
    let answer = workspace.otrace(&["whoami"]).await.succeeded();
    assert!(answer.stderr.starts_with("otrace: TRACE_PROJECT_ID is "), "{}", answer.stderr);
}
