//! The workspace's disk has no room for a write: each write of a recording in its turn, alone and with all that follow.
//!
//! Whatever finds no room, the command is not touched, what did find room arrives, and the run says what it lacks.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use otrace_server::testing::TestServer;
use serde_json::{Value, json};

use super::network::with_each;
use super::recording::{ARTIFACT, Api, End, Ended, LOSSES, Recording, STDERR, STDOUT, count, show};
use super::shim::{Full, Shim};
use crate::sync_harness::spooled;
use crate::workspace::Workspace;

/// So many writes a recording has at least. With fewer, somebody has stopped to keep something.
const WRITES: usize = 30;
/// What the system says of a full disk.
const NO_ROOM: &str = "No space left";

/// One cell: where the run is kept at first, and which of its writes find no room.
type Cell = (&'static [&'static str], Full);

/// A recording that is not held up. It has no series of the machine's, whose writes would come at any time.
async fn recording(workspace: Workspace, options: &[&str]) -> (Recording, Ended) {
    let options = [options, &["-q", "--no-system-metrics"]].concat();
    let mut recording = Recording::start(workspace, &options);
    recording.release();
    let ended = recording.otrace_ended().await;
    (recording, ended)
}

/// How many writes there are where all find room.
async fn writes(server: &TestServer, shim: &Shim, options: &[&str]) -> usize {
    let project = server.project("counted").await;
    let (workspace, told) = shim.on_full_disk(Workspace::with_key(server, &project.key), Full::From(1_000_000));
    let (recording, ended) = recording(workspace, options).await;
    assert_eq!(ended.code, Some(3), "{}", show(&ended.stderr));
    drop(recording.sync().await);
    let told = fs::read_to_string(told).expect("it is told");
    let totals = told.lines().filter_map(|line| line.strip_prefix("total ")?.trim().parse().ok());
    totals.max().expect("a number")
}

async fn cell(server: Arc<TestServer>, shim: Arc<Shim>, (options, full): Cell) {
    let project = server.project(&format!("{full:?} {options:?}")).await;
    let api = Api::new(server.url(), &project.key);
    let (workspace, told) = shim.on_full_disk(Workspace::with_key(&server, &project.key), full);
    let (recording, ended) = recording(workspace, options).await;
    let is_full = found_no_room(&told);
    // Now there is room, and the disk does what it is told.
    let workspace = recording.workspace.set("LD_PRELOAD", "");
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    if ended.code == Some(1) {
        was_not_started(&api, &workspace, &ended).await;
        return;
    }
    assert_eq!((ended.code, ended.stdout.as_slice()), (Some(3), STDOUT), "{stderr}");
    assert_eq!(count(&ended.stderr, STDERR), 1, "{stderr}");
    assert!(count(&ended.stderr, NO_ROOM.as_bytes()) <= usize::from(is_full), "told once: {stderr}");
    let is_line = |line: &&[u8]| !line.is_empty() && !line.starts_with(b"otrace: ") && *line != STDERR.trim_ascii_end();
    let torn: Vec<_> = ended.stderr.split(|byte| *byte == b'\n').filter(is_line).map(show).collect();
    assert!(torn.is_empty(), "lines that are neither the command's nor ours: {torn:?}");

    let answer = workspace.otrace(&["sync"]).await;
    assert_eq!((answer.code, spooled(&workspace)), (0, 0), "{}{}", answer.stdout, answer.stderr);
    let is_offline = options.contains(&"--offline");
    // A disk that never takes anything again does not take how the run ended either.
    let end = if is_offline && matches!(full, Full::From(_)) { End::KnownOrNot } else { End::Known };
    has_what_found_room(&api, end).await;
}

/// What found no room, but for the total.
fn found_no_room(told: &Path) -> bool {
    let told = fs::read_to_string(told).expect("the total is told");
    told.lines().any(|line| !line.starts_with("total "))
}

/// Whoever reads that the command was not held up would look for what it did.
async fn was_not_started(api: &Api, workspace: &Workspace, ended: &Ended) {
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert!(stderr.contains(NO_ROOM) && !stderr.contains("not held up"), "{stderr}");
    assert!(ended.stdout.is_empty() && !workspace.has("out.bin"), "it was started: {stderr}");
    if workspace.has(".trace") {
        let answer = workspace.otrace(&["sync"]).await;
        assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
        assert!(!workspace.has(".trace/spool") || spooled(workspace) == 0, "what is left in the spool");
    }
    api.waits_for_nothing().await;
}

/// What is there is right, and what is not there is said.
async fn has_what_found_room(api: &Api, end: End) {
    let run = api.only_run().await;
    let ended = (&run["status"], &run["exit_code"]);
    let is_unknown = end == End::KnownOrNot && ended == (&json!("capture_failed"), &Value::Null);
    assert!(is_unknown || ended == (&json!("failed"), &json!(3)), "how it ended: {ended:?}");
    let said = run["snapshot"]["missing_expected_paths"].as_array().cloned().unwrap_or_default();
    let says = |name: &str| {
        let is_it = |said: &Value| {
            said["path"].as_str().is_some_and(|path| path.ends_with(name))
                && said["reason"].as_str().is_some_and(|reason| reason.contains(NO_ROOM))
        };
        is_unknown || said.iter().any(is_it)
    };
    for (stream, whole) in [("stdout", STDOUT), ("stderr", STDERR)] {
        let found = api.try_bytes(&format!("/v1/runs/exp001/logs/{stream}?from=0")).await.unwrap_or_default();
        assert!(whole.starts_with(&found), "{stream} has a hole: {}", show(&found));
        assert!(found == whole || says(&format!(".{stream}.log")), "{stream} is cut short, and that is not said");
    }
    let artifacts = run["artifacts"].as_array().expect("a list");
    assert_eq!(artifacts.len(), 1, "the artifact lies where it was left: {said:?}");
    let artifact = api.artifact(artifacts[0]["id"].as_str().expect("an id")).await;
    assert_eq!(show(&artifact), show(ARTIFACT), "the artifact");
    let points = api.points("loss").await;
    let whole = LOSSES.iter().enumerate().map(|(step, loss)| (step.to_string(), (*loss).to_owned()));
    let whole: Vec<_> = whole.collect();
    assert!(whole.starts_with(&points), "the series has a hole: {points:?}");
    assert!(points == whole || says(".jsonl"), "the series is cut short, and that is not said");
}

async fn sweep(options: &'static [&'static str], full: fn(usize) -> Full) {
    let Some(shim) = Shim::built() else { return };
    let (server, shim) = (Arc::new(TestServer::start().await), Arc::new(shim));
    let writes = writes(&server, &shim, options).await;
    assert!(writes >= WRITES, "{writes} writes");
    // A few may come in another order, and one more or less.
    let cells = (1..=writes + 1).map(|number| (options, full(number)));
    with_each(cells, |cell_at| cell(Arc::clone(&server), Arc::clone(&shim), cell_at)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_finds_no_room_costs_no_more_than_itself() {
    sweep(&[], Full::At).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_from_any_write_on_does_no_harm_to_a_run_that_is_told_to_its_server() {
    sweep(&[], Full::From).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_from_any_write_on_keeps_of_a_run_without_a_server_what_it_had() {
    sweep(&["--offline"], Full::From).await;
}
