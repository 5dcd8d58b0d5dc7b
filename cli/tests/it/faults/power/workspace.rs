//! The power of the machine that records is cut.

use std::fs;
use std::time::{Duration, Instant};

use otrace_server::testing::TestServer;
use serde_json::json;

use super::super::fsck;
use super::super::mounts::{Disk, Mount, may_mount, only_what_was_synced_is_there};
use super::super::recording::{Api, End, Recording, printed, was_started};
use super::super::shim::Shim;
use super::{CUTS, Lots};
use crate::sync_harness::spooled;
use crate::workspace::Workspace;

/// How long what is printed may take to be on disk.
const PATIENCE: Duration = Duration::from_secs(30);

/// A workspace, and a copy of another one's disk over it, on a machine that was started anew.
fn after_the_cut(disk: &mut Disk, server: &TestServer, key: &str) -> (Workspace, Mount) {
    let workspace = Workspace::with_key(server, key);
    let copy = disk.cut(&workspace.root());
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("Linux tells");
    for run in fs::read_dir(workspace.path(".trace/spool")).into_iter().flatten().flatten() {
        let child = run.path().join("child.json");
        // What the cut came too soon for is not there.
        let Ok(process) = fs::read_to_string(&child) else { continue };
        fs::write(&child, process.replace(boot.trim(), "another start")).expect("written");
    }
    (workspace, copy)
}

/// Records a run without a server on a disk whose power is cut when it has ended, and sends what is left of it. Says
/// whether all of it arrived.
async fn outlasts_the_end(workspace: Workspace) -> bool {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let mut disk = Disk::new(64, &workspace.root());
    let mut recording = Recording::start(workspace, &["--offline"]);
    recording.release();
    assert!(was_started(&recording.otrace_ended().await));
    disk.write_both();
    let (workspace, _copy) = after_the_cut(&mut disk, &server, &project.key);
    only_what_was_synced_is_there(&workspace.root());
    let answer = workspace.otrace(&["sync"]).await;
    let api = Api::new(server.url(), &project.key);
    if answer.code != 0 || api.runs().await.is_empty() {
        return false;
    }
    api.has_all(End::Known).await;
    assert_eq!(fsck::wrong(&api).await, [""; 0]);
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_ended_outlasts_a_power_cut() {
    if !may_mount() {
        return;
    }
    assert!(outlasts_the_end(Workspace::new()).await, "it is lost");
    // The control: where syncing does nothing, it does not.
    let Some(shim) = Shim::built() else { return };
    let on_lying_disk = outlasts_the_end(shim.on_lying_disk(Workspace::new())).await;
    assert!(!on_lying_disk, "this test can't tell what is synced from what is not");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_has_printed_outlasts_a_power_cut_while_it_runs() {
    if !may_mount() {
        return;
    }
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let api = Api::new(server.url(), &project.key);
    let workspace = Workspace::new();
    let mut disk = Disk::new(64, &workspace.root());
    let mut recording = Recording::start(workspace, &["--offline"]);
    recording.has_printed().await;
    // It is synced within a second or two of being printed.
    let give_up = Instant::now() + PATIENCE;
    let (workspace, _copy) = loop {
        let (workspace, copy) = after_the_cut(&mut disk, &server, &project.key);
        if in_logs(&workspace) == printed() {
            break (workspace, copy);
        }
        assert!(Instant::now() < give_up, "what was printed is never on disk");
    };
    recording.kill().await;
    recording.release();
    recording.command_ended().await;
    let answer = workspace.otrace(&["sync"]).await;
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert_eq!(api.runs().await[0]["status"], "capture_failed");
    assert_eq!([api.log("stdout").await, api.log("stderr").await].concat(), printed());
}

/// So many lines are printed at most between two cuts.
const LINES: usize = 40;

/// Says each number when it is told to, up to this one.
fn counter(last: usize) -> String {
    format!(
        "exec 3>alive; number=0; while [ $number -lt {last} ]; do read go < gate; number=$((number + 1)); \
         echo \"number $number\"; done; exit 3"
    )
}

/// The lines that it has said by a number.
fn counted(number: usize) -> Vec<u8> {
    (1..=number).flat_map(|number| format!("number {number}\n").into_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_moment_leaves_the_beginning_of_what_was_printed_and_nothing_else() {
    if !may_mount() {
        return;
    }
    let mut lots = Lots::new();
    let workspace = Workspace::new();
    let mut disk = Disk::new(64, &workspace.root());
    let last = CUTS * LINES;
    let mut recording = Recording::of(&counter(last), workspace, &["--offline"]);
    let mut number = 0;
    for _ in 0..CUTS {
        for _ in 0..lots.up_to(LINES) {
            number += 1;
            recording.release();
            recording.prints(format!("number {number}\n").as_bytes()).await;
        }
        // The same run is sent after each cut: to a server of its own, which has not seen it.
        let server = TestServer::start().await;
        let project = server.project("cut").await;
        let (workspace, _copy) = after_the_cut(&mut disk, &server, &project.key);
        let answer = workspace.otrace(&["sync"]).await;
        assert_eq!((answer.code, spooled(&workspace)), (0, 0), "{}{}", answer.stdout, answer.stderr);
        let api = Api::new(server.url(), &project.key);
        // One that the cut came too soon for is not there, and nothing waits for it.
        if api.runs().await.is_empty() {
            continue;
        }
        let run = api.only_run().await;
        assert_eq!((&run["status"], &run["exit_code"]), (&json!("capture_failed"), &json!(null)));
        let log = api.try_bytes("/v1/runs/exp001/logs/stdout?from=0").await.unwrap_or_default();
        assert!(counted(number).starts_with(&log), "{} ({lots:?})", String::from_utf8_lossy(&log));
        assert_eq!(fsck::wrong(&api).await, [""; 0], "{lots:?}");
    }
    for _ in number..last {
        recording.release();
    }
    assert_eq!(recording.otrace_ended().await.stdout, counted(last), "nobody was cut off here");
}

/// What the logs in a workspace hold: standard output, then what was printed as errors.
fn in_logs(workspace: &Workspace) -> Vec<u8> {
    let logs = fs::read_dir(workspace.path(".trace/logs")).into_iter().flatten().flatten().map(|log| log.path());
    let mut logs: Vec<_> = logs.filter(|log| log.extension().is_some_and(|suffix| suffix == "log")).collect();
    logs.sort_by_key(|log| log.to_string_lossy().ends_with(".stderr.log"));
    logs.into_iter().flat_map(|log| fs::read(log).unwrap_or_default()).collect()
}
