//! `otrace sync`: what was not sent arrives later, once.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use otrace_server::testing::TestServer;
use serde_json::json;

use crate::sync_harness::{Network, Talk, adopt_orphans, ended, eventually, log, spooled};
use crate::workspace::{Workspace, nowhere, recorded, run_count};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_otrace_was_killed_keeps_its_logs_and_files_and_gets_an_end() {
    adopt_orphans();
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let script = "echo $$ > pid; echo kept > out.txt; echo printed; echo told >&2; echo ready; exec sleep 600";
    let mut talk = Talk::start(&workspace, &["--expect-artifact", "out.txt"], script);
    talk.until("ready").await;
    // What is printed is sent later than it is written down who the command is.
    eventually(&server, "what it printed", async || {
        (log(&server, &project.key, "exp001", "stdout").await == b"printed\nready\n").then_some(())
    })
    .await;
    talk.kill_otrace().await;

    let pid: i32 = workspace.read("pid").trim().parse().expect("a pid");
    let answer = workspace.otrace(&["sync"]).await.succeeded();
    assert!(answer.stdout.contains(&format!("exp001: its otrace is gone, but its command still runs (process {pid})")));
    assert_eq!(spooled(&workspace), 1);

    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it still ran");
    ended(pid).await;
    let answer = workspace.otrace(&["sync"]).await.succeeded();
    assert!(answer.stdout.contains("Sent: exp001\n"), "{}", answer.stdout);
    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!((&run["status"], &run["exit_code"]), (&json!("capture_failed"), &json!(null)));
    assert!(run["started_at"].is_string() && run["finished_at"].is_string());
    assert_eq!(log(&server, &project.key, "exp001", "stdout").await, b"printed\nready\n");
    assert_eq!(log(&server, &project.key, "exp001", "stderr").await, b"told\n");
    let artifact = run["artifacts"][0]["id"].as_str().expect("an artifact");
    assert_eq!(server.artifact_bytes(&project.key, artifact).await, b"kept\n");
    assert_eq!(workspace.otrace(&["sync"]).await.succeeded().stdout, "Everything is sent.\n");
    assert_eq!(spooled(&workspace), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_server_did_not_take_arrives_once_when_it_is_back() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let network = Network::to(&server).await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_API_URL", network.url());
    let script = "echo ready; read go; echo '{\"loss\": 0.5}' > out.json; echo late; exit 3";
    let mut talk = Talk::start(&workspace, &["--expect-artifact", "out.json"], script);
    talk.until("ready").await;
    network.cut();
    talk.say("go").await;
    let (code, rest, stderr) = talk.end().await;
    assert_eq!(code, 3);
    assert_eq!(rest, ["late"]);
    assert!(stderr.contains("exp001 was not sent completely: ") && stderr.contains("`otrace sync` sends"), "{stderr}");

    // What belongs to one server goes to no other.
    let workspace = workspace.set("TRACE_API_URL", &nowhere());
    let answer = workspace.otrace(&["sync"]).await;
    assert_eq!(answer.code, 1);
    assert!(answer.stderr.contains("it was recorded with "), "{}", answer.stderr);

    let workspace = workspace.set("TRACE_API_URL", network.url());
    network.heal();
    assert_eq!(workspace.otrace(&["sync"]).await.succeeded().stdout, "Sent: exp001\n");
    assert_eq!(spooled(&workspace), 0);
    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!((&run["status"], &run["exit_code"]), (&json!("failed"), &json!(3)));
    assert_eq!(run["results"][0]["value"], 0.5);
    assert_eq!(run["artifacts"].as_array().map(Vec::len), Some(1));
    assert_eq!(log(&server, &project.key, "exp001", "stdout").await, b"ready\nlate\n");
    assert_eq!(run_count(&server, &project.key).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_send_each_run_once() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    for number in 1..=3 {
        let options = ["--offline", "--expect-artifact", "out.txt"];
        workspace.run_with(&options, &format!("echo run {number} | tee out.txt")).await.succeeded();
    }
    let (first, second) = tokio::join!(workspace.otrace(&["sync"]), workspace.otrace(&["sync"]));
    let (first, second) = (first.succeeded(), second.succeeded());
    let sent = first.stdout.matches("Sent: ").count() + second.stdout.matches("Sent: ").count();
    assert_eq!((sent, spooled(&workspace)), (3, 0), "{}\n{}", first.stdout, second.stdout);
    assert_eq!(run_count(&server, &project.key).await, 3);
    let mut logs = Vec::new();
    for run in ["exp001", "exp002", "exp003"] {
        logs.push(log(&server, &project.key, run, "stdout").await);
    }
    logs.sort();
    assert_eq!(logs, [b"run 1\n", b"run 2\n", b"run 3\n"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_sends_what_earlier_ones_lack() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.run_with(&["--offline", "--expect-log", "x"], "echo early").await.succeeded();
    assert_eq!(spooled(&workspace), 1);
    let answer = workspace.run("echo later").await.succeeded();
    let line = answer.stderr.lines().find(|line| line.starts_with("Also sent: offline-")).expect("a line");
    assert!(line.ends_with(" (now exp002)"), "{line}");
    assert!(answer.stderr.lines().last().is_some_and(|line| line.starts_with("Open: ")), "{}", answer.stderr);
    assert_eq!(log(&server, &project.key, "exp002", "stdout").await, b"early\n");
    assert_eq!(spooled(&workspace), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_others_may_change_is_not_used() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.run_with(&["--offline", "--expect-log", "x"], "true").await.succeeded();
    let entry = std::fs::read_dir(workspace.path(".trace/spool")).expect("read").next().expect("a run").expect("read");
    std::fs::set_permissions(entry.path(), Permissions::from_mode(0o755)).expect("opened");
    let answer = workspace.otrace(&["sync"]).await;
    assert_eq!(answer.code, 1);
    assert!(answer.stderr.contains("is open to others"), "{}", answer.stderr);
    assert_eq!(run_count(&server, &project.key).await, 0);
}
