//! Full disks: the workspace's, the server's for contents, and its database's.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use otrace_server::testing::TestServer;
use serde_json::{Value, json};

use super::fsck;
use super::mounts::{Mount, fill, may_mount};
use super::network::with_each;
use super::proxy::Proxy;
use super::real_server::Data;
use super::recording::{Api, End, Recording, show, was_started};
use super::servers::NOBODY;
use crate::sync_harness::spooled;
use crate::workspace::Workspace;

/// What a command prints that the workspace's disk has no room for.
const PRINTED: usize = 6_000_000;
/// The disk's room, and how much of it a log gets at least: the rest is for folders and small files.
const MEGABYTES: u32 = 2;
const KEPT_MIN: usize = 1_800_000;
/// With a server, and without one at first.
const WAYS: [&[&str]; 2] = [&[], &["--offline"]];
/// What the system says of a full disk.
const NO_ROOM: &str = "No space left";

/// A workspace whose `.trace` is this disk.
pub(super) fn on_disk(server: &TestServer, key: &str, mount: impl FnOnce(&Path) -> Mount) -> (Workspace, Mount) {
    let workspace = Workspace::with_key(server, key);
    fs::create_dir(workspace.path(".trace")).expect("a folder");
    let disk = mount(&workspace.path(".trace"));
    (workspace, disk)
}

/// Whether a run says that this is not all of it, and why.
pub(super) fn is_said(run: &Value, path: &str) -> bool {
    let said = run["snapshot"]["missing_expected_paths"].as_array().into_iter().flatten();
    said.filter(|said| said["path"] == path)
        .any(|said| said["reason"].as_str().is_some_and(|reason| reason.contains(NO_ROOM)))
}

