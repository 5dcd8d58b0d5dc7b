//! What `otrace run` asks for at a terminal, and where it asks nobody.

use otrace_server::testing::TestServer;
use serde_json::json;

use crate::terminal::at_terminal;
use crate::workspace::{Workspace, recorded, run_count};

/// Names the server to programs at a terminal, which get no environment of the test's.
fn settings(server: &TestServer, key: &str) -> String {
    format!("TRACE_API_URL={}\nTRACE_API_KEY={key}\n", server.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_asked_for_and_an_answer_that_does_not_do_is_asked_for_again() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();
    workspace.write(".env", settings(&server, &project.key));
    let script = r#"
t = Terminal([OTRACE, "run", "--title", "asked", "--", "sh", "-c", "mkdir logs; echo 1 > logs/a.log"])
t.until("Intent")
t.type("\r")
t.until("This is needed")
t.type("to see\r")
t.until("Setup")
t.type("as it is\r")
t.until("Files it will write:")
t.type("\r")
t.until("Log files it will write:")
t.type(",\r")
t.until("At least one file")
t.type("\x7flogs/a.log, b.log\r")
t.until("Experiment exp001 started")
assert t.end() == 0
"#;
    at_terminal(&workspace, script).await;
    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!((&run["intent"], &run["setup"], &run["title"]), (&json!("to see"), &json!("as it is"), &json!("asked")));
    assert_eq!(run["expected_log_paths"], json!(["logs/a.log", "b.log"]));
    assert_eq!(run["expected_artifact_paths"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_a_question_ends_it_with_130_and_leaves_nothing() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();
    workspace.write(".env", settings(&server, &project.key));
    let script = r#"
t = Terminal([OTRACE, "run", "--intent", "i", "--expect-log", "x", "--", "touch", "marker"])
t.until("Setup")
t.type("\x03")
t.until("interrupted; nothing was done")
assert t.end() == 130
"#;
    at_terminal(&workspace, script).await;
    let left: Vec<_> = workspace.root().read_dir().expect("read").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, [".env"]);
    assert_eq!(run_count(&server, &project.key).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_where_nobody_watches_or_wants_to_be_asked() {
    let workspace = Workspace::new();
    let script = r#"
missing = "Missing required run fields: setup (--setup TEXT)"
command = ["run", "--intent", "i", "--expect-log", "x", "--", "touch", "marker"]
quiet = Terminal([OTRACE, "--quiet", *command])
quiet.until(missing)
assert quiet.end() == 1
automated = Terminal(["/usr/bin/env", "CI=true", OTRACE, *command])
automated.until(missing)
assert automated.end() == 1
elsewhere = Terminal([OTRACE, *command], stderr="told.txt")
assert elsewhere.end() == 1
assert missing in open("told.txt").read()
"#;
    at_terminal(&workspace, script).await;
    assert!(!workspace.has("marker") && !workspace.has(".trace"));
}
