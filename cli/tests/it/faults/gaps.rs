//! What is missing of a run is said where it is missing, and what comes later is in its place: a disk that was full and
//! has room again, an `otrace` that was killed before it had read all, a run that is sent from another environment.

use std::fs;
use std::path::Path;

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};

use super::disks::{is_said, on_disk};
use super::mounts::{Mount, may_mount};
use super::recording::{Api, Recording, show};
use crate::sync_harness::spooled;
use crate::workspace::Workspace;

/// Where the log of standard output is.
const LOG: &str = ".trace/logs/exp001.stdout.log";
/// Prints more than its disk has room for.
const FILL: &str = "echo kept; head -c 1500000 /dev/zero | tr '\\0' x; echo; echo full";
/// So much of that is there at least.
const KEPT_MIN: usize = 500_000;
/// What is declared, beside what every recording declares.
const CSV: [&str; 4] = ["-q", "--no-system-metrics", "--expect-artifact", "out.csv"];

/// A workspace whose `.trace` has little room.
async fn small() -> (TestServer, Api, Workspace, Mount) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let api = Api::new(server.url(), &project.key);
    let (workspace, disk) = on_disk(&server, &project.key, |at: &Path| Mount::small(at, 1).expect("a disk"));
    (server, api, workspace, disk)
}

/// What a log says of a gap, and what stands behind it. Before it stands the beginning of what was printed.
fn around(log: &str) -> (&str, &str) {
    let (before, rest) =
        log.split_once("\n[otrace: ").unwrap_or_else(|| panic!("nothing is said: {} bytes", log.len()));
    let before = before.strip_prefix("kept\n").expect("its beginning");
    assert!(before.len() > KEPT_MIN && before.bytes().all(|byte| byte == b'x'), "{} bytes are kept", before.len());
    rest.split_once("]\n").expect("a line")
}

async fn stdout(api: &Api) -> String {
    String::from_utf8(api.log("stdout").await).expect("text")
}

