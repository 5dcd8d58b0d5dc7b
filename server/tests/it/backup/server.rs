//! A server on which there is something of everything.

use otrace_server::testing::{TestApp, TestProject};
use otrace_wire::Sha256Digest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::noise;

/// Larger than one object.
const LARGE: usize = 8 * 1024 * 1024 + 7;

pub fn digest_of(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::new(Sha256::digest(bytes).into())
}

/// Stores a content.
pub async fn keep(app: &TestApp, project: &TestProject, bytes: Vec<u8>) -> Sha256Digest {
    let digest = digest_of(&bytes);
    app.api_raw(&project.key, "PUT", &format!("/v1/contents/{}", digest.hex()), bytes).await.expect(200);
    digest
}

async fn send(app: &TestApp, project: &TestProject, method: &str, path: &str, body: Value) -> Value {
    app.api(&project.key, method, path, Some(body)).await.expect(200).json()
}

/// Two projects, of which the one that is returned has runs of all kinds: `exp001` with all that a run can have,
/// `exp002` that goes on from it and has a large file, `exp003` that is deleted, and `exp004` that goes on.
pub async fn fill(app: &TestApp) -> TestProject {
    let project = begin(app, 40_000).await;
    let other = app.project("Other").await;
    app.run(&other.key, "elsewhere").await;
    keep(app, &other, noise(1, 1000)).await;
    large(app, &project).await;
    as_the_first_versions_stored_it(app, &project).await;
    project
}

/// The same project, without what takes long.
pub async fn fill_a_little(app: &TestApp) -> TestProject {
    begin(app, 10).await
}

async fn begin(app: &TestApp, points: u32) -> TestProject {
    let project = app.project("Wake word").await;
    for _ in 0..4 {
        app.run(&project.key, "what makes it better?").await;
    }
    complete(app, &project).await;
    app.api(&project.key, "DELETE", "/v1/runs/exp003", None).await.expect(200);
    going_on(app, &project, points).await;
    project
}

/// `exp001`: a run with all that it can have.
async fn complete(app: &TestApp, project: &TestProject) {
    let diff = keep(app, project, b"diff --git a/train.py b/train.py\n".repeat(100)).await;
    let rows: Vec<Value> = (0..300).map(|step| json!({"step": step, "loss": 1.0 / f64::from(step + 1)})).collect();
    let details = json!({
        "artifacts": [
            {"original_path": "out/metrics.json", "type": "metrics", "content_base64": "eyJhY2N1cmFjeSI6MC45fQ==",
             "created_at": "2026-06-01T12:00:00.25Z"},
            {"original_path": "out/empty", "content_base64": ""},
            {"original_path": "huge.bin", "size_bytes": 1_000_000, "hash": "sha256:of something that is not stored"},
        ],
        "results": [
            {"name": "accuracy", "value": 0.1, "metadata": {"unit": "%"}},
            {"name": "loss", "value": "NaN"},
            {"name": "nothing", "value": null},
            {"name": "model", "value": "tiny\t\\N µ\r\n"},
        ],
        "tables": [{"title": "curve", "columns": ["step", "loss"], "rows": rows, "source_path": "out/curve.csv"}],
        "logs": [{"stream": "stdout", "text_content": "step 1\n".repeat(1000)}, {"stream": "stderr", "size_bytes": 7}],
        "snapshot": {
            "git_commit": "abc123", "git_branch": "main", "git_dirty": true, "python_version": "3.12",
            "evidence": [{"source_path": "out/metrics.json", "type": "metrics", "snippet": "{"}],
            "files": [{"kind": "dirty_diff", "path": "dirty.diff", "hash": diff.to_string(), "size_bytes": 1}],
            "rebuild": {"how_well": "partly", "reasons": ["a file is too large"]},
        },
    });
    send(app, project, "PUT", "/v1/runs/exp001/details", details).await;
    let outcome = json!({"status": "failed", "exit_code": 137, "signal": "SIGKILL", "duration_seconds": 0.1,
        "started_at": "2026-06-01T11:00:00Z", "finished_at": "2026-06-01T11:30:00.000001Z"});
    send(app, project, "PATCH", "/v1/runs/exp001", outcome).await;
    send(app, project, "POST", "/v1/runs/exp001/notes", json!({"text": "It saturates. #insight"})).await;
    send(app, project, "POST", "/v1/runs/exp001/notes", json!({"text": "Second thoughts"})).await;
    send(app, project, "PATCH", "/v1/runs/exp001/tags", json!({"add": ["baseline", "µ, \"quoted\" {x}"]})).await;
}

