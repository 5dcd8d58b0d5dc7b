//! `otrace ledger`: one line for each run.

use otrace_server::testing::TestServer;
use serde_json::{Value, json};

use crate::workspace::{Workspace, nowhere};

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_has_each_run_on_one_line_the_oldest_first() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    for (intent, title) in [("first\nof all", "\u{1b}[2JClean | slate"), ("second", "")] {
        let run = json!({"intent": intent, "setup": "s", "command": "true", "title": title, "parent": "exp001"});
        server.app.api(&project.key, "POST", "/v1/runs", Some(run)).await.expect(200);
    }
    let details = json!({
        "results": [{"kind": "scalar", "name": "accuracy", "value": 0.9}],
        "artifacts": [{"original_path": "m.json", "type": "metrics", "size_bytes": 17}],
        "tables": [{"source_path": "t.csv", "columns": ["a"], "rows": [{"a": 1}]}],
    });
    server.app.api(&project.key, "PUT", "/v1/runs/exp002/details", Some(details)).await.expect(200);
    let workspace = Workspace::with_key(&server, &project.key);

    let answer = workspace.otrace(&["ledger"]).await.succeeded();
    assert!(!answer.stdout.contains('\u{1b}'), "{}", answer.stdout);
    let lines: Vec<Value> = answer.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [first, second] = lines.as_slice() else { panic!("two lines are not {}", answer.stdout) };
    assert_eq!((&first["experiment_id"], &first["title"]), (&json!("exp001"), &json!("\u{1b}[2JClean | slate")));
    assert_eq!((&second["parent"], &second["results"]), (&json!("exp001"), &json!({"accuracy": 0.9})));
    assert_eq!((&second["artifacts"][0]["path"], &second["tables"][0]["row_count"]), (&json!("m.json"), &json!(1)));

    workspace.otrace(&["ledger", "--format", "markdown", "--output", "ledger.md"]).await.succeeded();
    let rows: Vec<_> =
        workspace.read("ledger.md").lines().filter(|line| line.starts_with("| exp")).map(str::to_owned).collect();
    assert!(rows.len() == 3 && rows[2].contains("accuracy `0.9`"), "{rows:?}");
    assert!(rows[1].contains("\u{fffd}\\[2JClean \\| slate"), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_runs_than_a_page_are_all_in_it() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    for _ in 0..103 {
        server.app.run(&project.key, "again").await;
    }
    let answer = Workspace::with_key(&server, &project.key).otrace(&["ledger"]).await.succeeded();
    assert_eq!(answer.stdout.lines().count(), 103);
    assert!(answer.stdout.lines().next_back().is_some_and(|line| line.contains("\"exp103\"")), "the newest is last");
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_it_has_the_runs_of_this_workspace_where_there_is_one() {
    let workspace = Workspace::new().set("TRACE_API_URL", &nowhere());
    for command in [&["ledger", "--offline"][..], &["notebook", "generate", "--offline"]] {
        let answer = workspace.otrace(command).await;
        assert_eq!(answer.refusal(), "error: Trace is not initialized. Run `otrace init` first.");
        assert!(!workspace.has(".trace"), "{command:?}");
    }
    workspace.run_with(&["--offline", "--expect-log", "x"], "exit 3").await;
    let answer = workspace.otrace(&["ledger", "--offline"]).await.succeeded();
    let run: Value = serde_json::from_str(&answer.stdout).expect("one line of JSON");
    assert_eq!((&run["intent"], &run["exit_code"]), (&json!("to see"), &json!(3)));
    assert!(answer.stderr.contains("the runs of this workspace alone"), "{}", answer.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_the_same_runs_are_the_same_bytes_each_time() {
    let workspace = Workspace::new();
    for (intent, number) in [("Größer | besser?\n# no heading", 0.25), ("again", 0.5)] {
        let script = format!("echo '{{\"loss\": {number}}}' > m.json; echo a,b > t.csv");
        let options = ["--intent", intent, "--setup", "s", "--expect-artifact", "m.json", "--expect-artifact", "t.csv"];
        let args = [&["run", "--offline"][..], &options, &["--", "sh", "-c", &script]].concat();
        workspace.otrace(&args).await.succeeded();
    }
    let note = "Offline: this is made of the runs of this workspace alone, without notes.\n";
    for format in ["jsonl", "markdown"] {
        let args = ["ledger", "--offline", "--format", format];
        let (first, second) = (workspace.otrace(&args).await.succeeded(), workspace.otrace(&args).await.succeeded());
        assert_eq!((first.stderr.as_str(), second.stderr.as_str()), (note, note));
        assert!(first.stdout.contains("0.25") && first.stdout.contains("again"), "{}", first.stdout);
        assert_eq!(first.stdout_bytes, second.stdout_bytes, "{format}");
        workspace.otrace(&[&args[..], &["--output", "ledger"]].concat()).await.succeeded();
        assert_eq!(workspace.read("ledger"), first.stdout, "{format}");
    }
    let lines = workspace.otrace(&["ledger", "--offline"]).await.succeeded().stdout;
    let told: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(told[1]["parent"], told[0]["experiment_id"], "one name for one run: {lines}");
    for mode in ["chronological", "branch", "insights"] {
        let mut written = Vec::new();
        for _ in 0..2 {
            workspace.otrace(&["notebook", "generate", "--offline", "--mode", mode]).await.succeeded();
            written.push(["md", "json"].map(|kind| workspace.read(&format!(".trace/notebook/generated.{kind}"))));
        }
        assert_eq!(written[0], written[1], "{mode}");
    }
}
