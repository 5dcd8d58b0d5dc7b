//! `otrace logs`: what a run printed, and prints.

use otrace_server::testing::TestServer;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::sync_harness::Talk;
use crate::workspace::Workspace;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_printed_comes_back_to_the_byte() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.run_with(&["--expect-log", "x"], "printf '\\033[31mred\\377\\n'; echo bad >&2").await;
    let answer = workspace.otrace(&["logs", "exp001"]).await.succeeded();
    assert_eq!(answer.stdout_bytes, b"\x1b[31mred\xff\n");
    let answer = workspace.otrace(&["logs", "exp001", "--stderr", "--follow"]).await.succeeded();
    assert_eq!(answer.stdout, "bad\n");
    let answer = workspace.otrace(&["logs", "exp001", "--log", "no.log"]).await;
    assert!(answer.refusal().starts_with("error: exp001 has no log no.log\n"), "{}", answer.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_until_the_run_has_ended() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let mut talk = Talk::start(&workspace, &["--expect-log", "x"], "echo first; read go; echo last");
    talk.until("first").await;
    let mut follower = workspace.command(&["logs", "-f", "exp001"]).spawn().expect("started");
    let mut lines = BufReader::new(follower.stdout.take().expect("an output")).lines();
    assert_eq!(lines.next_line().await.expect("read").as_deref(), Some("first"));
    talk.say("go").await;
    assert_eq!(lines.next_line().await.expect("read").as_deref(), Some("last"));
    assert_eq!(talk.end().await.0, 0);
    assert_eq!(lines.next_line().await.expect("read"), None);
    assert!(follower.wait().await.expect("ended").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_a_reader_that_has_gone_is_not() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.run_with(&["--expect-log", "x"], "echo hello").await;
    for (command, is_told) in [("logs exp001 > /dev/full", true), ("show exp001 --json | head -c 0", false)] {
        let script = format!("exec 2>&1; {} {command}", env!("CARGO_BIN_EXE_otrace"));
        let like_otrace = workspace.command(&[]);
        let variables = like_otrace.as_std().get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut shell = tokio::process::Command::new("sh");
        shell.args(["-c", &script]).current_dir(workspace.root()).env_clear().envs(variables);
        let output = shell.output().await.expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.contains("could not write to standard output"), is_told, "{said}");
        assert_eq!(output.status.success(), !is_told, "{said}");
    }
}
