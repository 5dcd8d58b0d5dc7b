//! The runs of a research group, and how a client would send them.

mod runs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otrace_server::testing::TestApp;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::contents::{curve_png, sha256};

pub(super) use runs::RUNS;

/// How a command ended.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Ending {
    Completed,
    /// It completed, without a file that was expected.
    Missing,
    Failed,
    CaptureFailed,
    Running,
}

/// A run of the research group.
pub(super) struct Recorded {
    pub(super) title: &'static str,
    pub(super) intent: &'static str,
    pub(super) setup: &'static str,
    pub(super) command: &'static str,
    tags: &'static [&'static str],
    hours_ago: i64,
    minutes: i64,
    ending: Ending,
    accuracy: f64,
    val_loss: f64,
    size_kb: f64,
}

/// Sends a run as a client does: created, started, described, ended.
pub(super) async fn record(app: &TestApp, key: &str, run: &Recorded) {
    let created = app.api(key, "POST", "/v1/runs", Some(run.creation(app.app.clock.now()))).await.expect(200).json();
    let path = format!("/v1/runs/{}", created["run"]["experiment_id"].as_str().unwrap());
    for content in CONTENTS {
        app.api_raw(key, "PUT", &format!("/v1/contents/{}", sha256(content)), content).await.expect(200);
    }
    app.api(key, "PUT", &format!("{path}/details"), Some(run.details())).await.expect(200);
    app.api(key, "PATCH", &path, Some(run.outcome(app.app.clock.now()))).await.expect(200);
}

impl Recorded {
    /// The body of `POST /v1/runs`.
    pub(super) fn creation(&self, now: OffsetDateTime) -> Value {
        json!({
            "title": self.title, "intent": self.intent, "setup": self.setup, "command": self.command,
            "tags": self.tags, "working_directory": "/home/mira/kws", "created_at": rfc3339(self.start(now)),
            "expected_artifact_paths": ["outputs/metrics.json", "outputs/curve.png", "outputs/model.tflite"],
            "expected_log_paths": ["outputs/train.log"],
        })
    }

    /// The body of its last `PATCH /v1/runs/…`.
    pub(super) fn outcome(&self, now: OffsetDateTime) -> Value {
        let start = self.start(now);
        if self.ending == Ending::Running {
            return json!({"status": "running", "started_at": rfc3339(start)});
        }
        let (status, exit_code) = match self.ending {
            Ending::Failed => ("failed", json!(1)),
            Ending::CaptureFailed => ("capture_failed", Value::Null),
            _ => ("completed", json!(0)),
        };
        let end = start + Duration::minutes(self.minutes);
        json!({
            "status": status, "exit_code": exit_code, "duration_seconds": (end - start).as_seconds_f64(),
            "started_at": rfc3339(start), "finished_at": rfc3339(end),
        })
    }

    fn start(&self, now: OffsetDateTime) -> OffsetDateTime {
        now - Duration::hours(self.hours_ago)
    }

    /// The body of `PUT /v1/runs/…/details`, for which the contents are there.
    pub(super) fn details(&self) -> Value {
        let has_results = matches!(self.ending, Ending::Completed | Ending::Missing);
        let scalar = |name: &str, value: f64| json!({"kind": "scalar", "name": name, "value": value, "source_path": "outputs/metrics.json"});
        let results = if has_results {
            vec![
                scalar("accuracy", self.accuracy),
                scalar("val_loss", self.val_loss),
                scalar("size_kb", self.size_kb),
                scalar("latency_ms", self.size_kb / 3.0),
            ]
        } else {
            Vec::new()
        };
        let stderr = if self.ending == Ending::Failed { TRACEBACK } else { "" };
        json!({
            "artifacts": if has_results { self.artifacts() } else { json!([]) },
            "results": results,
            "tables": if has_results { tables() } else { json!([]) },
            "logs": [
                {"stream": "stdout", "path": ".trace/logs/stdout.log", "text_content": STDOUT},
                {"stream": "stderr", "path": ".trace/logs/stderr.log", "text_content": stderr},
                {"stream": "log", "path": "outputs/train.log", "text_content": "lr 3e-4, batch 128\n"},
            ],
            "snapshot": self.snapshot(),
        })
    }

