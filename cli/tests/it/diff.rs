//! `otrace diff`: what changed between two runs.

use otrace_server::testing::TestServer;
use serde_json::Value;

use crate::workspace::Workspace;

#[tokio::test(flavor = "multi_thread")]
async fn configs_code_dependencies_and_results_are_compared() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.git(&["init", "-q", "-b", "main"]).await;
    workspace.write("train.py", "print(1)\n");
    workspace.write("requirements.txt", "numpy==1.26\n");
    workspace.git(&["add", "."]).await;
    workspace.git(&["commit", "-q", "-m", "first"]).await;
    let options = ["--config", "c.yaml", "--expect-artifact", "m.json"];
    workspace.write("c.yaml", "lr: 0.1\nseed: 7\n");
    workspace.run_with(&options, "echo '{\"accuracy\": 0.8, \"epochs\": 3}' > m.json").await.succeeded();
    workspace.write("c.yaml", "lr: 0.2\nseed: 7\n");
    workspace.write("requirements.txt", "numpy==2.0\n");
    workspace.run_with(&options, "echo '{\"accuracy\": 0.9, \"epochs\": 3}' > m.json; true").await.succeeded();

    let answer = workspace.otrace(&["diff", "exp001", "exp002"]).await.succeeded();
    for line in [
        "--- exp001",
        "+++ exp002",
        "--- exp001/c.yaml",
        "+++ exp002/c.yaml",
        "-lr: 0.1",
        "+lr: 0.2",
        " seed: 7",
        "-numpy==1.26",
        "+numpy==2.0",
        "accuracy\t0.8\t0.9\t0.09999999999999998",
        "1 result is the same",
    ] {
        assert!(answer.stdout.lines().any(|said| said == line), "{line:?} is not in {}", answer.stdout);
    }
    let answer = workspace.otrace(&["diff", "exp001", "exp002", "--json"]).await.succeeded();
    let told: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(told["configs"][0]["path"], "c.yaml");
    assert_eq!(told["results"][0]["name"], "accuracy");
    assert_eq!(told["packages"].as_array().map(Vec::len), Some(0));
    let mut patches = told["patches"].as_array().expect("patches").iter();
    let patch = patches.find(|patch| patch["path"] == "changes that are not staged").expect("the changes");
    assert!(patch["diff"].as_str().is_some_and(|diff| diff.contains("+numpy==2.0")), "{patch}");

    let answer = workspace.otrace(&["diff", "exp001", "exp001"]).await.succeeded();
    assert_eq!(answer.stdout, "--- exp001\n+++ exp001\nNothing differs.\n");
}
