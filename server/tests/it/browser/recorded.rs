//! The runs of a research group, and how a client would send them.

mod runs;
mod series;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otrace_server::testing::TestApp;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::contents::{curve_png, sha256};

pub(super) use runs::{MACHINE_NOTE, NOTES, RUNS};

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
    /// The run that it goes on from.
    parent: Option<&'static str>,
    tags: &'static [&'static str],
    hours_ago: i64,
    /// How long it ran; 0: it still does.
    minutes: u32,
    ending: Ending,
    /// How often it wrote its measurements down.
    steps: u32,
    measured: Measured,
    branch: &'static str,
    commit: &'static str,
    /// What its config has in place of what stands in [`CONFIG`].
    settings: &'static [(&'static str, &'static str)],
    machine: Machine,
}

/// What a run measured at its end.
#[derive(Clone, Copy)]
struct Measured {
    accuracy: f64,
    val_loss: f64,
    size_kb: f64,
    latency_ms: f64,
}

/// What a run ran on.
#[derive(Clone, Copy)]
struct Machine {
    host: &'static str,
    gpu: &'static str,
    gpu_gigabytes: i64,
    driver: &'static str,
    torch: &'static str,
}

/// Sends a run as a client does: created, started, measured, and described once it has ended.
pub(super) async fn record(app: &TestApp, key: &str, run: &Recorded) {
    let now = app.app.clock.now();
    let mut creation = run.creation(now);
    creation["parent"] = json!(run.parent);
    let created = app.api(key, "POST", "/v1/runs", Some(creation)).await.expect(200).json();
    let path = format!("/v1/runs/{}", created["run"]["experiment_id"].as_str().unwrap());
    let measured = series::batches(run, run.start(now));
    app.api(key, "POST", &format!("{path}/series"), Some(measured)).await.expect(200);
    if run.ending == Ending::Running {
        app.api(key, "PATCH", &path, Some(run.outcome(now))).await.expect(200);
        return print(app, key, &path).await;
    }
    for content in run.contents() {
        app.api_raw(key, "PUT", &format!("/v1/contents/{}", sha256(&content)), content).await.expect(200);
    }
    app.api(key, "PUT", &format!("{path}/details"), Some(run.details())).await.expect(200);
    app.api(key, "PATCH", &path, Some(run.outcome(now))).await.expect(200);
}

/// Sends what a running command has printed so far, in the pieces in which it came.
async fn print(app: &TestApp, key: &str, path: &str) {
    let mut offset = 0;
    for piece in LIVE {
        let address = format!("{path}/logs/stdout?offset={offset}");
        app.api_raw(key, "POST", &address, piece).await.expect(200);
        offset += piece.len();
    }
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
        let end = start + Duration::minutes(self.minutes.into());
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
        let measured = self.measured;
        let scalar = |name: &str, value: f64| json!({"kind": "scalar", "name": name, "value": value, "source_path": "outputs/metrics.json"});
        let results = if has_results {
            vec![
                scalar("accuracy", measured.accuracy),
                scalar("val_loss", measured.val_loss),
                scalar("size_kb", measured.size_kb),
                scalar("latency_ms", measured.latency_ms),
                scalar("train_minutes", self.minutes.into()),
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
        let Measured { accuracy, val_loss, size_kb, .. } = self.measured;
        let metrics = json!({"accuracy": accuracy, "val_loss": val_loss, "size_kb": size_kb});
        let metrics = serde_json::to_string_pretty(&metrics).unwrap();
        json!([
            {"original_path": "outputs/metrics.json", "type": "metrics", "content_type": "application/json", "text_content": metrics},
            {"original_path": "outputs/curve.png", "type": "figure", "content_type": "image/png", "content_base64": STANDARD.encode(curve_png())},
            {"original_path": "configs/base.yaml", "type": "config", "content_type": "text/yaml", "text_content": self.config()},
            {"original_path": "outputs/best.pt", "type": "checkpoint", "size_bytes": 5_300_000, "hash": format!("sha256:{}", sha256("weights"))},
        ])
    }

    fn snapshot(&self) -> Value {
        let missing = if self.ending == Ending::Missing {
            json!([{"path": "outputs/model.tflite", "type": "artifact"}])
        } else {
            json!([])
        };
        let Machine { host, gpu, gpu_gigabytes, driver, .. } = self.machine;
        let kinds = [("packages", "packages.txt"), ("dependency", "requirements.txt"), ("dirty_diff", "dirty.diff")];
        let files: Vec<Value> = kinds
            .iter()
            .zip(self.contents())
            .map(|((kind, path), content)| {
                json!({"kind": kind, "path": path, "hash": format!("sha256:{}", sha256(&content)), "size_bytes": content.len()})
            })
            .collect();
        json!({
            "git_commit": self.commit, "git_branch": self.branch, "git_dirty": self.is_dirty(),
            "git_remote_url": "git@git.halden.example:audio/kws.git",
            "dependency_files": ["requirements.txt", "environment.yml"], "python_version": "3.12.4",
            "platform": "Linux-6.8-x86_64", "hostname": host, "missing_expected_paths": missing, "files": files,
            "hardware": {
                "cpu": "AMD EPYC 7543", "cpu_count": 32, "memory_bytes": 256_000_000_000_i64,
                "gpus": [{"name": gpu, "memory_bytes": gpu_gigabytes * 1_000_000_000, "driver": driver}],
            },
            "rebuild": {
                "how_well": "partly", "reasons": ["data/speech_commands is larger than what is kept"],
                "interpreter": "/home/mira/kws/.venv/bin/python3",
            },
        })
    }

    /// What is sent before the details name it: the packages, a dependency file, and a diff where there is one.
    pub(super) fn contents(&self) -> Vec<String> {
        let torch = self.machine.torch;
        let packages = PACKAGES.replace("TORCH", torch);
        let mut contents = vec![packages, format!("torch=={torch}\ntorchaudio=={torch}\n")];
        contents.extend(self.is_dirty().then(|| DIFF.to_owned()));
        contents
    }

    /// Only the distilled one was run before its change was committed.
    fn is_dirty(&self) -> bool {
        self.ending == Ending::Missing
    }

    fn config(&self) -> String {
        let all = self.settings.iter();
        all.fold(CONFIG.to_owned(), |config, (before, after)| config.replace(before, after))
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

const CONFIG: &str = "\
model: bcres8
width: 1.0
loss: ce
augment:
  time_masks: 0
  freq_masks: 0
train:
  batch: 128
  lr: 3e-4
  epochs: 12
seed: 1
";

const PACKAGES: &str = "\
certifi==2026.10.5
filelock==3.19.1
librosa==0.11.0
numpy==2.3.4
pandas==2.3.3
PyYAML==6.0.3
scikit-learn==1.7.2
scipy==1.16.2
soundfile==0.13.1
torch==TORCH
torchaudio==TORCH
tqdm==4.67.1
";

const DIFF: &str = "\
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
";

/// What the run that goes on has printed, piece by piece.
const LIVE: [&str; 3] = [
    "kws-edge 0.4.2 on gpu-node-04\nteacher kwt3, 5 360 KB, frozen\n",
    "epoch  1/12  train 1.3521  val 1.8794  acc 0.4388\nepoch  2/12  train 0.6340  val 0.8612  acc 0.7467\n",
    "UserWarning: 41 clips of speakers under 12 are held out\nepoch  3/12  train 0.3862  val 0.4410  acc 0.8763\nepoch  4/12  train 0.2401",
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
