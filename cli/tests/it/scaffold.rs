//! `otrace scaffold outputs`: which files, which flags, and what stays as it is.

use otrace_server::testing::TestServer;
use serde_json::Value;

use crate::workspace::{Workspace, recorded};

const FLAGS: &str = "
Use these flags on your next traced run:
  --expect-artifact outputs/metrics.json
  --expect-artifact outputs/series.csv
  --expect-artifact outputs/predictions_sample.jsonl
  --expect-artifact outputs/figures
  --expect-log outputs/eval.log
";

fn expected(done: &str, flags: &str) -> String {
    let files = ["metrics.json", "series.csv", "predictions_sample.jsonl", "eval.log", "figures/.gitkeep"];
    let lines = files.map(|file| format!("{done} outputs/{file}\n")).concat();
    format!("{lines}{flags}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_are_made_once_and_anew_only_when_forced() {
    let workspace = Workspace::new();
    let answer = workspace.otrace(&["scaffold", "outputs"]).await.succeeded();
    assert_eq!((answer.stdout, answer.stderr.as_str()), (expected("created", FLAGS), ""));
    let metrics: Value = serde_json::from_str(&workspace.read("outputs/metrics.json")).expect("JSON");
    assert_eq!((&metrics["dataset"], &metrics["accuracy"]), (&Value::from("replace-me"), &Value::Null));
    let sample: Value = serde_json::from_str(&workspace.read("outputs/predictions_sample.jsonl")).expect("JSON");
    assert_eq!(sample["id"], "example-1");
    assert!(workspace.read("outputs/series.csv").starts_with("step,epoch,dataset,split,metric,value\n"));
    assert_eq!(workspace.read("outputs/figures/.gitkeep"), "");

    workspace.write("outputs/eval.log", "mine");
    let answer = workspace.otrace(&["scaffold", "outputs"]).await.succeeded();
    assert_eq!(answer.stdout, expected("skipped", FLAGS));
    assert_eq!(workspace.read("outputs/eval.log"), "mine");

    let answer = workspace.otrace(&["scaffold", "outputs", "--force"]).await.succeeded();
    assert_eq!(answer.stdout, expected("created", FLAGS));
    assert_eq!(workspace.read("outputs/eval.log"), "run_start model=replace-me dataset=replace-me\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_folder_is_named_as_a_shell_takes_it() {
    let workspace = Workspace::new();
    let answer = workspace.otrace(&["scaffold", "outputs", "--dir", "./my runs/first"]).await.succeeded();
    assert!(answer.stdout.starts_with("created my runs/first/metrics.json\n"), "{}", answer.stdout);
    assert!(answer.stdout.contains("  --expect-log 'my runs/first/eval.log'\n"), "{}", answer.stdout);
    assert!(workspace.has("my runs/first/figures/.gitkeep"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_through_a_link() {
    let workspace = Workspace::new();
    workspace.write("theirs", "theirs");
    std::fs::create_dir(workspace.path("outputs")).expect("made");
    std::os::unix::fs::symlink(workspace.path("theirs"), workspace.path("outputs/eval.log")).expect("linked");
    workspace.otrace(&["scaffold", "outputs"]).await.succeeded();
    let answer = workspace.otrace(&["scaffold", "outputs", "--force"]).await;
    let told = "error: outputs/eval.log is a link, which is not written through\nhint: Move it away first.";
    assert_eq!(answer.refusal(), told);
    assert_eq!(workspace.read("theirs"), "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flags_that_it_names_are_good_for_a_run() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.otrace(&["scaffold", "outputs"]).await.succeeded();
    let mut args = vec!["run", "--intent", "i", "--setup", "s"];
    args.extend(FLAGS.lines().skip(2).flat_map(str::split_whitespace));
    args.extend(["--", "true"]);
    workspace.otrace(&args).await.succeeded();
    let run = recorded(&server, &project.key, "exp001").await;
    let artifacts = run["artifacts"].as_array().expect("artifacts");
    for name in ["metrics.json", "series.csv", "predictions_sample.jsonl", "eval.log"] {
        let is_there = artifacts.iter().any(|artifact| artifact["original_path"] == format!("outputs/{name}"));
        assert!(is_there, "{name} is not in {artifacts:?}");
    }
}