    fn artifacts(&self) -> Value {
        let metrics = json!({"accuracy": self.accuracy, "val_loss": self.val_loss, "size_kb": self.size_kb});
        let metrics = serde_json::to_string_pretty(&metrics).unwrap();
        json!([
            {"original_path": "outputs/metrics.json", "type": "metrics", "content_type": "application/json", "text_content": metrics},
            {"original_path": "outputs/curve.png", "type": "figure", "content_type": "image/png", "content_base64": STANDARD.encode(curve_png())},
            {"original_path": "configs/base.yaml", "type": "config", "content_type": "text/yaml", "text_content": "model: bcres8\nloss: ce\nseed: 1\n"},
            {"original_path": "outputs/best.pt", "type": "checkpoint", "size_bytes": 5_300_000, "hash": format!("sha256:{}", sha256("weights"))},
        ])
    }

    fn snapshot(&self) -> Value {
        let missing = if self.ending == Ending::Missing {
            json!([{"path": "outputs/model.tflite", "type": "artifact"}])
        } else {
            json!([])
        };
        let [diff, requirements] = CONTENTS;
        let file = |kind: &str, path: &str, content: &str| json!({"kind": kind, "path": path, "hash": format!("sha256:{}", sha256(content)), "size_bytes": content.len()});
        json!({
            "git_commit": "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521", "git_branch": "distill/kwt3", "git_dirty": true,
            "git_remote_url": "git@git.halden.example:audio/kws.git",
            "dependency_files": ["requirements.txt", "environment.yml"], "python_version": "3.12.4",
            "platform": "Linux-6.8-x86_64", "hostname": "gpu-node-04", "missing_expected_paths": missing,
            "files": [file("dirty_diff", "dirty.diff", diff), file("dependency", "requirements.txt", requirements)],
        })
    }
}

fn tables() -> Value {
    let words = [("yes", 0.991, 412), ("no", 0.983, 405), ("stop", 0.962, 396), ("forward", 0.913, 155)];
    let rows: Vec<Value> = words.map(|(word, f1, support)| json!({"word": word, "f1": f1, "support": support})).into();
    let history: Vec<Value> = (1..=12_i32)
        .map(|epoch| json!({"epoch": epoch, "train_loss": 1.8 / f64::from(epoch), "val_loss": 1.9 / f64::from(epoch) + 0.05}))
        .collect();
    json!([
        {"source_path": "outputs/per_class.md", "table_index": 1, "title": "Per class", "columns": ["word", "f1", "support"], "rows": rows},
        {"source_path": "outputs/history.csv", "columns": ["epoch", "train_loss", "val_loss"], "rows": history},
    ])
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap()
}

/// What is sent before the details name it: a diff, and a dependency file.
pub(super) const CONTENTS: [&str; 2] = [
    "\
diff --git a/kws/losses.py b/kws/losses.py
index 1f3a..9bc2 100644
--- a/kws/losses.py
+++ b/kws/losses.py
@@ -12,4 +12,5 @@ def distill(student, teacher, temperature):
     soft = teacher / temperature
-    loss = cross_entropy(student, target)
+    loss = cross_entropy(student, target, smoothing=0.1)
+    loss += kl(student / temperature, soft)
     return loss
\x20
diff --git a/configs/base.yaml b/configs/base.yaml
--- a/configs/base.yaml
+++ b/configs/base.yaml
@@ -1,3 +1,3 @@
 model: bcres8
-loss: ce
+loss: ce_kd
 seed: 1
",
    "torch==2.7.1\ntorchaudio==2.7.1\n",
];

const STDOUT: &str = "\
kws-edge 0.4.2 on gpu-node-04
epoch  1/12  train 1.8012  val 1.9500  acc 0.4120
epoch  2/12  train 0.9007  val 1.0004  acc 0.7331
UserWarning: 3 clips are shorter than one window
epoch 11/12  train 0.1637  val 0.2227  acc 0.9688
epoch 12/12  train 0.1501  val 0.2083  acc 0.9703
wrote outputs/metrics.json
";

const TRACEBACK: &str = "\
Traceback (most recent call last):
  File \"/home/mira/kws/train.py\", line 88, in step
    loss.backward()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.31 GiB
";
