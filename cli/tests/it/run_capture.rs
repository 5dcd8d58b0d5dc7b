//! What `otrace run` keeps: files, logs, results, tables, and the machine.

use std::os::unix::fs::symlink;

use otrace_server::testing::TestServer;
use serde_json::{Value, json};

use crate::workspace::{Workspace, recorded};

/// The artifact of a run with this path.
fn artifact<'a>(run: &'a Value, path: &str) -> &'a Value {
    let artifacts = run["artifacts"].as_array().expect("artifacts");
    let found = artifacts.iter().find(|artifact| artifact["original_path"] == path);
    found.unwrap_or_else(|| panic!("{path} is not in {artifacts:?}"))
}

fn paths(run: &Value) -> Vec<&str> {
    let artifacts = run["artifacts"].as_array().expect("artifacts");
    let mut paths: Vec<_> = artifacts.iter().filter_map(|artifact| artifact["original_path"].as_str()).collect();
    paths.sort_unstable();
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_arrive_byte_for_byte_and_are_kept_here_too() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n % 251).expect("a byte")).collect();
    workspace.write("made", &bytes);
    let options = ["--expect-artifact", "out/model.pt", "--expect-artifact", "out/grid.png"];
    let script = "mkdir out && cp made out/model.pt && cp made out/grid.png";
    workspace.run_with(&options, script).await.succeeded();

    let run = recorded(&server, &project.key, "exp001").await;
    let model = artifact(&run, "out/model.pt");
    assert_eq!(model["type"], "checkpoint");
    assert_eq!(model["size_bytes"], 3_000_000);
    assert_eq!(artifact(&run, "out/grid.png")["type"], "figure");
    assert_eq!(artifact(&run, "out/grid.png")["content_type"], "image/png");
    let stored = server.artifact_bytes(&project.key, model["id"].as_str().expect("an id")).await;
    assert!(stored == bytes, "the server's bytes differ");
    let here = std::fs::read(workspace.path(".trace/artifacts/exp001/outputs/out/model.pt")).expect("read");
    assert!(here == bytes, "our own bytes differ");
    assert_eq!(model["stored_path"], ".trace/artifacts/exp001/outputs/out/model.pt");
}

