//! The examples that Trace was first described with, run as they are written there, by a shell.
//!
//! Only keys and paths that stand for somebody's own are put in. Those of `otrace ui` are in its own tests.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Stdio;

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};

use crate::import::SEED_MANIFEST;
use crate::workspace::{Workspace, recorded, run_count};

/// The `RunSpec`.
const SEED_SPEC: &str = include_str!("../../../run-spec/tests/seed.yaml");

/// Writes what the examples read and leave behind.
const TRAIN: &str = r#"
import json, os, sys
os.makedirs("outputs", exist_ok=True)
json.dump({"accuracy": 0.91}, open("outputs/metrics.json", "w"))
open("outputs/results.csv", "w").write("epoch,loss\n1,0.5\n2,0.25\n")
open("outputs/grid.png", "wb").write(b"\x89PNG\r\n\x1a\n")
open("outputs/train.log", "w").write("epoch 1\nepoch 2\n")
print("trained with", *sys.argv[1:])
"#;

const SMOKE: &str = r#"
otrace run \
  --intent "Smoke test Trace hosted experiment creation" \
  --setup "Fresh Trace project with a minimal shell command" \
  --expect-log outputs/smoke.log \
  -- sh -c 'mkdir -p outputs && echo ok | tee outputs/smoke.log'
"#;

/// A directory whose shell knows `otrace` and `python`, as after an installation.
struct Example {
    server: TestServer,
    project: TestProject,
    workspace: Workspace,
}

impl Example {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let project = server.project("wake-word").await;
        let workspace = Workspace::with_key(&server, &project.key);
        let bin = workspace.path("../bin");
        std::fs::create_dir(&bin).expect("made");
        symlink(env!("CARGO_BIN_EXE_otrace"), bin.join("otrace")).expect("linked");
        // Not every machine has it under this name.
        std::fs::write(bin.join("python"), "#!/bin/sh\nexec python3 \"$@\"\n").expect("written");
        make_executable(&bin.join("python"));
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH"));
        let workspace = workspace.set("PATH", &path).set("PYTHONDONTWRITEBYTECODE", "1");
        workspace.write("train.py", TRAIN);
        workspace.write("configs/base.yaml", "lr: 0.001\n");
        Self { server, project, workspace }
    }

    /// Runs lines as a shell does that stops at the first failure. Gives what they printed.
    async fn sh(&self, lines: &str) -> String {
        // The harness's own settings, with a shell in place of `otrace`.
        let command = self.workspace.command(&[]);
        let mut shell = tokio::process::Command::new("sh");
        shell.args(["-e", "-c", lines]).current_dir(self.workspace.root()).env_clear().stdin(Stdio::null());
        for (name, value) in command.as_std().get_envs() {
            shell.envs(value.map(|value| (name, value)));
        }
        let output = shell.output().await.expect("a shell runs");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{lines}\nstdout: {stdout}\nstderr: {stderr}");
        format!("{stdout}{stderr}")
    }

    async fn recorded(&self, run: &str) -> Value {
        recorded(&self.server, &self.project.key, run).await
    }
}

