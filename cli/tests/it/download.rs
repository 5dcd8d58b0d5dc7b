//! `otrace download`: a run's files, and none of anybody else's.

use otrace_server::testing::TestServer;
use serde_json::{Value, json};

use crate::workspace::Workspace;

async fn with_files() -> (TestServer, Workspace) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let options = ["--expect-artifact", "out", "--expect-artifact", "a.txt"];
    workspace.run_with(&options, "mkdir -p out/deep; echo 1 > a.txt; echo 2 > out/b.json; echo 3 > out/deep/c").await;
    (server, workspace)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_files_come_into_a_folder_of_the_runs_name() {
    let (_server, workspace) = with_files().await;
    let answer = workspace.otrace(&["download", "exp001"]).await.succeeded();
    let mut lines: Vec<_> = answer.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["exp001/a.txt", "exp001/out/b.json", "exp001/out/deep/c"]);
    assert_eq!(answer.stderr, "Downloaded: 3 files\n");
    assert_eq!(workspace.read("exp001/out/deep/c"), "3\n");
    // What is there already is no reason to fail, unless it is something else.
    workspace.otrace(&["download", "exp001"]).await.succeeded();
    workspace.write("exp001/a.txt", "mine\n");
    let answer = workspace.otrace(&["download", "exp001"]).await;
    assert_eq!(answer.code, 1);
    assert!(answer.stderr.contains("a.txt is there already"), "{}", answer.stderr);
    assert_eq!(workspace.read("exp001/a.txt"), "mine\n");
    workspace.otrace(&["download", "exp001", "--force"]).await.succeeded();
    assert_eq!(workspace.read("exp001/a.txt"), "1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_a_folder_or_a_glob_says_which() {
    let (_server, workspace) = with_files().await;
    for (pattern, expected) in
        [("a.txt", "o/a.txt\n"), ("out/deep", "o/out/deep/c\n"), ("out/*.json", "o/out/b.json\n")]
    {
        let answer = workspace.otrace(&["download", "exp001", pattern, "--output", "o"]).await.succeeded();
        assert_eq!(answer.stdout, expected);
    }
    let answer = workspace.otrace(&["download", "exp001", "nothing"]).await;
    let expected = "error: exp001 has no file nothing\nhint: `otrace artifacts exp001` lists its files.";
    assert_eq!(answer.refusal(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_gets_out_of_the_folder() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let run = json!({"intent": "i", "setup": "s", "command": "true"});
    server.app.api(&project.key, "POST", "/v1/runs", Some(run)).await.expect(200);
    let outside = workspace.root().join("../outside");
    std::fs::create_dir(&outside).expect("made");
    let names =
        ["../outside/up", "/tmp/otrace-absolute", "a/../../outside/deep", ".git/config", "x/.GIT/hooks/y", "link/z"];
    let artifacts = names.map(|name| json!({"original_path": name, "stored_path": name, "text_content": "evil"}));
    let details = json!({"artifacts": artifacts});
    server.app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    std::fs::create_dir(workspace.path("exp001")).expect("made");
    std::os::unix::fs::symlink(&outside, workspace.path("exp001/link")).expect("linked");

    let answer = workspace.otrace(&["download", "exp001"]).await;
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(answer.stderr.contains("exp001/link is a link or a file"), "{}", answer.stderr);
    assert_eq!(answer.stderr.matches("git's own files").count(), 2, "{}", answer.stderr);
    assert_eq!(outside.read_dir().expect("read").count(), 0);
    assert!(!std::path::Path::new("/tmp/otrace-absolute").exists());
    assert_eq!(workspace.read("exp001/_up/outside/up"), "evil");
    assert!(!workspace.has("exp001/.git") && !workspace.has("exp001/x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_is_downloaded_by_its_id_as_older_clients_do() {
    let (_server, workspace) = with_files().await;
    let listed = workspace.otrace(&["artifacts", "exp001", "--query", "b.json", "--json"]).await.succeeded();
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let id = listed["artifacts"][0]["id"].as_str().expect("an id").to_owned();
    let answer = workspace.otrace(&["download", &id, "-o", "to/file", "--json"]).await.succeeded();
    let told: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!((&told["artifact_id"], &told["path"], &told["size_bytes"]), (&json!(id), &json!("to/file"), &json!(2)));
    assert_eq!(workspace.read("to/file"), "2\n");
    assert_eq!(workspace.otrace(&["download", &id]).await.succeeded().stdout, "b.json\n");
    assert_eq!(workspace.read("b.json"), "2\n");

    let answer = workspace.otrace(&["download", "exp001", "a.txt", "--json"]).await.succeeded();
    let told: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(told, json!({"experiment_id": "exp001", "paths": ["exp001/a.txt"]}));
    let unknown = "0198c0de-0000-7000-8000-000000000000";
    let answer = workspace.otrace(&["download", unknown]).await;
    assert!(answer.refusal().starts_with(&format!("error: Unknown run or artifact: {unknown}\n")), "{}", answer.stderr);
}
