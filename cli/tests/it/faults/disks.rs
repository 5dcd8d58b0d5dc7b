//! Full disks: the workspace's, the server's for contents, and its database's.

use std::fs;

use otrace_server::testing::TestServer;
use serde_json::json;

use super::mounts::{Mount, fill, may_mount};
use super::proxy::Proxy;
use super::real_server::Data;
use super::recording::{Api, End, Recording, was_started};
use super::servers::NOBODY;
use crate::sync_harness::spooled;
use crate::workspace::Workspace;

/// What a command prints that the workspace's disk has no room for.
const PRINTED: usize = 6_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_log_fills_the_disk_runs_on_and_what_was_kept_arrives() {
    if !may_mount() {
        return;
    }
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let api = Api::new(server.url(), &project.key);
    let workspace = Workspace::with_key(&server, &project.key);
    fs::create_dir(workspace.path(".trace")).expect("a folder");
    let disk = Mount::small(&workspace.path(".trace"), 2).expect("a disk");
    let script = format!("head -c {PRINTED} /dev/zero | tr '\\0' x; echo told >&2; exit 3");
    let answer = workspace.run_with(&["--expect-log", "none"], &script).await;
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    let longest = answer.stdout_bytes.split(|byte| *byte != b'x').map(<[u8]>::len).max();
    assert_eq!(longest, Some(PRINTED), "all of the output came through");
    assert!(answer.stderr.starts_with("told\n") || answer.stderr.contains("\ntold\n"), "{}", answer.stderr);
    assert_eq!(answer.stderr.matches("No space left").count(), 1, "told once: {}", answer.stderr);

    disk.grow(64);
    let answer = workspace.otrace(&["sync"]).await;
    assert_eq!((answer.code, spooled(&workspace)), (0, 0), "{}{}", answer.stdout, answer.stderr);
    let runs = api.runs().await;
    assert_eq!(runs.len(), 1);
    let ended = (&runs[0]["status"], &runs[0]["exit_code"]);
    assert!(
        [(&json!("failed"), &json!(3)), (&json!("capture_failed"), &json!(null))].contains(&ended),
        "how it ended: {ended:?}"
    );
    let kept = fs::read(workspace.path(".trace/logs/exp001.stdout.log")).expect("the log");
    assert!(kept.len() > 1_000_000 && kept.iter().all(|byte| *byte == b'x'), "{} bytes are kept", kept.len());
    let log = api.log("stdout").await;
    // The server's answer holds the first megabyte.
    assert!(log.len() == 1 << 20 && log.iter().all(|byte| *byte == b'x'), "{} bytes have arrived", log.len());
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
