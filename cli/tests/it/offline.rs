//! `otrace run --offline`: recorded without a server, sent later.

use std::path::{Path, PathBuf};

use otrace_server::testing::TestServer;
use serde_json::json;

use crate::sync_harness::{log, spooled};
use crate::workspace::{Workspace, mode, nowhere, recorded, run_count};

const OPTIONS: [&str; 3] = ["--offline", "--expect-artifact", "out.txt"];

/// The files and folders below a folder.
fn all_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("read").map(|entry| entry.expect("read").path());
    entries
        .flat_map(|path| if path.is_dir() { [vec![path.clone()], all_below(&path)].concat() } else { vec![path] })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_server_arrives_whole_with_sync() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    // Neither a server nor a key; and it is started by another run.
    let workspace = Workspace::new().set("TRACE_API_URL", &nowhere()).set("TRACE_EXPERIMENT_ID", "exp999");
    let script = "echo \"${TRACE_EXPERIMENT_ID-none} $TRACE_RUN_ID\" > out.txt; printf 'a\\377b'; exit 4";
    let answer = workspace.run_with(&OPTIONS, script).await;
    assert_eq!((answer.code, answer.stdout_bytes.as_slice()), (4, b"a\xffb".as_slice()));
    let kept = answer.stderr.lines().find_map(|line| line.strip_suffix(" kept on this machine")).expect("a name");
    let name = kept.strip_prefix("Experiment ").expect("a name").to_owned();
    assert_eq!(name.strip_prefix("offline-").map(str::len), Some(8), "{name}");
    assert!(answer.stderr.ends_with("Recorded offline: `otrace sync` sends it.\n"), "{}", answer.stderr);
    let spool = workspace.path(".trace/spool");
    assert_eq!(mode(&spool), 0o700);
    for path in all_below(&spool) {
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }

    let workspace = workspace.set("TRACE_API_URL", server.url()).set("TRACE_API_KEY", &project.key);
    let answer = workspace.otrace(&["sync"]).await.succeeded();
    assert_eq!(answer.stdout, format!("Sent: {name} (now exp001)\n"));
    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!((&run["status"], &run["exit_code"]), (&json!("failed"), &json!(4)));
    let told = workspace.read("out.txt");
    let id = run["id"].as_str().expect("an id");
    assert_eq!(told, format!("none {id}\n"));
    let artifact = run["artifacts"][0]["id"].as_str().expect("an artifact");
    assert_eq!(server.artifact_bytes(&project.key, artifact).await, told.as_bytes());
    assert_eq!(log(&server, &project.key, "exp001", "stdout").await, b"a\xffb");
    assert_eq!(workspace.read(".trace/active_experiment"), format!("exp001\n{id}\n"));
    assert_eq!(spooled(&workspace), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_meant_for_another_project_is_not_sent() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let other = server.project("other").await;
    let workspace = Workspace::new().set("TRACE_PROJECT_ID", &other.id.to_string());
    workspace.run_with(&OPTIONS, "true").await.succeeded();
    let workspace = workspace.set("TRACE_API_URL", server.url()).set("TRACE_API_KEY", &project.key);
    let answer = workspace.otrace(&["sync"]).await;
    assert_eq!(answer.code, 1);
    assert!(answer.stderr.contains("it was recorded for the project "), "{}", answer.stderr);
    assert_eq!(run_count(&server, &project.key).await, 0);
    let workspace = workspace.set("TRACE_API_KEY", &other.key);
    workspace.otrace(&["sync"]).await.succeeded();
    assert_eq!(run_count(&server, &other.key).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_told_with_the_way_without_it() {
    let workspace = Workspace::new().set("TRACE_API_URL", &nowhere()).set("TRACE_API_KEY", "trc_any");
    let answer = workspace.run("touch marker").await;
    let line = answer.refusal();
    assert!(line.contains("the command was not started") && line.contains("--offline"), "{line}");
    assert!(!workspace.has("marker"));
    assert_eq!(spooled(&workspace), 0);
}
