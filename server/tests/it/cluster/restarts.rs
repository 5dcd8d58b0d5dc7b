//! Servers that are replaced, and servers that die, while they are used.

use otrace_wire::Sha256Digest;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::load::{Load, Manner};
use super::recording::{ALL, ARTIFACT, BEFORE, Recording};
use super::{Cluster, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_are_restarted_in_turn_under_load_and_no_request_fails() {
    let mut cluster = Cluster::with(&[("OTRACE_DRAIN_DELAY", "1")]).await;
    let project = cluster.app.project("wake-word").await;
    let load = Load::on(&cluster, &project, Manner::GivesUp);
    load.goes_on().await;
    for server in [0, 1] {
        cluster.restart(server).await;
        load.goes_on().await;
    }
    let told = load.end().await;
    assert_eq!(told.failures, [""; 0]);
    cluster.has_each_once(&project, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_are_killed_in_turn_under_load_and_no_run_is_lost_or_doubled() {
    let mut cluster = Cluster::start().await;
    let project = cluster.app.project("wake-word").await;
    let load = Load::on(&cluster, &project, Manner::Repeats);
    load.goes_on().await;
    for server in [0, 1] {
        cluster.servers[server].kill().await;
        // The other one takes it all.
        load.goes_on().await;
        cluster.servers[server].start().await;
        cluster.is_asked(server).await;
        load.goes_on().await;
    }
    let told = load.end().await;
    assert_eq!(told.failures, [""; 0]);
    cluster.has_each_once(&project, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_goes_on_while_both_are_restarted() {
    let mut cluster = Cluster::start().await;
    let project = cluster.app.project("wake-word").await;
    let api = cluster.api(&project);
    let recording = Recording::start(cluster.nginx.url(), &project.key);
    let log = "/v1/runs/exp001/logs/stdout?from=0";
    until("the server has what was printed", async || api.get(log).await.body == BEFORE.as_bytes()).await;
    for server in [0, 1] {
        cluster.restart(server).await;
    }

    let ended = recording.end().await;
    let said = [String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr)].concat();
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(ended.stdout.starts_with(ALL.as_bytes()), "{said}");
    let run = api.get("/v1/runs/exp001").await.expect(200).json()["run"].clone();
    assert_eq!((&run["status"], &run["exit_code"]), (&json!("completed"), &json!(0)), "{said}");
    assert_eq!(api.get(log).await.expect(200).text(), ALL);
    let digest = Sha256Digest::new(Sha256::digest(ARTIFACT).into());
    assert_eq!(run["artifacts"][0]["hash"], digest.to_string());
    assert_eq!(api.get(&format!("/v1/contents/{}", digest.hex())).await.expect(200).body, ARTIFACT);
    assert_eq!(api.get("/v1/runs/count").await.expect(200).json()["count"], 1);
}
