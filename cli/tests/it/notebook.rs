//! `otrace notebook generate`: the project's runs, told as one document.

use otrace_server::testing::TestServer;
use serde_json::Value;

use crate::workspace::{Workspace, nowhere};

const MARKDOWN: &str = ".trace/notebook/generated.md";
const JSON: &str = ".trace/notebook/generated.json";

/// A workspace with two runs, of which the second goes on from the first and is learned from.
async fn two_runs() -> (TestServer, String, Workspace) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.run_with(&["--expect-artifact", "m.json"], "echo '{\"accuracy\": 0.8}' > m.json").await.succeeded();
    let options = ["--title", "Larger | batch", "--expect-artifact", "m.json", "--expect-artifact", "gone.png"];
    workspace.run_with(&options, "echo '{\"accuracy\": 0.9}' > m.json; exit 3").await;
    workspace.otrace(&["note", "exp002", "# It helps.\n```\nnever closed #insight"]).await.succeeded();
    (server, project.key, workspace)
}

/// The runs that a notebook tells of.
fn told(workspace: &Workspace) -> Vec<String> {
    let notebook: Value = serde_json::from_str(&workspace.read(JSON)).expect("JSON");
    let entries = notebook["entries"].as_array().expect("entries");
    entries.iter().map(|entry| entry["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_runs_are_the_same_bytes_on_every_machine() {
    let (server, key, workspace) = two_runs().await;
    let answer = workspace.otrace(&["notebook", "generate"]).await.succeeded();
    assert_eq!(answer.stdout, format!("Notebook of 2 experiments: {MARKDOWN} and {JSON}\n"));
    let text = workspace.read(MARKDOWN);
    for line in [
        "# Notebook: wake-word",
        "## exp002 · Larger \\| batch",
        "> to see",
        "| result | value | exp001 | change |",
        "| accuracy | `0.9` | `0.8` | +0.1 (+12.5 %) |",
        "Declared, and not there: `gone.png`.",
        "> # It helps.",
        "> never closed",
    ] {
        assert!(text.lines().any(|told| told == line), "{line:?} is not in {text}");
    }
    assert!(!text.contains(&workspace.root().to_string_lossy().into_owned()), "a path of this machine is in {text}");

    let elsewhere = Workspace::with_key(&server, &key);
    elsewhere.otrace(&["notebook", "generate", "--output", "notebook.md"]).await.succeeded();
    assert_eq!((elsewhere.read("notebook.md"), elsewhere.read(JSON)), (text, workspace.read(JSON)));
    assert!(!elsewhere.has(MARKDOWN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mode_chooses_the_runs() {
    let (_server, _key, workspace) = two_runs().await;
    let generate = async |mode: &[&str]| {
        let args = [["notebook", "generate", "--mode"].as_slice(), mode].concat();
        workspace.otrace(&args).await.succeeded();
        told(&workspace)
    };
    assert_eq!(generate(&["insights"]).await, ["exp002"]);
    assert_eq!(generate(&["branch"]).await, ["exp001", "exp002"]);
    assert_eq!(generate(&["branch", "--run", "exp001"]).await, ["exp001", "exp002"]);
    let answer = workspace.otrace(&["notebook", "generate", "--mode", "branch", "--run", "exp009"]).await;
    assert!(answer.code == 1 && answer.stderr.contains("Unknown experiment: exp009"), "{}", answer.stderr);
    let answer = workspace.otrace(&["notebook", "generate", "--mode", "all"]).await;
    assert!(answer.code == 2 && answer.stderr.contains("chronological, branch or insights"), "{}", answer.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_it_tells_what_this_workspace_has_and_says_so() {
    let (_server, _key, workspace) = two_runs().await;
    workspace.run_with(&["--offline", "--expect-artifact", "out.json"], "true").await.succeeded();
    let answer = workspace.otrace(&["notebook", "generate", "--offline"]).await.succeeded();
    assert!(answer.stderr.contains("the runs of this workspace alone"), "{}", answer.stderr);
    let offline = workspace.read(MARKDOWN);
    let names = told(&workspace);
    assert!(names.starts_with(&["exp001".to_owned(), "exp002".to_owned()]), "{names:?}");
    assert!(names.len() == 3 && names[2].starts_with("offline-"), "{names:?}");
    assert!(offline.contains("| accuracy | `0.9` | `0.8` | +0.1 (+12.5 %) |"), "{offline}");
    assert!(offline.contains("goes on from exp002") && offline.contains("No metrics file was captured."), "{offline}");

    let workspace = workspace.set("TRACE_API_URL", &nowhere());
    let answer = workspace.otrace(&["notebook", "generate"]).await.succeeded();
    assert!(answer.stderr.contains("could not reach") && answer.stderr.contains("this workspace alone"));
    assert_eq!(workspace.read(MARKDOWN), offline);
}
