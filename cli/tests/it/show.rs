//! `otrace show` and `otrace artifacts`: one run.

use otrace_server::testing::TestServer;
use serde_json::{Value, json};

use crate::workspace::Workspace;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_from_why_to_what_came_of_it() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let options = ["--title", "Baseline", "--tag", "a", "--expect-artifact", "m.json", "--expect-artifact", "no.png"];
    workspace.run_with(&options, "echo '{\"accuracy\": 0.9}' > m.json; echo hello; exit 3").await;
    let answer = workspace.otrace(&["show", "exp001"]).await.succeeded();
    for line in [
        "exp001  Baseline",
        "Status: failed (exit code 3)",
        "Tags: a",
        "Intent: to see",
        "Setup: as it is",
        "accuracy\t0.9\tm.json",
        "m.json\tmetrics\t18",
        "Declared, and not there",
        "no.png",
        "stdout\t6",
    ] {
        assert!(answer.stdout.lines().any(|said| said == line), "{line} is not in {}", answer.stdout);
    }
    let answer = workspace.otrace(&["show", "1", "--json"]).await.succeeded();
    let told: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!((&told["experiment_id"], &told["exit_code"]), (&json!("exp001"), &json!(3)));

    let answer = workspace.otrace(&["artifacts", "exp001"]).await.succeeded();
    assert_eq!(answer.stdout, "m.json\tmetrics\t18\n");
    for (options, expected) in [
        (&["--type", "Metrics", "--query", "M.JSON accuracy"][..], "m.json\tmetrics\t18\n"),
        (&["--type", "log"][..], ""),
        (&["--query", "m.json loss"][..], ""),
    ] {
        let answer = workspace.otrace(&[&["artifacts", "exp001"], options].concat()).await.succeeded();
        assert_eq!(answer.stdout, expected, "{options:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_that_is_not_there_is_told() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    for command in ["show", "artifacts", "download", "logs"] {
        let answer = workspace.otrace(&[command, "exp042"]).await;
        let expected = "error: Unknown experiment: exp042\nhint: `otrace runs` lists those that there are.";
        assert_eq!(answer.refusal(), expected, "{command}");
    }
    let answer = workspace.otrace(&["show", "../keys"]).await;
    assert!(answer.refusal().starts_with("error: Unknown experiment: ../keys\n"));
}
