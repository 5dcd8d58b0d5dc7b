//! `otrace run`: the command keeps what it would have without us, and the run is on the server.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use otrace_server::testing::TestServer;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::workspace::{Workspace, recorded, run_count};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_recorded_with_why_what_and_how_it_ended() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let options = ["--expect-artifact", "out.txt", "--name", "First", "--tag", "a", "--tag", "b"];
    let answer = workspace.run_with(&options, "echo loud; echo ok > out.txt").await.succeeded();

    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!(run["intent"], "to see");
    assert_eq!(run["setup"], "as it is");
    assert_eq!(run["command"], "sh -c 'echo loud; echo ok > out.txt'");
    assert_eq!(run["status"], "completed");
    assert_eq!(run["exit_code"], 0);
    assert_eq!(run["title"], "First");
    assert_eq!(run["tags"], json!(["a", "b"]));
    assert_eq!(run["working_directory"], workspace.root().to_str().expect("text"));
    assert_eq!(run["expected_artifact_paths"], json!(["out.txt"]));
    assert!(run["duration_seconds"].as_f64().is_some_and(|seconds| seconds >= 0.0));
    assert!(run["started_at"].is_string() && run["finished_at"].is_string());

    let open = format!("Open: {}/projects/{}/runs/exp001", server.url(), project.slug);
    for line in ["Experiment exp001 started", "Experiment exp001 saved", "Intent: to see", &open] {
        assert!(answer.stderr.lines().any(|printed| printed == line), "{line} in {}", answer.stderr);
    }
    assert_eq!(answer.stdout, "loud\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_run_prints_what_its_command_prints_and_nothing_else() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let options = ["-q", "--expect-log", "x"];
    let answer = workspace.run_with(&options, "printf 'a\\377\\033[1mb\\000c'; printf 'half' >&2").await.succeeded();
    assert_eq!(answer.stdout_bytes, b"a\xff\x1b[1mb\0c");
    assert_eq!(answer.stderr, "half");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_exit_code_is_ours() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    for (number, code) in [(1, 3), (2, 255)] {
        let answer = workspace.run(&format!("exit {code}")).await;
        assert_eq!(answer.code, code);
        let run = recorded(&server, &project.key, &format!("exp{number:03}")).await;
        assert_eq!((&run["status"], &run["exit_code"]), (&json!("failed"), &json!(code)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_a_signal_ends_counts_as_in_a_shell() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let answer = workspace.run("kill -KILL $$").await;
    assert_eq!(answer.code, 128 + 9);
    assert_eq!(recorded(&server, &project.key, "exp001").await["exit_code"], 137);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_command_prints_passes_through_byte_for_byte() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    // Of lines that are written anew, only the last state is kept: none are here.
    let bytes = (0..200_000_u32).map(|n| u8::try_from(n * 7 % 256).expect("a byte"));
    let bytes: Vec<u8> = bytes.filter(|byte| *byte != b'\r').collect();
    workspace.write("bytes", &bytes);
    let answer = workspace.run("cat bytes; printf 'half a line' >&2").await.succeeded();

    assert!(answer.stdout_bytes == bytes, "the output differs");
    assert!(answer.stderr.contains(" started\n\nhalf a line\n"), "{}", answer.stderr);
    let log = std::fs::read(workspace.path(".trace/logs/exp001.stdout.log")).expect("read");
    assert!(log == bytes, "the log differs");
    assert_eq!(workspace.read(".trace/logs/exp001.stderr.log"), "half a line");
}

#[tokio::test(flavor = "multi_thread")]
async fn output_appears_before_its_line_has_ended() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let script = "printf 'name? '; read name; echo \"hello $name\"";
    let args = ["run", "--intent", "i", "--setup", "s", "--expect-log", "x", "--", "sh", "-c", script];
    let mut child = workspace.command(&args).stdin(std::process::Stdio::piped()).spawn().expect("started");
    let mut stdout = BufReader::new(child.stdout.take().expect("an output"));
    let mut seen = Vec::new();
    // The prompt ends with a space: if it waited for its line, this would never return.
    while !seen.ends_with(b"name? ") {
        assert_ne!(stdout.read_until(b' ', &mut seen).await.expect("read"), 0, "it ended");
    }
    let mut stdin = child.stdin.take().expect("an input");
    tokio::io::AsyncWriteExt::write_all(&mut stdin, b"ada\n").await.expect("answered");
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stdout, &mut rest).await.expect("read");
    assert!(rest == b"hello ada\n");
    assert!(child.wait().await.expect("ended").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_knows_its_run() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.run("echo $TRACE_EXPERIMENT_ID $TRACE_RUN_ID > out.txt").await.succeeded();
    let run = recorded(&server, &project.key, "exp001").await;
    let id = run["id"].as_str().expect("an id");
    assert_eq!(workspace.read("out.txt"), format!("exp001 {id}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_run_becomes_the_active_experiment() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    for experiment in ["exp001", "exp002"] {
        workspace.run("true").await.succeeded();
        let run = recorded(&server, &project.key, experiment).await;
        let id = run["id"].as_str().expect("an id").to_owned();
        assert_eq!(workspace.read(".trace/active_experiment"), format!("{experiment}\n{id}\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_experiment_of_another_project_is_no_obstacle() {
    let server = TestServer::start().await;
    let first = server.project("first").await;
    let second = server.project("second").await;
    let workspace = Workspace::with_key(&server, &first.key);
    workspace.run("echo first").await.succeeded();
    let workspace = workspace.set("TRACE_API_KEY", &second.key);
    let answer = workspace.run("echo second").await.succeeded();
    assert_eq!(run_count(&server, &second.key).await, 1);

    // Both runs are exp001, each in its project; neither's files take the other's place.
    assert_eq!(workspace.read(".trace/logs/exp001.stdout.log"), "first\n");
    let line = answer.stderr.lines().find_map(|line| line.strip_prefix("Stdout log: ")).expect("a log");
    assert!(line.starts_with(".trace/logs/exp001-"), "{line}");
    assert_eq!(workspace.read(line), "second\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_not_there_is_a_failed_run() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("plain.txt", "no program");
    let base = ["-q", "run", "--intent", "i", "--setup", "s", "--expect-log", "x", "--"];
    for (program, code, experiment) in [("no-such-program", 127, "exp001"), ("./plain.txt", 126, "exp002")] {
        let mut args = base.to_vec();
        args.push(program);
        let answer = workspace.otrace(&args).await;
        assert_eq!(answer.code, code, "{}", answer.stderr);
        assert!(answer.stderr.starts_with(&format!("error: could not start {program}: ")), "{}", answer.stderr);
        assert_eq!(answer.stderr.lines().count(), 1);
        let run = recorded(&server, &project.key, experiment).await;
        assert_eq!((&run["status"], &run["exit_code"]), (&json!("failed"), &json!(code)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_to_us_reaches_the_command_and_is_recorded() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let script = "trap 'exit 7' TERM INT USR1 USR2; echo ready; while :; do sleep 0.05; done";
    let args = ["run", "--intent", "i", "--setup", "s", "--expect-log", "x", "--", "sh", "-c", script];
    let mut signals = vec![Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];
    if !ignores_interrupts() {
        signals.push(Signal::SIGINT);
    }
    for (number, signal) in (1..).zip(signals) {
        // In a group of its own, no terminal's foreground: so nobody else tells the command.
        let mut child = workspace.command(&args).process_group(0).spawn().expect("started");
        let mut lines = BufReader::new(child.stdout.take().expect("an output")).lines();
        while lines.next_line().await.expect("read").expect("more lines") != "ready" {}
        let pid = i32::try_from(child.id().expect("an id")).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("signalled");
        while lines.next_line().await.expect("read").is_some() {}
        assert_eq!(child.wait().await.expect("ended").code(), Some(7), "{signal}");
        assert_eq!(recorded(&server, &project.key, &format!("exp{number:03}")).await["exit_code"], 7);
    }
}

/// Whether the tests themselves run as a shell's background job.
fn ignores_interrupts() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 2 != 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_background_process_that_goes_on_talking_does_not_hold_the_run_open() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let start = Instant::now();
    let script = "(for i in $(seq 300); do echo more; sleep 0.1; done) & echo started";
    workspace.run_with(&["--expect-log", "x"], script).await.succeeded();
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(workspace.read(".trace/logs/exp001.stdout.log").contains("started\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_background_process_does_not_hold_the_run_open() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let start = Instant::now();
    let script = "sleep 60 2>/dev/null & echo $! > pid; echo started";
    workspace.run_with(&["--expect-log", "x"], script).await.succeeded();
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(workspace.read(".trace/logs/exp001.stdout.log"), "started\n");
    let pid = workspace.read("pid").trim().parse().expect("a pid");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it still ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_needs_no_init() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.run("true").await.succeeded();
    assert_eq!(workspace.read(".trace/.gitignore"), "*\n");
    assert!(!workspace.has(".env") && !workspace.has(".gitignore"));
    let trace = std::fs::metadata(workspace.path(".trace")).expect("it is there");
    assert_eq!(trace.permissions().mode() & 0o777, 0o700);
}
