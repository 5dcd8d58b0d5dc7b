//! `otrace doctor`: what is right, what is wrong, and what to do about it.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use otrace_server::testing::TestServer;
use serde_json::{Value, json};

use crate::sync_harness::Talk;
use crate::workspace::{Workspace, nowhere};

/// What it says, and with which exit code.
async fn doctor(workspace: &Workspace) -> (i32, Value) {
    let answer = workspace.otrace(&["doctor", "--json"]).await;
    (answer.code, serde_json::from_str(&answer.stdout).expect("JSON"))
}

/// The status and the message of one check.
fn check<'v>(told: &'v Value, name: &str) -> (&'v str, &'v str) {
    let checks = told["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {told}"));
    (check["status"].as_str().expect("a status"), check["message"].as_str().expect("a message"))
}

/// A server that gives one answer.
fn answering(head: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a caller");
        let mut stream = BufReader::new(stream);
        let lines = stream.by_ref().lines().map(|line| line.expect("a line"));
        lines.take_while(|line| !line.is_empty()).for_each(drop);
        let length = body.len();
        let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        stream.get_mut().write_all(answer.as_bytes()).expect("it is read");
    });
    url
}

fn against(url: &str) -> Workspace {
    Workspace::new().set("TRACE_API_URL", url).set("TRACE_API_KEY", "trc_key")
}