#[tokio::test(flavor = "multi_thread")]
async fn globs_and_directories_are_expanded_after_the_command() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let options = ["--expect-artifact", "out/*.txt", "--expect-artifact", "deep", "--expect-log", "*.log"];
    let script = "mkdir -p out deep/er; echo 1 > out/a.txt; echo 2 > out/b.txt; echo 3 > deep/er/c; echo 4 > t.log";
    workspace.run_with(&options, script).await.succeeded();
    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!(paths(&run), ["deep/er/c", "out/a.txt", "out/b.txt", "t.log"]);
    assert_eq!(artifact(&run, "t.log")["type"], "log");
    assert_eq!(run["snapshot"]["observed_artifacts"].as_array().map(Vec::len), Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_recorded_and_no_failure() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let options = ["--config", "no.yaml", "--expect-artifact", "empty", "--expect-log", "no*.log"];
    let answer = workspace.run_with(&options, "mkdir empty").await.succeeded();
    assert!(answer.stderr.contains("Missing paths: 3 (no.yaml, empty, no*.log)"), "{}", answer.stderr);
    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!(run["status"], "completed");
    let expected = json!([
        {"path": "no.yaml", "type": "config"},
        {"path": "empty", "type": "artifact"},
        {"path": "no*.log", "type": "log"},
    ]);
    assert_eq!(run["snapshot"]["missing_expected_paths"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn configs_are_kept_as_they_were_before_the_command() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("base.yaml", "lr: 0.1\n");
    let options = ["--config", "base.yaml", "--expect-artifact", "base.yaml"];
    workspace.run_with(&options, "echo 'lr: 0.2' > base.yaml").await.succeeded();
    let run = recorded(&server, &project.key, "exp001").await;
    let artifacts = run["artifacts"].as_array().expect("artifacts");
    let mut contents = Vec::new();
    for artifact in artifacts {
        let bytes = server.artifact_bytes(&project.key, artifact["id"].as_str().expect("an id")).await;
        contents.push((artifact["type"].clone(), String::from_utf8(bytes).expect("text")));
    }
    let expected = [(json!("config"), "lr: 0.1\n".to_owned()), (json!("artifact"), "lr: 0.2\n".to_owned())];
    assert_eq!(contents, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_out_of_the_workspace_is_not_followed() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let secret = tempfile::NamedTempFile::new().expect("a file");
    workspace.write("out/real.txt", "real");
    symlink(secret.path(), workspace.path("out/secret.txt")).expect("linked");
    workspace.run_with(&["--expect-artifact", "out"], "true").await.succeeded();
    assert_eq!(paths(&recorded(&server, &project.key, "exp001").await), ["out/real.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_sent_with_the_run() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.run("printf 'line 1\\nhalf'").await.succeeded();
    let run = recorded(&server, &project.key, "exp001").await;
    let log = |stream: &str| {
        let logs = run["logs"].as_array().expect("logs");
        logs.iter().find(|log| log["stream"] == stream).expect("the stream").clone()
    };
    assert_eq!(log("stdout")["text_content"], "line 1\nhalf");
    assert_eq!(log("stdout")["path"], ".trace/logs/exp001.stdout.log");
    assert_eq!(log("stderr")["size_bytes"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_and_tables_are_read_from_outputs() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("m.json", r#"{"acc": 0.9, "loss": NaN, "test": {"f1": 1}, "epochs": [{"loss": 2}, {"loss": 1}]}"#);
    workspace.write("t.csv", "step,loss\n1,0.5\n2,0.25\n");
    workspace.write("l.jsonl", "{\"a\": 1}\n{\"a\": 2}\n");
    workspace.write("train.log", "epoch 1\nfinal/loss: 0.25\n");
    workspace.write("r.md", "| model | acc |\n|---|---|\n| base | 0.9 |\n");
    let options = ["--expect-artifact", "*.json", "--expect-artifact", "t.csv", "--expect-artifact", "l.jsonl"];
    let options = [&options[..], &["--expect-artifact", "r.md", "--expect-log", "train.log"]].concat();
    let answer = workspace.run_with(&options, "true").await.succeeded();
    assert!(answer.stderr.contains("Parsed results: 4\nParsed tables: 4\n"), "{}", answer.stderr);

    let run = recorded(&server, &project.key, "exp001").await;
    let results = run["results"].as_array().expect("results");
    let value = |name: &str| results.iter().find(|r| r["name"] == name).map(|r| r["value"].clone());
    assert_eq!(value("acc"), Some(json!(0.9)));
    assert_eq!(value("loss"), Some(json!("NaN")));
    assert_eq!(value("test.f1"), Some(json!(1)));
    assert_eq!(value("final/loss"), Some(json!(0.25)));
    let tables = run["tables"].as_array().expect("tables");
    let rows = |path: &str| tables.iter().find(|t| t["source_path"] == path).map(|t| t["rows"].clone());
    assert_eq!(rows("m.json"), Some(json!([{"loss": 2}, {"loss": 1}])));
    assert_eq!(rows("t.csv"), Some(json!([{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}])));
    assert_eq!(rows("l.jsonl"), Some(json!([{"a": 1}, {"a": 2}])));
    assert_eq!(rows("r.md"), Some(json!([{"model": "base", "acc": 0.9}])));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_and_the_dependencies_are_recorded() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("requirements.txt", "torch==2.9\n");
    workspace.write("uv.lock", "version = 1\n");
    workspace.run("true").await.succeeded();
    let snapshot = &recorded(&server, &project.key, "exp001").await["snapshot"];
    assert_eq!(snapshot["dependency_files"], json!(["requirements.txt", "uv.lock"]));
    let hash = snapshot["requirements_hash"].as_str().expect("a hash");
    assert!(hash.starts_with("sha256:") && hash.len() == 71, "{hash}");
    assert!(snapshot["platform"].as_str().is_some_and(|platform| platform.contains('-')));
    assert_eq!(workspace.read(".trace/snapshots/exp001/requirements.txt"), "torch==2.9\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_show_their_beginning_as_evidence() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("out.txt", format!("  first words {}", "x".repeat(2000)));
    workspace.write("image.png", b"\x89PNG\0\0");
    let options = ["--expect-artifact", "out.txt", "--expect-artifact", "image.png"];
    workspace.run_with(&options, "true").await.succeeded();
    let run = recorded(&server, &project.key, "exp001").await;
    let evidence = run["snapshot"]["evidence"].as_array().expect("evidence");
    assert_eq!(evidence.len(), 1);
    let snippet = evidence[0]["snippet"].as_str().expect("a snippet");
    assert!(snippet.starts_with("first words x"));
    assert_eq!(snippet.chars().count(), 800);
}
