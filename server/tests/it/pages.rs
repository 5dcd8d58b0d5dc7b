//! The pages as a server answers them: what protects them, what they show, and to whom.

mod compare;
mod files;
mod insights;
mod lineage;
mod notebook;
mod projects;
mod protection;
mod reading;
mod run_artifacts;
mod run_both_streams;
mod run_logs;
mod run_notes;
mod run_overview;
mod run_state;
mod runs_list;
mod search;
mod sent_forms;
mod settings;
mod split_diff;
mod strangers;
mod workspaces;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otrace_server::testing::{TestApp, TestProject, TestResponse};
use otrace_wire::Sha256Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What every page is sent with.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types otrace";

const DIFF: &str = "\
--- a/kws/losses.py
+++ b/kws/losses.py
@@ -1,2 +1,2 @@
 import torch
-loss = ce
+loss = ce_kd
";

/// A text that would be an element, if any page believed it.
const BAIT: &str = "\"><script>hit()</script><a href=https://evil.example onclick=hit() style=color:red>'";

/// A project with one run that has everything.
async fn with_run() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    record(&app, &project).await;
    (app, project)
}

/// Records a run that has everything; its number is the project's next.
async fn record(app: &TestApp, project: &TestProject) {
    let creation = json!({
        "title": "Distilled, 12 KB", "intent": format!("A teacher should help. {BAIT}"), "setup": "KWT-3, temperature 4",
        "command": "python3 distill.py --alpha 0.7", "tags": ["distillation"], "working_directory": "/home/mira/kws",
        "expected_artifact_paths": ["outputs/metrics.json", "outputs/model.tflite"], "recorder": "otrace 0.2.0",
    });
    let created = app.api(&project.key, "POST", "/v1/runs", Some(creation)).await.expect(200).json();
    let path = format!("/v1/runs/{}", created["run"]["experiment_id"].as_str().unwrap());
    let hash = Sha256Digest::new(Sha256::digest(DIFF).into());
    app.api_raw(&project.key, "PUT", &format!("/v1/contents/{}", hash.hex()), DIFF).await.expect(200);
    let details = json!({
        "artifacts": [
            {"original_path": "outputs/metrics.json", "type": "metrics", "content_type": "application/json", "text_content": "{\"accuracy\": 0.97}"},
            {"original_path": "outputs/curve.png", "type": "figure", "content_type": "image/png", "content_base64": STANDARD.encode(b"\x89PNG")},
            {"original_path": "outputs/best.pt", "type": "checkpoint", "size_bytes": 5_300_000},
        ],
        "results": [
            {"kind": "scalar", "name": "accuracy", "value": 0.97, "source_path": "outputs/metrics.json"},
            {"kind": "scalar", "name": "val_loss", "value": 0.1486, "source_path": "outputs/metrics.json"},
        ],
        "tables": [{"title": "Per class", "source_path": "per_class.csv", "columns": ["word", "f1"], "rows": [{"word": "forward", "f1": 0.913}]}],
        "logs": [
            {"stream": "stdout", "text_content": format!("epoch 12\n{BAIT}\n")},
            {"stream": "stderr", "text_content": "UserWarning: short clip\n"},
        ],
        "snapshot": {
            "git_commit": "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521", "git_branch": "distill/kwt3", "git_dirty": true,
            "git_remote_url": "git@git.example:audio/kws.git", "dependency_files": ["requirements.txt"],
            "python_version": "3.12.4", "platform": "Linux-6.8", "hostname": "gpu-node-04",
            "missing_expected_paths": [{"path": "outputs/model.tflite", "type": "artifact"}],
            "files": [{"kind": "dirty_diff", "path": "dirty.diff", "hash": hash, "size_bytes": DIFF.len()}],
        },
    });
    app.api(&project.key, "PUT", &format!("{path}/details"), Some(details)).await.expect(200);
    let outcome = json!({
        "status": "completed", "exit_code": 0, "duration_seconds": 4320.0,
        "started_at": "2026-06-01T10:00:00Z", "finished_at": "2026-06-01T11:12:00Z",
    });
    app.api(&project.key, "PATCH", &path, Some(outcome)).await.expect(200);
}

/// The ids of the artifacts of a run, in their order.
async fn artifacts(app: &TestApp, project: &TestProject, run: &str) -> Vec<String> {
    let path = format!("/v1/runs/{run}/artifacts");
    let listed = app.api(&project.key, "GET", &path, None).await.expect(200).json();
    let id = |artifact: &Value| artifact["id"].as_str().unwrap().to_owned();
    listed["artifacts"].as_array().unwrap().iter().map(id).collect()
}

/// The pages of the project and of its first run.
async fn project_pages(app: &TestApp, project: &TestProject) -> Vec<String> {
    let base = format!("/projects/{}", project.slug);
    let run = format!("{base}/runs/exp001");
    let mut pages: Vec<String> = [
        "connect",
        "insights",
        "keys",
        "notebook",
        "notebook?mode=branch",
        "runs",
        "runs?status=failed",
        "runs?before=1",
    ]
    .into_iter()
    .map(|page| format!("{base}/{page}"))
    .collect();
    pages.push(run.clone());
    pages.extend(
        ["logs", "logs?log=1&wrap=1", "artifacts", "tables", "code", "environment", "reproduce", "notes", "delete"]
            .map(|tab| format!("{run}/{tab}")),
    );
    pages.extend(artifacts(app, project, "exp001").await.iter().map(|id| format!("{run}/artifacts/{id}")));
    pages
}

/// Asks for something with one more header.
async fn get_with(app: &TestApp, cookie: &str, path: &str, header: (&str, &str)) -> TestResponse {
    let request = Request::get(path).header("cookie", cookie).header(header.0, header.1);
    app.send(request.body(Body::empty()).unwrap()).await
}

/// A page's text with plain spaces between numbers and units.
fn text_of(page: &TestResponse) -> String {
    page.text().replace('\u{a0}', " ")
}
