//! Bad input: one line that says why, a hint that says what to do, exit code 1, and the command has not started.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

use otrace_server::testing::TestServer;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::workspace::{Answer, Workspace, nowhere, recorded, run_count};

/// Asks for a run whose command would leave a marker, which must not be there afterwards.
async fn refused_run(workspace: &Workspace, options: &[&str]) -> String {
    let mut args = vec!["run"];
    args.extend(options);
    args.extend(["--", "touch", "marker"]);
    let answer = workspace.otrace(&args).await;
    assert!(!workspace.has("marker"), "the command was started");
    answer.refusal().to_owned()
}

const COMPLETE: [&str; 6] = ["--intent", "i", "--setup", "s", "--expect-artifact", "marker"];

#[tokio::test(flavor = "multi_thread")]
async fn every_missing_field_is_named() {
    let workspace = Workspace::new();
    let line = refused_run(&workspace, &[]).await;
    for option in ["Missing required run fields: ", "--intent", "--setup", "--expect-artifact", "--expect-log"] {
        assert!(line.contains(option), "{option} in {line}");
    }
    let line = refused_run(&workspace, &COMPLETE[..4]).await;
    assert!(line.contains("--expect-artifact") && !line.contains("--intent"), "{line}");
    let line = refused_run(&workspace, &COMPLETE[2..]).await;
    assert!(line.contains("--intent") && !line.contains("--setup"), "{line}");
    let line = refused_run(&workspace, &["--intent", " ", "--setup", "s", "--expect-log", "x"]).await;
    assert!(line.contains("--intent"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_command_is_told_how_to_give_one() {
    let workspace = Workspace::new();
    let args = [&["run"][..], &COMPLETE].concat();
    let answer = workspace.otrace(&args).await;
    let expected = "error: No command provided. Use `otrace run --intent ... -- <command>`.";
    assert_eq!(answer.refusal(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_pair_of_dashes_is_told_as_a_missing_command() {
    let workspace = Workspace::new();
    let expected = "error: No command provided. Use `otrace run --intent ... -- <command>`.";
    assert_eq!(workspace.otrace(&["run"]).await.refusal(), expected);
    for command in [&["touch", "marker"][..], &["touch", "--no-create", "marker"]] {
        let args = [&["run"][..], &COMPLETE, command].concat();
        assert_eq!(workspace.otrace(&args).await.refusal(), expected, "{args:?}");
    }
    assert!(!workspace.has("marker") && !workspace.has(".trace"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_argument_that_is_no_text_is_told_in_one_line() {
    let workspace = Workspace::new();
    let mut command = workspace.command(&["run", "--intent", "i", "--", "touch"]);
    command.arg(OsStr::from_bytes(b"mark\xff"));
    let output = command.output().await.expect("otrace runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(2), 2), "{stderr}");
    assert!(stderr.contains("not valid UTF-8"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_nothing_starts() {
    let line = refused_run(&Workspace::new(), &COMPLETE).await;
    assert!(line.contains("no API key") && line.contains("otrace login"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_revoked_key_starts_nothing() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let could_not = "error: could not create the run on the server; the command was not started.";
    let line = refused_run(&Workspace::with_key(&server, "trc_wrong"), &COMPLETE).await;
    assert!(line.starts_with(could_not) && line.contains("code=unauthorized"), "{line}");

    let workspace = Workspace::with_key(&server, &project.key);
    server.revoke_key(&project).await;
    let line = refused_run(&workspace, &COMPLETE).await;
    assert!(line.starts_with(could_not) && line.contains("code=unauthorized"), "{line}");
    assert!(!workspace.has("otrace_demo_runspec.yaml"), "no run, no RunSpec");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_starts_nothing() {
    let url = nowhere();
    let workspace = Workspace::new().set("TRACE_API_URL", &url).set("TRACE_API_KEY", "trc_any");
    let line = refused_run(&workspace, &COMPLETE).await;
    assert!(line.contains("the command was not started"), "{line}");
    assert!(line.contains(&format!("could not reach the Trace server at {url}: ")), "{line}");
    assert!(line.contains("TRACE_API_URL"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_project_starts_nothing() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let other = server.project("other").await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_PROJECT_ID", &other.id.to_string());
    let line = refused_run(&workspace, &COMPLETE).await;
    assert!(line.contains("TRACE_PROJECT_ID"), "{line}");
    assert_eq!(run_count(&server, &project.key).await, 0);
}

/// A server that sends everybody on, to one that must not be called.
fn redirecting() -> (String, TcpListener) {
    let target = TcpListener::bind("127.0.0.1:0").expect("a port");
    target.set_nonblocking(true).expect("non-blocking");
    let to = target.local_addr().expect("an address");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a caller");
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let answer = "HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\nConnection: close\r\n";
            let _ = write!(stream, "{answer}Location: http://{to}/v1/runs\r\n\r\n");
        }
    });
    (url, target)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_does_not_follow_a_redirect() {
    let (url, target) = redirecting();
    let workspace = Workspace::new().set("TRACE_API_URL", &url).set("TRACE_API_KEY", "trc_any");
    let line = refused_run(&workspace, &COMPLETE).await;
    assert!(line.contains("redirects to http://"), "{line}");
    assert!(target.accept().is_err(), "the key went elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_told_with_an_example() {
    let workspace = Workspace::new().set("TRACE_API_URL", "localhost:8000").set("TRACE_API_KEY", "trc_any");
    let line = refused_run(&workspace, &COMPLETE).await;
    assert!(line.contains("http://localhost:8000"), "{line}");
}

fn assert_usage_error(answer: &Answer) {
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    let lines: Vec<_> = answer.stderr.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("error: ") && lines[1].starts_with("hint: "), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_option_or_command_is_told_in_one_line() {
    let workspace = Workspace::new();
    assert_usage_error(&workspace.otrace(&["run", "--colour", "red", "--", "touch", "marker"]).await);
    assert_usage_error(&workspace.otrace(&["fly"]).await);
    assert_usage_error(&workspace.otrace(&["init", "touch"]).await);
    assert!(!workspace.has("marker"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_kept_changes_no_exit_code() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    // Where our copies go is no folder any more when the command ends.
    let script = "rm -r .trace/artifacts; ln -s /dev/null .trace/artifacts; echo 1 > out.txt; exit 5";
    let answer = workspace.run(script).await;
    assert_eq!(answer.code, 5);
    assert!(answer.stderr.contains("\notrace: could not keep out.txt with the run: "), "{}", answer.stderr);
    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!((&run["exit_code"], &run["status"]), (&json!(5), &json!("failed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_does_not_take_is_kept_here_and_changes_no_exit_code() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let script = "echo ready; read go; echo kept > out.txt; exit 5";
    let args = [&["run"][..], &COMPLETE[..4], &["--expect-artifact", "out.txt", "--", "sh", "-c", script]].concat();
    let mut child = workspace.command(&args).stdin(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("an output")).lines();
    while lines.next_line().await.expect("read").expect("more lines") != "ready" {}
    server.app.api(&project.key, "DELETE", "/v1/runs/exp001", None).await.expect(200);
    child.stdin.take().expect("an input").write_all(b"go\n").await.expect("read");
    assert_eq!(lines.next_line().await.expect("read"), None);
    let output = child.wait_with_output().await.expect("ended");

    assert_eq!(output.status.code(), Some(5));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("otrace: exp001 was not sent completely: "), "{stderr}");
    assert!(stderr.contains(".trace/artifacts/exp001/"), "{stderr}");
    assert!(stderr.contains("\nExperiment exp001 kept on this machine\n"), "{stderr}");
    assert_eq!(workspace.read(".trace/artifacts/exp001/outputs/out.txt"), "kept\n");
    assert_eq!(workspace.read(".trace/logs/exp001.stdout.log"), "ready\n");
    assert!(workspace.has(".trace/snapshots/exp001.details.json"));
}