const IDENTITY: &str = r#"{"ok": true, "account": {"email": "\u001b[31mada\nfailed"}, "api_key": {"prefix": "trc_5hQm"},
    "project": {"id": "00000000-0000-0000-0000-000000000000", "name": "Wake word"}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_in_order_is_told_line_by_line_and_left_as_it_is() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("train.py", "");
    workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
    workspace.git(&["add", "."]).await;
    workspace.git(&["commit", "--quiet", "--message", "first"]).await;
    let commit = workspace.git(&["rev-parse", "HEAD"]).await;

    let answer = workspace.otrace(&["doctor"]).await.succeeded();
    assert_eq!(answer.stderr, "");
    let lines: Vec<_> = answer.stdout.lines().collect();
    let names: Vec<_> = lines.iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let expected = ["otrace", "server", "version", "key", "project", "clock", "git", "workspace", "disk", "unsent"];
    assert_eq!(names, expected);
    // Whoever tests may have a disk that is nearly full.
    let is_fine = |line: &&str| line.starts_with("ok       ") || line.contains("  disk  ");
    assert!(lines.iter().all(is_fine), "{}", answer.stdout);
    assert_eq!(lines[1], format!("ok       server     {} answers", server.url()));
    let prefix = lines[3].strip_prefix("ok       key        ").expect("the key");
    let prefix = prefix.strip_suffix(&format!("… of {}", project.email)).expect("its owner");
    assert!(prefix.len() > 4 && prefix.len() < 16 && project.key.starts_with(prefix), "{prefix}");
    assert_eq!(lines[4], "ok       project    wake-word");
    assert_eq!(lines[5], "ok       clock      it agrees with the server's");
    assert!(lines[6].ends_with(&format!(": branch main at {}", &commit[..12])), "{}", lines[6]);
    assert_eq!(lines[9], "ok       unsent     everything is sent");
    assert!(!workspace.has(".trace"), "it only looks");
    assert_eq!(workspace.git(&["status", "--porcelain"]).await, "");

    let (code, told) = doctor(&workspace).await;
    assert_eq!((code, &told["ok"]), (0, &json!(true)));
    assert_eq!(check(&told, "project"), ("ok", "wake-word"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_fails_and_this_machine_is_looked_at_all_the_same() {
    let (code, told) = doctor(&against(&nowhere())).await;
    assert_eq!((code, &told["ok"]), (1, &json!(false)));
    let (status, message) = check(&told, "server");
    assert_eq!(status, "failed");
    assert!(message.contains("could not reach the Trace server") && message.contains("otrace-server"), "{message}");
    assert_eq!(check(&told, "unsent").0, "ok");
    let unknown = ["version", "key", "project", "clock"];
    let checks = told["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| unknown.iter().all(|name| check["name"] != *name)), "{told}");

    let answer = against(&nowhere()).otrace(&["doctor"]).await;
    assert_eq!(answer.code, 1);
    assert!(answer.stdout.lines().any(|line| line.starts_with("failed   server     could not reach")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_refused_key_is_told_from_a_server_that_fails() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let (code, told) = doctor(&Workspace::new().set("TRACE_API_URL", server.url())).await;
    assert_eq!((code, check(&told, "server").0, check(&told, "version").0), (1, "ok", "ok"));
    let (status, message) = check(&told, "key");
    assert!(status == "failed" && message.contains("`otrace login`"), "{message}");

    server.revoke_key(&project).await;
    let (code, told) = doctor(&Workspace::with_key(&server, &project.key)).await;
    assert_eq!((code, check(&told, "server").0, check(&told, "key").0), (1, "ok", "failed"));

    let (code, told) = doctor(&against(&answering("500 Oh", r#"{"ok": false, "error": "It broke."}"#))).await;
    let message = "It broke. Whoever runs the server finds the reason in its log.";
    assert_eq!((code, check(&told, "server")), (1, ("failed", message)));

    let (code, told) = doctor(&against(&answering("200 OK", "<html>A wiki</html>"))).await;
    let (status, message) = check(&told, "server");
    assert_eq!((code, status), (1, "failed"));
    assert!(message.contains("does not answer as a Trace server"), "{message}");
    assert_eq!(check(&told, "version").0, "warning");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_project_than_the_settings_say_fails_and_another_name_warns() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let nobodys = "00000000-0000-0000-0000-000000000000";
    let (code, told) = doctor(&Workspace::with_key(&server, &project.key).set("TRACE_PROJECT_ID", nobodys)).await;
    assert_eq!((code, check(&told, "project").0), (1, "failed"));
    let (code, told) = doctor(&Workspace::with_key(&server, &project.key).set("TRACE_PROJECT_NAME", "former")).await;
    assert_eq!((code, check(&told, "project").0), (0, "warning"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_and_a_server_of_another_age_are_told() {
    let old = "200 OK\r\nDate: Sun, 01 Jan 2023 00:00:00 GMT\r\nX-Otrace-Version: 0.1.9";
    let (code, told) = doctor(&against(&answering(old, IDENTITY))).await;
    assert_eq!((code, check(&told, "version").0), (1, "failed"));
    let (status, message) = check(&told, "clock");
    assert_eq!(status, "warning");
    assert!(message.contains(" days ahead of the server's"), "{message}");

    let (code, told) = doctor(&against(&answering("200 OK", IDENTITY))).await;
    assert_eq!((code, check(&told, "version").0, check(&told, "clock").0), (0, "warning", "warning"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_says_neither_steers_the_terminal_nor_makes_a_line() {
    let answer = against(&answering("200 OK", IDENTITY)).otrace(&["doctor"]).await.succeeded();
    assert!(!answer.stdout.contains('\x1b'), "{:?}", answer.stdout);
    assert!(answer.stdout.contains("[31mada failed\n"), "{:?}", answer.stdout);
    assert!(!answer.stdout.lines().any(|line| line.starts_with("failed")), "{}", answer.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_no_run_would_know_is_warned_of() {
    let workspace = against(&nowhere());
    let git = async || check(&doctor(&workspace).await.1, "git").1.to_owned();
    assert!(git().await.contains("in no git repository"));
    workspace.git(&["init", "--quiet"]).await;
    assert!(git().await.contains("no commit yet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_folder_that_is_a_link_fails_and_one_open_to_others_warns() {
    let workspace = against(&nowhere());
    workspace.write(".trace/logs/a", "");
    std::fs::set_permissions(workspace.path(".trace"), Permissions::from_mode(0o755)).expect("changed");
    let (_, told) = doctor(&workspace).await;
    let (status, message) = check(&told, "workspace");
    assert_eq!(status, "warning");
    assert!(message.contains("mode 755") && message.contains("chmod 700"), "{message}");

    std::fs::rename(workspace.path(".trace"), workspace.path("elsewhere")).expect("moved");
    symlink(workspace.path("elsewhere"), workspace.path(".trace")).expect("linked");
    let (_, told) = doctor(&workspace).await;
    let (status, message) = check(&told, "workspace");
    assert!(status == "failed" && message.contains("has to be a directory"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unsent_runs_are_counted_and_those_at_work_are_not_held_against_anybody() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let mut talk = Talk::start(&workspace, &["--expect-log", "x"], "echo ready; read go");
    talk.until("ready").await;
    let (_, told) = doctor(&workspace).await;
    assert_eq!(check(&told, "unsent"), ("ok", "1 run being recorded or sent"));
    talk.say("go").await;
    assert_eq!(talk.end().await.0, 0);

    workspace.run_with(&["--offline", "--expect-artifact", "x"], "echo hello").await.succeeded();
    let (code, told) = doctor(&workspace).await;
    let expected = ("warning", "the server lacks something of 1 run. `otrace sync` sends it.");
    assert_eq!((code, check(&told, "unsent")), (0, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_contradict_each_other_fail_by_themselves() {
    let workspace = Workspace::new().set("TRACE_API_URL", "no address").set("TRACE_API_KEY", "trc_key");
    let (code, told) = doctor(&workspace).await;
    assert_eq!(code, 1);
    assert_eq!(check(&told, "settings").0, "failed");
    assert_eq!(check(&told, "unsent").0, "ok");
}
