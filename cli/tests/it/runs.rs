//! `otrace runs`: which runs there are.

use otrace_server::testing::TestServer;
use serde_json::{Value, json};

use crate::terminal::at_terminal;
use crate::workspace::Workspace;

/// A server with three runs: `exp001` completed, `exp002` failed, `exp003` not started.
async fn three_runs() -> (TestServer, String, Workspace) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    for (intent, title, tag) in [("first", Some("Baseline"), "baseline"), ("second", None, "x"), ("third", None, "x")] {
        let run = json!({"intent": intent, "setup": "s", "command": "true", "title": title, "tags": [tag]});
        server.app.api(&project.key, "POST", "/v1/runs", Some(run)).await.expect(200);
    }
    for (run, status, code) in [("exp001", "completed", 0), ("exp002", "failed", 3)] {
        let outcome = json!({"status": status, "exit_code": code, "duration_seconds": 65.5});
        server.app.api(&project.key, "PATCH", &format!("/v1/runs/{run}"), Some(outcome)).await.expect(200);
    }
    let results = json!({"results": [{"kind": "scalar", "name": "accuracy", "value": 0.9}]});
    server.app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(results)).await.expect(200);
    let workspace = Workspace::with_key(&server, &project.key);
    (server, project.key, workspace)
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_lines_with_tabs_on_a_pipe() {
    let (_server, _key, workspace) = three_runs().await;
    let answer = workspace.otrace(&["runs", "--columns", "id,status,duration,tags,title"]).await.succeeded();
    let expected = "exp003\tcreated\t\tx\t\nexp002\tfailed\t65.5\tx\t\nexp001\tcompleted\t65.5\tbaseline\tBaseline\n";
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), (expected, ""));
    let answer = workspace.otrace(&["runs", "--columns", "id,metrics.accuracy", "--status", "completed"]).await;
    assert_eq!(answer.succeeded().stdout, "exp001\t0.9\n");
    let answer = workspace.otrace(&["runs", "--columns", "id", "--tag", "x", "--sort", "number"]).await;
    assert_eq!(answer.succeeded().stdout, "exp002\nexp003\n");
    let query = "status:completed metrics.accuracy > 0.8";
    let answer = workspace.otrace(&["runs", "--columns", "id", "--query", query]).await;
    assert_eq!(answer.succeeded().stdout, "exp001\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn quietly_only_data_are_printed() {
    let (_server, _key, workspace) = three_runs().await;
    for (options, expected) in [(["--limit", "1"], "exp003\n"), (["--tag", "none"], "")] {
        let args = [&["-q", "runs", "--columns", "id"][..], &options].concat();
        let answer = workspace.otrace(&args).await.succeeded();
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), (expected, ""), "{options:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_more_than_was_asked_for_is_told() {
    let (_server, _key, workspace) = three_runs().await;
    let answer = workspace.otrace(&["runs", "--columns", "id", "--limit", "2"]).await.succeeded();
    assert_eq!(answer.stdout, "exp003\nexp002\n");
    assert_eq!(answer.stderr, "2 runs are shown, and there are more: `--limit` says how many to show.\n");
    let answer = workspace.otrace(&["runs", "--columns", "id", "--limit", "0"]).await.succeeded();
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("exp003\nexp002\nexp001\n", ""));
    let answer = workspace.otrace(&["runs", "--tag", "none"]).await.succeeded();
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("", "No run matches.\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_get_one_json_object() {
    let (_server, _key, workspace) = three_runs().await;
    let answer = workspace.otrace(&["runs", "--json", "--limit", "1"]).await.succeeded();
    let told: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!((&told["runs"][0]["experiment_id"], &told["has_more"]), (&json!("exp003"), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_not_known_is_told_with_those_that_are() {
    let answer = Workspace::new().otrace(&["runs", "--columns", "id,colour"]).await;
    let line = answer.refusal();
    assert!(line.starts_with("error: there is no column colour\nhint: There are id, uuid, status, "), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_from_the_server_steer_no_terminal() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let title = "\u{1b}]0;owned\u{7}red\u{202e}";
    let run = json!({"intent": "i", "setup": "s", "command": "true", "title": title});
    server.app.api(&project.key, "POST", "/v1/runs", Some(run)).await.expect(200);
    let workspace = Workspace::with_key(&server, &project.key);
    let answer = workspace.otrace(&["runs", "--columns", "title"]).await.succeeded();
    assert_eq!(answer.stdout, "\u{fffd}]0;owned\u{fffd}red\u{fffd}\n");
    let answer = workspace.otrace(&["runs", "--json"]).await.succeeded();
    assert!(!answer.stdout.contains(|c: char| c.is_control() && c != '\n') && !answer.stdout.contains('\u{202e}'));
    let told: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(told["runs"][0]["title"], title);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_fits_the_terminal() {
    let (server, key, workspace) = three_runs().await;
    workspace.write(".env", format!("TRACE_API_URL={}\nTRACE_API_KEY={key}\n", server.url()));
    let script = r#"
t = Terminal([OTRACE, "runs"], columns=72)
seen = t.rest()
assert "Baseline" in seen and "\x1b[32mcompleted" in seen, seen
import re
for line in seen.split("\r\n"):
    assert len(re.sub("\x1b\\[[0-9;]*m", "", line)) <= 72, line
assert t.end() == 0
t = Terminal(["/usr/bin/env", "NO_COLOR=1", OTRACE, "runs"], columns=72)
seen = t.rest()
assert "completed" in seen and "\x1b[3" not in seen, seen
assert t.end() == 0
"#;
    at_terminal(&workspace, script).await;
}