/// `exp002`: with a file that is stored in parts, and a parent. Only our own client says that when it creates a run.
async fn large(app: &TestApp, project: &TestProject) {
    let digest = keep(app, project, noise(2, LARGE)).await;
    let details = json!({"artifacts": [{"original_path": "model.bin", "hash": digest.to_string()}]});
    send(app, project, "PUT", "/v1/runs/exp002/details", details).await;
    sqlx::query(
        "UPDATE runs SET parent_id = (SELECT id FROM runs WHERE project_id = $1 AND number = 1)
         WHERE project_id = $1 AND number = 2",
    )
    .bind(project.id)
    .execute(&app.app.pool)
    .await
    .unwrap();
}

/// `exp004`: with logs that grow, and series of which some points are in chunks and some wait.
async fn going_on(app: &TestApp, project: &TestProject, points: u32) {
    send(app, project, "PATCH", "/v1/runs/exp004", json!({"status": "running"})).await;
    for (log, text) in [("stdout?offset=0", "epoch 1\n"), ("log?path=logs%2Ftrain.log&offset=0", "step 1\n")] {
        app.api_raw(&project.key, "POST", &format!("/v1/runs/exp004/logs/{log}"), text).await.expect(200);
    }
    for first in (0..points).step_by(10_000) {
        send_points(app, project, first, points.min(10_000)).await;
    }
    let odd = json!([{"name": "odd", "value": "NaN"}, {"name": "odd", "step": -7, "time": 1_780_000_000.5, "value": "-Infinity"}]);
    let batch = json!({"batches": [{"source": "other", "first": 0, "points": odd}]});
    send(app, project, "POST", "/v1/runs/exp004/series", batch).await;
}

/// Sends more points of `loss`.
pub async fn send_points(app: &TestApp, project: &TestProject, first: u32, count: u32) {
    let point = |step: u32| json!({"name": "loss", "step": step, "value": 1.0 / f64::from(step + 1)});
    let points: Vec<Value> = (first..first + count).map(point).collect();
    let batch = json!({"batches": [{"source": "metrics", "first": first, "points": points}]});
    send(app, project, "POST", "/v1/runs/exp004/series", batch).await;
}

/// A content in an object that is called after its hash.
async fn as_the_first_versions_stored_it(app: &TestApp, project: &TestProject) {
    let bytes = noise(3, 5000);
    let digest = digest_of(&bytes);
    let key = format!("projects/{}/{}/{}", project.id, &digest.hex()[..2], digest.hex());
    app.app.blobs.put_object(&key, bytes.into()).await.unwrap();
    sqlx::query(
        "INSERT INTO blobs (project_id, sha256, size_bytes, created_at, place) VALUES ($1, $2, 5000, now(), 'named')",
    )
    .bind(project.id)
    .bind(digest.as_bytes().to_vec())
    .execute(&app.app.pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO artifacts (id, run_id, project_id, position, original_path, kind, size_bytes, hash, content_type, sha256)
         SELECT $1, id, project_id, 99, 'old.bin', 'other', 5000, $2, 'application/octet-stream', $3
         FROM runs WHERE project_id = $4 AND number = 1",
    )
    .bind(Uuid::now_v7())
    .bind(digest.to_string())
    .bind(digest.as_bytes().to_vec())
    .bind(project.id)
    .execute(&app.app.pool)
    .await
    .unwrap();
}
