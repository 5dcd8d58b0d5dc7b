//! `otrace note`, `tag`, `delete`, `restore` and `open`: what becomes of a run afterwards.

use std::os::unix::fs::PermissionsExt as _;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use otrace_server::testing::TestServer;
use serde_json::json;

use crate::workspace::{Workspace, recorded, run_count};

async fn one_run() -> (TestServer, String, Workspace) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let run = json!({"intent": "i", "setup": "s", "command": "true", "tags": ["old"]});
    server.app.api(&project.key, "POST", "/v1/runs", Some(run)).await.expect(200);
    let workspace = Workspace::with_key(&server, &project.key);
    (server, project.key, workspace)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_written_from_an_argument_or_from_standard_input() {
    let (server, key, workspace) = one_run().await;
    let answer = workspace.otrace(&["note", "exp001", "it converges #insight"]).await.succeeded();
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("", "Noted on exp001.\n"));
    workspace.otrace_reading(&["note", "1", "-"], "from a pipe\n").await.succeeded();
    let run = recorded(&server, &key, "exp001").await;
    let notes: Vec<_> = run["notes"].as_array().expect("notes").iter().map(|note| note["text"].clone()).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes.contains(&json!("it converges #insight")), "{notes:?}");
    let answer = workspace.otrace(&["note", "exp001", " "]).await;
    assert!(answer.refusal().contains("a note needs a text"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_added_and_taken_away_by_their_signs() {
    let (_server, _key, workspace) = one_run().await;
    assert_eq!(workspace.otrace(&["tag", "exp001"]).await.succeeded().stdout, "old\n");
    let answer = workspace.otrace(&["tag", "exp001", "-old", "+new", "best"]).await.succeeded();
    let mut tags: Vec<_> = answer.stdout.lines().collect();
    tags.sort_unstable();
    assert_eq!(tags, ["best", "new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_deleted_only_if_that_is_meant_and_comes_back() {
    let (server, key, workspace) = one_run().await;
    let answer = workspace.otrace(&["delete", "exp001"]).await;
    let expected = "error: nobody is there to confirm it\nhint: Add --yes to delete without asking.\n";
    assert_eq!((answer.code, answer.stdout.as_str(), answer.stderr.as_str()), (2, "", expected));
    let answer = workspace.otrace(&["delete", "exp001", "exp009", "--yes"]).await;
    assert!(answer.refusal().starts_with("error: Unknown experiment: exp009\n"));
    assert_eq!(run_count(&server, &key).await, 1, "all of them or none");
    let answer = workspace.otrace(&["delete", "exp001", "--yes"]).await.succeeded();
    assert_eq!(answer.stdout, "Deleted exp001\n");
    assert_eq!(run_count(&server, &key).await, 0);
    assert_eq!(workspace.otrace(&["restore", "exp001"]).await.succeeded().stdout, "Restored exp001\n");
    assert_eq!(run_count(&server, &key).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_project_than_the_settings_say_changes_nothing() {
    let (server, key, workspace) = one_run().await;
    let other = server.project("other").await;
    let workspace = workspace.set("TRACE_PROJECT_ID", &other.id.to_string());
    let answer = workspace.otrace(&["delete", "exp001", "--yes"]).await;
    assert!(answer.refusal().starts_with("error: TRACE_PROJECT_ID is "), "{}", answer.stderr);
    assert_eq!(run_count(&server, &key).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_a_page_is_printed_where_there_is_no_browser() {
    let (server, _key, workspace) = one_run().await;
    let answer = workspace.otrace(&["open", "exp001"]).await.succeeded();
    let page = answer.stdout.trim_end();
    assert!(page.starts_with(server.url()) && page.ends_with("/runs/exp001"), "{page}");
    assert!(answer.stderr.contains("There is no browser to open here"), "{}", answer.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_run_is_opened_in_the_browser_of_this_machine() {
    let (server, _key, workspace) = one_run().await;
    // A browser that tells what it was started with.
    let (opened, xdg_open) = (workspace.path("opened"), workspace.path("bin/xdg-open"));
    mkfifo(&opened, Mode::S_IRWXU).expect("a pipe");
    workspace.write("bin/xdg-open", format!("#!/bin/sh\necho \"$# $1\" > '{}'\n", opened.display()));
    std::fs::set_permissions(&xdg_open, std::fs::Permissions::from_mode(0o755)).expect("changed");
    let path = format!("{}:{}", workspace.path("bin").display(), std::env::var("PATH").expect("PATH"));
    let workspace = workspace.set("PATH", &path).set("DISPLAY", ":0");
    let answer = workspace.otrace(&["open", "exp001"]).await.succeeded();
    let arguments = tokio::fs::read_to_string(&opened).await.expect("read");
    assert_eq!(arguments, format!("1 {}", answer.stdout));
    assert!(arguments.contains(server.url()) && answer.stderr.is_empty(), "{arguments}{}", answer.stderr);
}
