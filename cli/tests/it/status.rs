//! `otrace status`: what the server lacks.

use otrace_server::testing::TestServer;
use serde_json::{Value, json};

use crate::sync_harness::Talk;
use crate::workspace::Workspace;

async fn status(workspace: &Workspace) -> Value {
    let answer = workspace.otrace(&["status", "--json"]).await.succeeded();
    serde_json::from_str(&answer.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_without_unsent_runs_says_so() {
    let workspace = Workspace::new();
    std::fs::create_dir(workspace.path(".trace")).expect("made");
    assert_eq!(workspace.otrace(&["status"]).await.succeeded().stdout, "Everything is sent.\n");
    assert_eq!(status(&workspace).await, json!({"unsent": []}));
    assert_eq!(workspace.path(".trace").read_dir().expect("read").count(), 0, "it only looks");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsent_run_is_told_with_what_is_missing() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let script = "echo hello; echo 12345 > out.txt; exit 3";
    workspace.run_with(&["--offline", "--expect-artifact", "out.txt"], script).await;
    let told = status(&workspace).await;
    let run = &told["unsent"][0];
    assert!(run["name"].as_str().is_some_and(|name| name.starts_with("offline-")), "{run}");
    assert_eq!((&run["experiment_id"], &run["state"], &run["exit_code"]), (&Value::Null, &json!("ended"), &json!(3)));
    assert_eq!(run["missing"][0], "the run itself");
    assert!(run["bytes"].as_u64().is_some_and(|bytes| bytes >= 12), "{run}");
    let answer = workspace.otrace(&["status"]).await.succeeded();
    for words in ["sh -c 'echo hello; ", "State: ended with exit code 3", "Missing: the run itself, ", "`otrace sync`"]
    {
        assert!(answer.stdout.contains(words), "{words} in {}", answer.stdout);
    }
    workspace.otrace(&["sync"]).await.succeeded();
    assert_eq!(workspace.otrace(&["status"]).await.succeeded().stdout, "Everything is sent.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_is_told_as_such() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let mut talk = Talk::start(&workspace, &["--expect-log", "x"], "echo ready; read go");
    talk.until("ready").await;
    let told = status(&workspace).await;
    assert_eq!((&told["unsent"][0]["name"], &told["unsent"][0]["state"]), (&json!("exp001"), &json!("recording")));
    talk.say("go").await;
    assert_eq!(talk.end().await.0, 0);
    assert_eq!(status(&workspace).await, json!({"unsent": []}));
}