/// Fills the disk with what a command prints, after an earlier run that is not sent yet.
async fn filled(options: &[&str]) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let api = Api::new(server.url(), &project.key);
    let small = |at: &Path| Mount::small(at, MEGABYTES).expect("a disk");
    let (workspace, disk) = on_disk(&server, &project.key, small);
    workspace.run_with(&["--offline", "--expect-log", "none"], "echo early").await.succeeded();
    let script = format!("printf kept > out.bin; head -c {PRINTED} /dev/zero | tr '\\0' x; echo told >&2; exit 3");
    let options = [&["-q", "--no-system-metrics", "--expect-artifact", "out.bin"], options].concat();
    let answer = workspace.run_with(&options, &script).await;
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(answer.stdout_bytes.iter().all(|byte| *byte == b'x'), "nothing but the command's output");
    assert_eq!(answer.stdout_bytes.len(), PRINTED, "all of the output came through");
    let (told, warnings): (Vec<_>, Vec<_>) = answer.stderr.lines().partition(|line| *line == "told");
    assert_eq!((told.len(), warnings.len()), (1, 1), "one line of the command's, one of ours: {}", answer.stderr);
    assert!(warnings[0].contains(NO_ROOM) && warnings[0].contains("Make room"), "{}", answer.stderr);

    let logs = fs::read_dir(workspace.path(".trace/logs")).expect("read").flatten().map(|log| log.path());
    let of_stdout = logs.filter(|log| log.to_string_lossy().ends_with(".stdout.log"));
    let log = of_stdout.max_by_key(|log| log.metadata().map_or(0, |found| found.len())).expect("a log");
    let kept = fs::read(&log).expect("the log");
    assert!(kept.len() > KEPT_MIN && kept.iter().all(|byte| *byte == b'x'), "{} bytes are kept", kept.len());

    disk.grow(64);
    let answer = workspace.otrace(&["sync"]).await;
    assert_eq!((answer.code, spooled(&workspace)), (0, 0), "{}{}", answer.stdout, answer.stderr);
    let runs = api.runs().await;
    assert_eq!(runs.len(), 2);
    let id = |status: &str| runs.iter().find(|run| run["status"] == status).expect("it is there")["id"].clone();
    let early = format!("/v1/runs/{}/logs/stdout?from=0", id("completed").as_str().expect("an id"));
    assert_eq!(api.get(&early).await, b"early\n", "what was kept before");
    let late = format!("/v1/runs/{}", id("failed").as_str().expect("an id"));
    let run = api.json(&late).await["run"].clone();
    assert_eq!(run["exit_code"], 3, "how it ended");
    let log = log.strip_prefix(workspace.root()).expect("below").to_str().expect("text");
    let is_it = |found: &&Value| found["stream"] == "stdout";
    let stored = run["logs"].as_array().into_iter().flatten().find(is_it).expect("a log")["hash"].clone();
    let arrived = api.content(stored.as_str().expect("a hash")).await.expect("its content");
    assert!(arrived == kept, "{} bytes were kept, {} have arrived", kept.len(), arrived.len());
    assert!(is_said(&run, log), "that {log} is cut short: {}", run["snapshot"]["missing_expected_paths"]);
    let artifact = run["artifacts"][0]["hash"].as_str().expect("it lies where it was left");
    assert_eq!(api.content(artifact).await.as_deref(), Some(&b"kept"[..]));
    assert_eq!(fsck::wrong(&api).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_log_fills_the_disk_runs_on_and_what_found_room_arrives() {
    if may_mount() {
        filled(&[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_a_server_whose_log_fills_the_disk_ends_as_it_ends() {
    if may_mount() {
        filled(&["--offline"]).await;
    }
}

/// A disk that has no room for one more file, from the first file of ours on to the last.
async fn without_files(server: Arc<TestServer>, options: &'static [&'static str], files: u32) {
    let project = server.project(&format!("{files} {options:?}")).await;
    let api = Api::new(server.url(), &project.key);
    let few = |at: &Path| Mount::of_few_files(at, files);
    let (workspace, disk) = on_disk(&server, &project.key, few);
    let options = [&["-q", "--no-system-metrics", "--expect-artifact", "out.bin"], options].concat();
    let answer = workspace.run_with(&options, "printf kept > out.bin; echo hi; printf 'no end'; exit 3").await;
    disk.grow(64);
    let synced = workspace.otrace(&["sync"]).await;
    assert_eq!(synced.code, 0, "{}{}", synced.stdout, synced.stderr);
    assert!(!workspace.has(".trace/spool") || spooled(&workspace) == 0, "what is left in the spool");
    if answer.code == 1 {
        assert!(answer.stderr.contains(NO_ROOM) && !workspace.has("out.bin"), "{}", answer.stderr);
        assert_eq!(answer.stdout, "");
        return api.waits_for_nothing().await;
    }
    assert_eq!((answer.code, answer.stdout.as_str()), (3, "hi\nno end"), "{}", answer.stderr);
    assert!(answer.stderr.matches(NO_ROOM).count() <= 1, "told once: {}", answer.stderr);
    let run = api.only_run().await;
    assert_eq!((&run["status"], &run["exit_code"]), (&json!("failed"), &json!(3)));
    let log = api.log("stdout").await;
    let name = run["snapshot"]["stdout_log_path"].as_str().expect("a path");
    assert!(b"hi\nno end".starts_with(&log), "{}", show(&log));
    assert!(log == b"hi\nno end" || is_said(&run, name), "{name} is cut short, and that is not said");
    let artifact = run["artifacts"][0]["hash"].as_str().expect("it lies where it was left");
    assert_eq!(api.content(artifact).await.as_deref(), Some(&b"kept"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_more_files_loses_nothing_that_is_in_those_that_it_has() {
    if !may_mount() {
        return;
    }
    let server = Arc::new(TestServer::start().await);
    // From what the folders take to more than a run has.
    let cells = WAYS.into_iter().flat_map(|options| (10..36).map(move |files| (options, files)));
    with_each(cells, |(options, files)| without_files(Arc::clone(&server), options, files)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_room_for_contents_says_so_and_takes_them_when_there_is_some() {
    if !may_mount() {
        return;
    }
    let proxy = Proxy::to(NOBODY);
    let data = Data::new(proxy.url());
    let blobs = data.folder.join("blobs");
    fs::create_dir_all(&blobs).expect("a folder");
    let _disk = Mount::small(&blobs, 1).expect("a disk");
    let server = data.serve().await;
    proxy.lead_to(&server.url);
    data.account().await;
    let key = data.project().await;
    let api = Api::new(&server.url, &key);

    let ballast = fill(&blobs);
    let mut recording = Recording::through(&proxy, &key);
    recording.has_printed().await;
    recording.release();
    assert!(was_started(&recording.otrace_ended().await));
    assert_eq!(spooled(&recording.workspace), 1, "it is kept until there is room");
    let refused = proxy.refusals();
    assert!(!refused.is_empty(), "contents were sent");
    for answer in &refused {
        let is_said = ["HTTP/1.1 507", "HTTP/1.1 503"].iter().any(|status| answer.starts_with(status));
        assert!(is_said && answer.contains("\"error\":\""), "{answer}");
    }
    assert_eq!(api.runs().await.len(), 1, "what is there can be read");

    fs::remove_file(ballast).expect("removed");
    recording.syncs().await;
    api.has_all(End::Known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_room_loses_no_run_and_goes_on_when_there_is_some() {
    if !may_mount() {
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let _disk = Mount::small(home.path(), 256).expect("a disk");
    let data = Data::within(home.path(), NOBODY);
    let mut server = data.serve().await;
    data.account().await;
    let key = data.project().await;
    let mut made = Vec::new();
    let ballast = fill(home.path());
    let refused = loop {
        let body = json!({"intent": "i".repeat(100_000), "setup": "s", "command": "c"});
        match Api::new(&server.url, &key).try_post("/v1/runs", &body).await {
            Some((200, run)) => made.push(run["run"]["id"].clone()),
            other => break other,
        }
        assert!(made.len() < 10_000, "the disk is never full");
    };
    if let Some((status, told)) = refused {
        assert!([503, 507].contains(&status) && told["error"].is_string(), "{status} {told}");
    }
    fs::remove_file(ballast).expect("removed");
    if Api::new(&server.url, &key).try_get("/v1/runs").await.is_none() {
        // Its database could not go on: it has ended, and whoever looks after it starts it again.
        server.kill().await;
        server = data.serve().await;
    }
    let api = Api::new(&server.url, &key);
    let ids: Vec<_> = api.runs().await.into_iter().map(|run| run["id"].clone()).collect();
    assert!(made.iter().all(|id| ids.contains(id)), "{} were acknowledged, {} are there", made.len(), ids.len());
    let body = json!({"intent": "i", "setup": "s", "command": "c"});
    assert_eq!(api.try_post("/v1/runs", &body).await.map(|(status, _)| status), Some(200));
}
