//! What `otrace run` records of the repository that it runs in.

use otrace_server::testing::TestServer;
use serde_json::Value;

use crate::workspace::{Workspace, recorded};

async fn workspace_with_commit(server: &TestServer, key: &str) -> Workspace {
    let workspace = Workspace::with_key(server, key);
    workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
    workspace.write("train.py", "print(1)\n");
    workspace.write("model.py", "x = 1\n");
    workspace.git(&["add", "."]).await;
    workspace.git(&["commit", "--quiet", "-m", "first"]).await;
    workspace
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_repository_is_a_commit_without_diffs() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = workspace_with_commit(&server, &project.key).await;
    workspace.git(&["remote", "add", "origin", "https://ada:token@example.com/r.git"]).await;
    workspace.otrace(&["init"]).await.succeeded();
    let commit = workspace.git(&["rev-parse", "HEAD"]).await;

    let answer = workspace.run("true").await.succeeded();
    assert!(answer.stderr.contains(&format!("Snapshot: commit {}\n", &commit[..8])), "{}", answer.stderr);
    let snapshot = &recorded(&server, &project.key, "exp001").await["snapshot"];
    assert_eq!(snapshot["git_commit"], commit);
    assert_eq!(snapshot["git_branch"], "main");
    assert_eq!(snapshot["git_dirty"], false, "our own files must not count");
    assert_eq!(snapshot["git_remote_url"], "https://example.com/r.git");
    assert_eq!(snapshot["dirty_diff_path"], Value::Null);
    assert_eq!(snapshot["staged_diff_path"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_kept_as_diffs_that_apply() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = workspace_with_commit(&server, &project.key).await;
    workspace.write("model.py", "x = 2\n");
    workspace.git(&["add", "model.py"]).await;
    workspace.write("train.py", b"print('\xff\x00 binary')\n");

    let answer = workspace.run("true").await.succeeded();
    assert!(answer.stderr.contains(", dirty\n"), "{}", answer.stderr);
    let snapshot = recorded(&server, &project.key, "exp001").await["snapshot"].clone();
    assert_eq!(snapshot["git_dirty"], true);
    assert_eq!(snapshot["dirty_diff_path"], ".trace/snapshots/exp001.diff");
    assert_eq!(snapshot["staged_diff_path"], ".trace/snapshots/exp001.staged.diff");
    assert!(workspace.read(".trace/snapshots/exp001.staged.diff").contains("+x = 2"));

    workspace.git(&["reset", "--quiet", "--hard"]).await;
    workspace.git(&["apply", "--index", ".trace/snapshots/exp001.staged.diff"]).await;
    workspace.git(&["apply", ".trace/snapshots/exp001.diff"]).await;
    assert_eq!(workspace.read("model.py"), "x = 2\n");
    assert_eq!(std::fs::read(workspace.path("train.py")).expect("read"), b"print('\xff\x00 binary')\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_repository_is_recorded_as_such() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let answer = workspace.run("true").await.succeeded();
    assert!(answer.stderr.contains("Snapshot: no git repository\n"), "{}", answer.stderr);
    assert!(!answer.stderr.contains("otrace: "), "{}", answer.stderr);
    let snapshot = &recorded(&server, &project.key, "exp001").await["snapshot"];
    for field in ["git_commit", "git_branch", "git_dirty", "dirty_diff_path", "staged_diff_path"] {
        assert_eq!(snapshot[field], Value::Null, "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_without_a_commit_is_recorded_as_such() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
    workspace.write("train.py", "print(1)\n");
    workspace.git(&["add", "."]).await;
    let answer = workspace.run("true").await.succeeded();
    assert!(answer.stderr.contains("Snapshot: no commit yet, dirty\n"), "{}", answer.stderr);
    let snapshot = &recorded(&server, &project.key, "exp001").await["snapshot"];
    assert_eq!(snapshot["git_commit"], Value::Null);
    assert_eq!(snapshot["git_branch"], "main");
    assert!(workspace.read(".trace/snapshots/exp001.staged.diff").contains("+print(1)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_repository_is_executed() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = workspace_with_commit(&server, &project.key).await;
    workspace.write("train.py", "changed\n");
    workspace.write("spy.sh", "#!/bin/sh\ntouch spied\n");
    let spy = format!("sh {}", workspace.path("spy.sh").display());
    for setting in ["core.fsmonitor", "diff.external", "diff.spy.textconv"] {
        workspace.git(&["config", setting, &spy]).await;
    }
    workspace.write(".gitattributes", "*.py diff=spy\n");
    workspace.run("true").await.succeeded();
    assert!(!workspace.has("spied"));
    assert!(workspace.read(".trace/snapshots/exp001.diff").contains("+changed"));
}