fn make_executable(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_is_initialized_and_a_smoke_run_is_captured() {
    let example = Example::new().await;
    let told = example.sh("otrace init\notrace whoami").await;
    for part in ["Authenticated as: ", &example.project.email, &example.project.name] {
        assert!(told.contains(part), "{part} in {told}");
    }
    for name in [
        ".trace/checkouts",
        ".trace/logs",
        ".trace/notebook",
        ".trace/snapshots",
        ".traceignore",
        "TRACE_FOR_AGENTS.md",
    ] {
        assert!(example.workspace.has(name), "{name}");
    }
    assert!(!example.workspace.has(".env") && !example.workspace.has(".gitignore"));
    let key = &example.project.key;
    example.sh(&format!(r#"otrace init --api-key "{key}""#)).await;
    example.sh(&format!(r#"otrace init --api-url "$TRACE_API_URL" --api-key "{key}""#)).await;
    example.sh(&format!(r#"otrace init --force --api-key "{key}""#)).await;

    let told = example.sh(SMOKE).await;
    let spec = example.workspace.path("otrace_demo_runspec.yaml");
    assert!(told.contains(&spec.display().to_string()) && spec.exists(), "{told}");
    let run = example.recorded("exp001").await;
    assert_eq!((&run["status"], &run["exit_code"]), (&json!("completed"), &json!(0)));
    assert_eq!(run["expected_log_paths"], json!(["outputs/smoke.log"]));
    let files = run["artifacts"].as_array().expect("artifacts");
    let kept: Vec<_> = files.iter().map(|file| (&file["original_path"], &file["type"])).collect();
    assert_eq!(kept, [(&json!("outputs/smoke.log"), &json!("log"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_described_by_options_and_by_the_file_of_the_description() {
    let example = Example::new().await;
    let baseline = r#"
otrace run \
  --intent "Train baseline" \
  --setup "Baseline training from the default config" \
  --config configs/base.yaml \
  --expect-artifact outputs/metrics.json \
  -- python train.py
"#;
    example.sh(baseline).await;
    let grid = r#"
otrace run \
  --intent "Train baseline" \
  --setup "baseline config" \
  --expect-artifact outputs/results.csv \
  --expect-artifact outputs/grid.png \
  --expect-log outputs/train.log \
  -- python train.py
otrace run \
  --intent "Capture baseline outputs" \
  --setup "Baseline training with expected metrics and logs" \
  --expect-artifact outputs/results.csv \
  --expect-log outputs/train.log \
  -- python3 train.py
"#;
    example.sh(grid).await;
    example.workspace.write("otrace_my-project_runspec.yaml", SEED_SPEC);
    example.sh("otrace run --spec otrace_my-project_runspec.yaml\necho Y | otrace run --verify-runspec").await;

    let run = example.recorded("exp004").await;
    assert_eq!((&run["title"], &run["tags"]), (&json!("Baseline"), &json!(["baseline"])));
    assert_eq!(run["command"], "python train.py --config configs/base.yaml");
    let types: Vec<_> = run["artifacts"].as_array().expect("artifacts").iter().map(|one| &one["type"]).collect();
    assert!(types.contains(&&json!("config")) && types.contains(&&json!("metrics")), "{types:?}");
    assert_eq!(example.recorded("exp001").await["results"][0]["value"], 0.91);
    let grid = example.recorded("exp002").await;
    assert_eq!(grid["tables"][0]["columns"], json!(["epoch", "loss"]), "{grid}");
    // The default file is the first run's.
    assert_eq!(example.recorded("exp005").await["setup"], "Baseline training from the default config");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prior_experiment_is_reproduced_in_a_separate_directory() {
    let example = Example::new().await;
    example.sh(SMOKE).await;
    let elsewhere = example.workspace.path("../trace-exp001");
    let reproduce = r"
otrace checkout exp001 --path /tmp/trace-exp001
cd /tmp/trace-exp001
bash reproduce.sh
";
    example.sh(&reproduce.replace("/tmp/trace-exp001", &elsewhere.display().to_string())).await;
    for name in ["outputs/smoke.log", "reproduce.sh", "trace-reproduction.md"] {
        assert!(elsewhere.join(name).is_file(), "{name}");
    }
    example.sh("otrace checkout exp001").await;
    assert!(example.workspace.path("../demo.trace-checkouts/exp001/reproduce.sh").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_packed_into_one_file() {
    let example = Example::new().await;
    example.workspace.write("path/to/keep", "1");
    let export = r#"
otrace init
otrace export --format zip
otrace export --output path/to/snapshot.zip
otrace export --output path/to/snapshot.zip --force
rm *.zip
otrace export --exclude examples --exclude "*.pt"
rm *.zip
otrace export --no-default-excludes
"#;
    let told = example.sh(export).await;
    assert_eq!(told.matches("Exported ").count(), 5, "{told}");
    assert!(example.workspace.has("path/to/snapshot.zip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn historical_runs_are_imported_and_a_notebook_is_made_of_them() {
    let example = Example::new().await;
    example.workspace.write("trace-import.json", SEED_MANIFEST);
    example.workspace.write("outputs/baseline/metrics.json", r#"{"loss": 0.25}"#);
    example.workspace.write("outputs/baseline/model.json", "{}");
    example.workspace.write("logs/baseline.log", "epoch 1\n");
    example.sh("otrace import --spec trace-import.json --dry-run").await;
    assert_eq!(run_count(&example.server, &example.project.key).await, 0);
    example.sh("otrace import --spec trace-import.json").await;
    let run = example.recorded("exp001").await;
    assert_eq!((&run["title"], &run["status"]), (&json!("baseline linear regression"), &json!("completed")));
    let results: Vec<_> = run["results"].as_array().expect("results").iter().map(|one| &one["name"]).collect();
    assert!(results.contains(&&json!("manual_metric")) && results.contains(&&json!("loss")), "{results:?}");

    let notebook = r"
otrace init
otrace notebook generate
otrace notebook generate --mode chronological
otrace notebook generate --mode branch
otrace notebook generate --mode insights
otrace notebook generate --output path/to/notebook.md
";
    example.workspace.write("path/to/keep", "1");
    example.sh(SMOKE).await;
    example.sh(notebook).await;
    for name in [".trace/notebook/generated.md", ".trace/notebook/generated.json", "path/to/notebook.md"] {
        assert!(example.workspace.has(name), "{name}");
    }
}
