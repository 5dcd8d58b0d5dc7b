//! What a command prints is on the server while it runs, and a bad network is no matter to it.

use otrace_server::testing::TestServer;
use serde_json::json;

use crate::sync_harness::{Network, Talk, eventually, log, spooled};
use crate::workspace::{Workspace, recorded};

const OPTIONS: [&str; 2] = ["--expect-log", "x"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_is_on_the_server_while_the_command_runs() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let mut talk = Talk::start(&workspace, &OPTIONS, "echo first; printf second >&2; read go; echo last");
    talk.until("first").await;
    eventually("the first line", async || {
        (log(&server, &project.key, "exp001", "stdout").await == b"first\n").then_some(())
    })
    .await;
    eventually("the errors", async || {
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
    eventually("both lines", async || {
        (log(&server, &project.key, "exp001", "stdout").await == b"before\nduring\n").then_some(())
    })
    .await;
    talk.say("go").await;
    let (code, _, stderr) = talk.end().await;
    assert_eq!((code, stderr.as_str()), (0, ""));
}
