//! What a command prints and writes to its logs is on the server while it runs, and a bad network is no matter to it.

use otrace_server::testing::TestServer;
use serde_json::json;

use crate::sync_harness::{Network, Talk, declared_log, eventually, log, spooled};
use crate::workspace::{Workspace, recorded};

const OPTIONS: [&str; 2] = ["--expect-log", "x"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_is_on_the_server_while_the_command_runs() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let mut talk = Talk::start(&workspace, &OPTIONS, "echo first; printf second >&2; read go; echo last");
    talk.until("first").await;
    eventually(&server, "the first line", async || {
        (log(&server, &project.key, "exp001", "stdout").await == b"first\n").then_some(())
    })
    .await;
    eventually(&server, "the errors", async || {
        (log(&server, &project.key, "exp001", "stderr").await == b"second").then_some(())
    })
    .await;
    assert_eq!(recorded(&server, &project.key, "exp001").await["status"], "running");

    talk.say("go").await;
    let (code, _, stderr) = talk.end().await;
    assert_eq!((code, stderr.as_str()), (0, "second"));
    assert_eq!(log(&server, &project.key, "exp001", "stdout").await, b"first\nlast\n");
    assert_eq!(recorded(&server, &project.key, "exp001").await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_cut_and_healed_changes_neither_exit_code_nor_output() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let network = Network::to(&server).await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_API_URL", network.url());
    let script = "echo ready; read go; i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; \
                  echo done; read go; exit 7";
    let mut talk = Talk::start(&workspace, &OPTIONS, script);
    talk.until("ready").await;
    network.cut();
    talk.say("go").await;
    let expected: Vec<_> = (0..2000).map(|number| format!("line {number}")).collect();
    assert_eq!(talk.until("done").await, expected);
    network.heal();
    talk.say("go").await;
    let (code, _, stderr) = talk.end().await;
    assert_eq!((code, stderr.as_str()), (7, ""));
    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!((&run["status"], &run["exit_code"]), (&json!("failed"), &json!(7)));
    let kept = workspace.read(".trace/logs/exp001.stdout.log");
    assert_eq!(kept, format!("ready\n{}\ndone\n", expected.join("\n")));
    assert_eq!(log(&server, &project.key, "exp001", "stdout").await, kept.as_bytes());
    assert_eq!(spooled(&workspace), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_network_is_caught_up_with_while_the_command_runs() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let network = Network::to(&server).await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_API_URL", network.url());
    let mut talk = Talk::start(&workspace, &OPTIONS, "echo before; read go; echo during; read go; exit 0");
    talk.until("before").await;
    network.cut();
    talk.say("go").await;
    talk.until("during").await;
    network.heal();
    eventually(&server, "both lines", async || {
        (log(&server, &project.key, "exp001", "stdout").await == b"before\nduring\n").then_some(())
    })
    .await;
    talk.say("go").await;
    let (code, _, stderr) = talk.end().await;
    assert_eq!((code, stderr.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_log_is_on_the_server_while_the_command_runs() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("train.log", "an earlier run\n");
    let script = "echo ready; read go; echo first > train.log; read go; echo last >> train.log; read go";
    let mut talk = Talk::start(&workspace, &["--expect-log", "train.log"], script);
    talk.until("ready").await;
    let is_there = async |wanted: &str| {
        let log = declared_log(&server, &project.key, "exp001", "train.log").await;
        assert!(!log.contains("earlier"), "{log}");
        (log == wanted).then_some(())
    };
    talk.say("go").await;
    eventually(&server, "its first line", async || is_there("first\n").await).await;
    talk.say("go").await;
    eventually(&server, "its last line", async || is_there("first\nlast\n").await).await;
    assert_eq!(recorded(&server, &project.key, "exp001").await["status"], "running");

    talk.say("go").await;
    let (code, _, stderr) = talk.end().await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let run = recorded(&server, &project.key, "exp001").await;
    let artifact = run["artifacts"][0]["id"].as_str().expect("an artifact");
    assert_eq!(server.artifact_bytes(&project.key, artifact).await, b"first\nlast\n");
    assert_eq!(spooled(&workspace), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_a_glob_finds_later_is_followed_by_whatever_name_it_has() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let script = "echo ready; read go; mkdir logs; echo late > 'logs/rank 0&1+2.log'; read go";
    let mut talk = Talk::start(&workspace, &["--expect-log", "logs/*.log"], script);
    talk.until("ready").await;
    talk.say("go").await;
    eventually(&server, "the log", async || {
        let log = declared_log(&server, &project.key, "exp001", "logs/rank%200%261%2B2.log").await;
        (log == "late\n").then_some(())
    })
    .await;
    talk.say("go").await;
    let (code, _, stderr) = talk.end().await;
    assert_eq!((code, stderr.as_str()), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_a_declared_log_is_masked_before_it_leaves() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write(".env", "SERVICE_TOKEN=zq8Kp2vX9wLm4Rt7\n");
    let script = ". ./.env; echo ready; read go; echo \"with $SERVICE_TOKEN at hand\" > train.log; read go";
    let mut talk = Talk::start(&workspace, &["--expect-log", "train.log"], script);
    talk.until("ready").await;
    talk.say("go").await;
    let log = eventually(&server, "the log", async || {
        let log = declared_log(&server, &project.key, "exp001", "train.log").await;
        log.ends_with("at hand\n").then_some(log)
    })
    .await;
    assert!(log.starts_with("with [masked: ") && !log.contains("zq8Kp2vX9wLm4Rt7"), "{log}");
    talk.say("go").await;
    assert_eq!(talk.end().await.0, 0);
}
