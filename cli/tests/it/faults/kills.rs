//! `otrace` killed at each step: as a call arrives, as its answer comes, and after each file that it writes.

use std::fs;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use otrace_server::testing::{TestProject, TestServer};

use super::network::{Calls, with_each};
use super::proxy::{Fault, Proxy};
use super::recording::{Api, End, Recording, was_started};
use crate::sync_harness::spooled;

/// A run's files in the spool, the newest first.
const FILES: [&str; 4] = ["captured.json", "ended.json", "child.json", "started.json"];

/// Kills `otrace` at the first of every call.
async fn row(fault: Fault) {
    let server = Arc::new(TestServer::start().await);
    let calls = Arc::new(Calls::learned(&server).await);
    with_each(calls.all().cloned(), |call| cell(Arc::clone(&server), Arc::clone(&calls), call, fault)).await;
}

async fn cell(server: Arc<TestServer>, calls: Arc<Calls>, call: String, fault: Fault) {
    let project = server.project("cell").await;
    let api = Api::new(server.url(), &project.key);
    let proxy = Proxy::to(server.url());
    let recording = killed_at(&call, fault, &calls, &proxy, &project).await;
    recording.syncs().await;
    if calls.before.contains(&call) {
        api.waits_for_nothing().await;
    } else {
        let end = if calls.is_beside(&call) { End::KnownOrNot } else { End::Known };
        api.has_all(end).await;
    }
}

/// A recording whose `otrace` was killed at the first of this call, and whose command has ended.
async fn killed_at(call: &str, fault: Fault, calls: &Calls, proxy: &Proxy, project: &TestProject) -> Recording {
    proxy.break_first(call, fault);
    let mut recording = Recording::of_project(proxy, project);
    let is_before = calls.before.iter().any(|before| before == call);
    if !is_before {
        recording.has_printed().await;
    }
    let is_after = !is_before && !calls.is_beside(call);
    if is_after {
        recording.release();
    }
    proxy.broken(1).await;
    recording.kill().await;
    if !is_after {
        recording.release();
    }
    recording.command_ended().await;
    proxy.break_nothing();
    recording
}

#[tokio::test(flavor = "multi_thread")]
async fn an_otrace_that_is_killed_before_a_call_arrives_loses_nothing() {
    row(Fault::HoldRequest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_otrace_that_is_killed_before_the_answer_comes_loses_nothing() {
    row(Fault::HoldAnswer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_otrace_that_is_killed_after_any_of_its_files_loses_nothing() {
    let server = Arc::new(TestServer::start().await);
    let calls = Arc::new(Calls::learned(&server).await);
    with_each(0..=FILES.len(), |age| aged(Arc::clone(&server), Arc::clone(&calls), age)).await;
}

/// Each file is there in whole or not at all: a spool without its newest files is what a kill before them leaves.
async fn aged(server: Arc<TestServer>, calls: Arc<Calls>, age: usize) {
    let project = server.project("aged").await;
    let api = Api::new(server.url(), &project.key);
    let proxy = Proxy::to(server.url());
    let last = calls.after.first().expect("a call");
    let recording = killed_at(last, Fault::HoldRequest, &calls, &proxy, &project).await;
    let spool = fs::read_dir(recording.workspace.path(".trace/spool")).expect("read");
    let run = spool.flatten().next().expect("a run").path();
    for file in &FILES[..age] {
        // The newest may not have been there yet.
        let _ = fs::remove_file(run.join(file));
        // And half of a file that was being written.
        fs::write(run.join(format!(".{file}.new")), "{\"run\":").expect("written");
    }
    recording.syncs().await;
    match age {
        0 | 1 => api.has_all(End::Known).await,
        4 => api.waits_for_nothing().await,
        _ => api.has_all(End::KnownOrNot).await,
    }
}

/// It prints more than a pipe holds once it may go on.
const TALKER: &str = r#"exec 3>alive
printf '\000weights\377' > out.bin
echo before
read go < gate
for n in 1 2 3 4 5 6 7 8 9 10; do printf '%01000d%01000d%01000d%01000d%01000d%01000d%01000d%01000d\n' 0 0 0 0 0 0 0 $n; done
echo "token ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R" >&2
printf 'no end'
echo unharmed > survived
exit 3"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_otrace_that_is_killed_does_no_harm_to_its_command_and_what_that_prints_is_kept() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace =
        crate::workspace::Workspace::new().set("TRACE_API_URL", server.url()).set("TRACE_API_KEY", &project.key);
    let mut recording = Recording::of(TALKER, workspace, &[]);
    recording.prints(b"before\n").await;
    recording.kill().await;
    recording.release();
    recording.command_ended().await;
    assert_eq!(recording.workspace.read("survived"), "unharmed\n");
    recording.syncs().await;
    let api = Api::new(server.url(), &project.key);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (stdout, stderr) = (text(api.log("stdout").await), text(api.log("stderr").await));
    let (first, last) = (stdout.lines().next(), stdout.lines().last());
    assert_eq!((stdout.len(), first, last), (80_023, Some("before"), Some("no end")));
    assert_eq!(stderr, "token [masked: github token]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_is_killed_at_every_call_arrives_in_the_end() {
    for fault in [Fault::HoldRequest, Fault::HoldAnswer] {
        let server = TestServer::start().await;
        let project = server.project("wake-word").await;
        let proxy = Proxy::to(server.url());
        let workspace =
            crate::workspace::Workspace::new().set("TRACE_API_URL", proxy.url()).set("TRACE_API_KEY", &project.key);
        let mut recording = Recording::start(workspace, &["--offline"]);
        recording.release();
        assert!(was_started(&recording.otrace_ended().await));
        proxy.break_each(fault, &[]);
        let mut kills = 0;
        loop {
            let mut sync = recording.workspace.command(&["sync"]).spawn().expect("started");
            let pid = Pid::from_raw(sync.id().expect("a process").cast_signed());
            tokio::select! {
                status = sync.wait() => {
                    assert!(status.expect("ended").success());
                    break;
                }
                broken = proxy.broken(kills + 1) => {
                    // Those that were on their way at once end with it.
                    kills = broken.len();
                    kill(pid, Signal::SIGKILL).expect("it runs");
                    sync.wait().await.expect("ended");
                    proxy.heal();
                }
            }
        }
        assert!(kills >= 4, "{kills} kills");
        assert_eq!(spooled(&recording.workspace), 0);
        Api::new(server.url(), &project.key).has_all(End::Known).await;
    }
}