/// What a run says that it lacks of this kind.
fn lacking(run: &Value, kind: &str) -> Vec<String> {
    let said = run["snapshot"]["missing_expected_paths"].as_array().into_iter().flatten();
    said.filter(|said| said["type"] == kind)
        .map(|said| said["reason"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_goes_on_behind_a_line_that_says_what_there_was_no_room_for() {
    if !may_mount() {
        return;
    }
    let (_server, api, workspace, disk) = small().await;
    // It prints until its log goes on.
    let script = format!(
        "exec 3>alive; {FILL}; read go < gate; until grep -q again {LOG}; do echo again; sleep 0.1; done; echo end; exit 3"
    );
    let mut recording = Recording::of(&script, workspace, &["-q", "--no-system-metrics"]);
    recording.prints(b"full\n").await;
    disk.grow(64);
    recording.release();
    assert_eq!(recording.otrace_ended().await.code, Some(3));
    assert_eq!(spooled(&recording.workspace), 0, "all of it is sent");
    let log = stdout(&api).await;
    assert!(fs::read(recording.workspace.path(LOG)).expect("the log") == log.as_bytes(), "both sides have the same");
    let (said, behind) = around(&log);
    assert!(said.contains(" of the output missing here: No space left"), "{said}");
    let lines = behind.strip_suffix("end\n").expect("its end");
    assert!(!lines.is_empty() && lines.lines().all(|line| line == "again"), "{behind}");
    let run = api.only_run().await;
    assert!(is_said(&run, LOG), "{}", run["snapshot"]["missing_expected_paths"]);
    assert!(lacking(&run, "log")[0].contains(" missing after "), "{:?}", lacking(&run, "log"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_when_otrace_was_killed_on_a_full_disk_comes_behind_the_gap() {
    if !may_mount() {
        return;
    }
    let (_server, api, workspace, disk) = small().await;
    let script = format!("exec 3>alive; {FILL}; read go < gate; echo lost; echo again; exit 3");
    let mut recording = Recording::of(&script, workspace, &["-q", "--no-system-metrics"]);
    recording.prints(b"full\n").await;
    recording.kill().await;
    disk.grow(64);
    recording.release();
    recording.command_ended().await;
    recording.syncs().await;
    let log = stdout(&api).await;
    // Of the first line nobody knows whether a secret has begun before it.
    assert_eq!(around(&log), ("some of the output missing here: there was no room for it", "again\n"));
    let run = api.only_run().await;
    assert_eq!(run["status"], "capture_failed");
    assert!(lacking(&run, "log")[0].starts_with("some of it missing after "), "{:?}", lacking(&run, "log"));
}

/// Points that there is no room for, in a file that lies on another disk.
async fn series(options: &[&str]) {
    let (_server, api, workspace, disk) = small().await;
    let script = "head -c 1500000 /dev/zero | tr '\\0' x; echo step,loss > out.csv; \
                  for step in 1 2 3; do echo $step,0.5 >> out.csv; done; exit 3";
    let answer = workspace.run_with(&[&CSV[..], options].concat(), script).await;
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    if options.is_empty() {
        assert_eq!(spooled(&workspace), 0, "all of it is sent: {}", answer.stderr);
    } else {
        disk.grow(64);
        workspace.otrace(&["sync"]).await.succeeded();
    }
    let points = ["1", "2", "3"].map(|step| (step.to_owned(), "0.5".to_owned()));
    assert_eq!(api.points("loss").await, points);
    let run = api.only_run().await;
    assert!(lacking(&run, "metrics").is_empty(), "{:?}", lacking(&run, "metrics"));
    assert_eq!(lacking(&run, "log").len(), 1, "the log is cut short");
}

#[tokio::test(flavor = "multi_thread")]
async fn series_that_there_is_no_room_for_are_sent_from_the_file_that_they_stand_in() {
    if may_mount() {
        series(&[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_they_are_read_from_it_once_there_is_room() {
    if may_mount() {
        series(&["--offline"]).await;
    }
}

/// A run whose `otrace` is killed between two points that its command writes into a declared file.
async fn killed_between_points() -> (TestServer, TestProject, Recording) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let script = "exec 3>alive; echo step,loss > out.csv; echo 1,0.5 >> out.csv; echo ready; read go < gate; \
                  echo 2,0.25 >> out.csv; exit 3";
    let mut recording = Recording::of(script, workspace, &CSV);
    recording.prints(b"ready\n").await;
    recording.kill().await;
    recording.release();
    recording.command_ended().await;
    (server, project, recording)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_measures_after_its_otrace_was_killed_arrives() {
    let (server, project, recording) = killed_between_points().await;
    recording.syncs().await;
    let points = [("1", "0.5"), ("2", "0.25")].map(|(step, loss)| (step.to_owned(), loss.to_owned()));
    assert_eq!(Api::new(server.url(), &project.key).points("loss").await, points);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_run_measures_is_not_taken_for_that_of_one_that_was_killed() {
    let (server, project, recording) = killed_between_points().await;
    let answer = recording.workspace.run_with(&CSV, "echo 3,0.125 >> out.csv; exit 3").await;
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert_eq!(recording.sync().await.code, 0);
    assert_eq!(spooled(&recording.workspace), 0);
    let points = Api::new(server.url(), &project.key).points("loss").await;
    assert!(points.iter().all(|(step, _)| step != "3"), "{points:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_masked_by_the_environment_that_it_was_recorded_in_whoever_sends_it() {
    const SECRET: &str = "zq8Kp2vX9wLm4Rt7";
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key).set("SERVICE_TOKEN", SECRET);
    let script = "exec 3>alive; echo ready; read go < gate; echo \"with $SERVICE_TOKEN at hand\" > train.log; exit 3";
    let mut recording = Recording::of(script, workspace, &["--expect-log", "train.log"]);
    recording.prints(b"ready\n").await;
    recording.kill().await;
    recording.release();
    recording.command_ended().await;
    let run = fs::read_dir(recording.workspace.path(".trace/spool")).expect("read").flatten().next().expect("a run");
    let asked = fs::read_to_string(run.path().join("run.json")).expect("it is there");
    assert!(asked.contains("environment value SERVICE_TOKEN") && !asked.contains(SECRET), "{asked}");

    let workspace = recording.workspace.set("SERVICE_TOKEN", "");
    workspace.otrace(&["sync"]).await.succeeded();
    let api = Api::new(server.url(), &project.key);
    let run = api.only_run().await;
    let is_log = |artifact: &&Value| artifact["original_path"] == json!("train.log");
    let log = run["artifacts"].as_array().into_iter().flatten().find(is_log).expect("the log")["hash"].clone();
    let log = api.content(log.as_str().expect("a hash")).await.expect("its content");
    assert_eq!(show(&log), "with [masked: environment value SERVICE_TOKEN] at hand\\n");
}
