//! Each write of a run, sent as a bad network sends it: again, in the wrong order, all at once, and when all is over.

use futures_util::future::join_all;
use otrace_server::testing::{TestApp, TestProject};
use otrace_wire::Sha256Digest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{DETAILS, RUN, SERIES, STDOUT, append, asked, printed, run, send};

/// So often each write comes at once.
const TIMES: usize = 20;
/// So many points one batch has.
const BATCH: usize = 10;

fn batch(first: usize) -> Value {
    let points: Vec<Value> =
        (first..first + BATCH).map(|step| json!({"name": "loss", "step": step, "value": step})).collect();
    json!({"batches": [{"source": "metrics", "first": first, "points": points}]})
}

/// What of a run has to be the same however often it was told. Artifacts get new ids with their details.
async fn state(app: &TestApp, project: &TestProject) -> Value {
    let mut run = run(app, project).await;
    for artifact in run["artifacts"].as_array_mut().unwrap() {
        let artifact = artifact.as_object_mut().unwrap();
        artifact.retain(|key, _| ["original_path", "hash", "size_bytes", "text_content"].contains(&key.as_str()));
    }
    for key in ["updated_at", "last_contact_at"] {
        run.as_object_mut().unwrap().remove(key);
    }
    let csv = app.api(&project.key, "GET", &format!("{SERIES}/loss?format=csv"), None).await.expect(200).text();
    let count = app.api(&project.key, "GET", "/v1/runs/count", None).await.expect(200).json()["count"].clone();
    json!({"run": run, "csv": csv, "printed": printed(app, project).await, "count": count})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_every_write_comes_many_times_at_once_and_late_is_one_run() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let create = asked(Uuid::now_v7());
    for answer in join_all((0..TIMES).map(|_| send(&app, &project, "POST", "/v1/runs", create.clone()))).await {
        assert_eq!(answer["run"]["experiment_id"], "exp001");
    }
    send(&app, &project, "PATCH", RUN, json!({"status": "running"})).await;

    let text: Vec<u8> = (0..2_000).flat_map(|line| format!("line {line}\n").into_bytes()).collect();
    let pieces: Vec<(usize, &[u8])> = text.chunks(4_000).enumerate().map(|(at, piece)| (at * 4_000, piece)).collect();
    let mut end = 0;
    for round in 0.. {
        let reversed = pieces.iter().rev().chain(&pieces);
        let ends = join_all(reversed.map(|(offset, piece)| append(&app, &project, *offset, piece))).await;
        end = ends.into_iter().max().unwrap().max(end);
        if end == text.len() {
            break;
        }
        assert!(round < pieces.len(), "each round brings at least one piece further");
    }
    assert!(printed(&app, &project).await == text, "every byte in its place");

    for first in [2 * BATCH, BATCH, 0, BATCH, 2 * BATCH, 0] {
        join_all((0..4).map(|_| send(&app, &project, "POST", SERIES, batch(first)))).await;
    }

    let content = b"weights".to_vec();
    let artifact = Sha256Digest::new(Sha256::digest(&content).into());
    let log = Sha256Digest::new(Sha256::digest(&text).into());
    for (digest, bytes) in [(artifact, &content), (log, &text)] {
        let path = format!("/v1/contents/{}", digest.hex());
        let answers = join_all((0..TIMES).map(|_| app.api_raw(&project.key, "PUT", &path, bytes.clone()))).await;
        for answer in answers {
            assert_eq!(answer.expect(200).json()["hash"], digest.to_string());
        }
    }
    let details = json!({
        "artifacts": [{"original_path": "out.bin", "hash": artifact, "size_bytes": content.len()}],
        "results": [{"name": "loss", "value": 0.5}],
        "logs": [{"stream": "stdout", "hash": log, "size_bytes": text.len()}],
    });
    join_all((0..TIMES).map(|_| send(&app, &project, "PUT", DETAILS, details.clone()))).await;
    let end = json!({"status": "failed", "exit_code": 3, "duration_seconds": 1.5});
    join_all((0..TIMES).map(|_| send(&app, &project, "PATCH", RUN, end.clone()))).await;

    let once = state(&app, &project).await;
    assert_eq!(once["count"], 1);
    assert_eq!((&once["run"]["status"], &once["run"]["exit_code"]), (&json!("failed"), &json!(3)));
    for list in ["artifacts", "results", "logs"] {
        assert_eq!(once["run"][list].as_array().map(Vec::len), Some(1), "{list}");
    }
    assert_eq!(once["csv"].as_str().unwrap().lines().count(), 1 + 3 * BATCH);

    // Some network had kept all of it, and delivers it now.
    send(&app, &project, "PATCH", RUN, json!({"status": "running"})).await;
    for (offset, piece) in &pieces {
        assert_eq!(append(&app, &project, *offset, piece).await, text.len());
    }
    send(&app, &project, "POST", SERIES, batch(0)).await;
    send(&app, &project, "PUT", DETAILS, details).await;
    send(&app, &project, "POST", &format!("{RUN}/heartbeat"), json!({})).await;
    send(&app, &project, "POST", "/v1/runs", create).await;
    assert_eq!(state(&app, &project).await, once);
}

#[tokio::test]
async fn evidence_that_comes_again_is_added_once() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    send(&app, &project, "POST", "/v1/runs", asked(Uuid::now_v7())).await;
    let evidence = |texts: &[&str]| {
        let entries: Vec<Value> = texts.iter().map(|text| json!({"source_path": "a.log", "snippet": text})).collect();
        json!({ "evidence": entries })
    };
    for texts in [&["one"][..], &["one"], &["two", "one", "three"], &["two", "one", "three"]] {
        send(&app, &project, "POST", &format!("{RUN}/evidence"), evidence(texts)).await;
    }
    let run = run(&app, &project).await;
    let entries = run["snapshot"]["evidence"].as_array().unwrap();
    let texts: Vec<&str> = entries.iter().map(|entry| entry["snippet"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_piece_that_comes_again_with_other_bytes_changes_nothing() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "does it converge?").await;
    assert_eq!(append(&app, &project, 0, b"first\n").await, 6);
    // What was acknowledged stays: a client that got its file wrong does not change what is there.
    app.api_raw(&project.key, "POST", &format!("{STDOUT}?offset=0"), b"other\n".to_vec()).await;
    assert_eq!(printed(&app, &project).await, b"first\n");
}
