//! `otrace import`: the seed's manifest, what is wrong with others, and what becomes of the project's runs.

use std::os::unix::fs::symlink;

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};

use crate::terminal::at_terminal;
use crate::workspace::{Workspace, recorded, run_count};

async fn project() -> (TestServer, TestProject, Workspace) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    (server, project, workspace)
}

fn run(intent: &str) -> Value {
    json!({"intent": intent, "setup": "as it was", "command": "true", "status": "completed"})
}

fn write(workspace: &Workspace, runs: &[Value]) {
    workspace.write("import.json", json!({"version": 1, "runs": runs}).to_string());
}

/// The manifest that Trace was first described with.
pub const SEED_MANIFEST: &str = include_str!("seed/trace-import.json");

const IMPORT: [&str; 3] = ["import", "--spec", "import.json"];

fn import<'a>(options: &[&'a str]) -> Vec<&'a str> {
    [&IMPORT[..], options].concat()
}

/// Imports at a terminal, twice, and answers what is asked with no, then with yes.
async fn refused_then_agreed_to(question: &str, server: &TestServer, project: &TestProject, workspace: &Workspace) {
    let (url, key) = (server.url(), &project.key);
    let script = format!(
        r#"
line = [OTRACE, "import", "--spec", "import.json", "--api-url", "{url}", "--api-key", "{key}"]
for answer, code in (("n", 1), ("y", 0)):
    t = Terminal(line)
    t.until("{question}")
    t.type(answer + "\n")
    assert t.end() == code, t.seen
"#
    );
    at_terminal(workspace, &script).await;
}

/// The example of the seed, in a folder of its own, with a file whose content is not to be sent.
fn write_seed_example(workspace: &Workspace) {
    workspace.write("old/outputs/baseline/metrics.json", r#"{"mse": 0.5, "rows": [{"a": 1}]}"#);
    workspace.write("old/outputs/baseline/model.json", "{}");
    workspace.write("old/weights.bin", b"\0\x01weights");
    workspace.write("old/logs/baseline.log", "step 1\n");
    let mut manifest: Value = serde_json::from_str(SEED_MANIFEST).expect("JSON");
    let artifacts = manifest["runs"][0]["artifacts"].as_array_mut().expect("a list");
    artifacts.push(json!({"path": "weights.bin", "type": "checkpoint", "store_content": false}));
    workspace.write("old/trace-import.json", manifest.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seeds_manifest_is_checked_without_a_key_and_imported_as_written() {
    let (server, project, workspace) = project().await;
    write_seed_example(&workspace);
    let alone = Workspace::new();
    write_seed_example(&alone);
    let spec = ["import", "--spec", "old/trace-import.json"];
    let checked = alone.otrace(&[&spec[..], &["--dry-run"]].concat()).await.succeeded();
    assert_eq!((checked.stdout.as_str(), checked.stderr.as_str()), ("1 run can be imported. Nothing was sent.\n", ""));

    let answer = workspace.otrace(&spec).await.succeeded();

    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("Imported 1 run: exp001\n", ""));
    let run = recorded(&server, &project.key, "exp001").await;
    let expected = json!({
        "title": "baseline linear regression", "command": "python3 train.py", "status": "completed", "exit_code": 0,
        "created_at": "2026-06-01T12:00:00Z", "started_at": "2026-06-01T12:00:01Z",
        "finished_at": "2026-06-01T12:00:04Z", "duration_seconds": 3.0, "tags": ["historical", "baseline"],
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&run[field], value, "{field}");
    }
    let results: Vec<_> = run["results"].as_array().expect("results").iter().map(|result| &result["name"]).collect();
    assert_eq!(results, ["mse", "manual_metric"]);
    assert_eq!(run["results"][0]["source_path"], "old/outputs/baseline/metrics.json");
    assert_eq!(run["tables"][0]["rows"], json!([{"a": 1}]));
    assert_eq!(run["logs"][0]["text_content"], "step 1\n");
    assert_eq!(
        (&run["snapshot"]["git_commit"], &run["snapshot"]["python_version"]),
        (&json!("abc123"), &json!("3.12"))
    );
    let artifacts = run["artifacts"].as_array().expect("artifacts");
    assert_eq!(artifacts.len(), 3);
    let content = async |artifact: &Value| {
        let id = artifact["id"].as_str().expect("an id");
        server.get_json(&project.key, &format!("/v1/artifacts/{id}/download")).await["artifact"].clone()
    };
    assert_eq!(content(&artifacts[1]).await["text_content"], "{}");
    assert_eq!((&artifacts[2]["type"], &artifacts[2]["size_bytes"]), (&json!("checkpoint"), &json!(9)));
    assert_eq!(content(&artifacts[2]).await["content_base64"], Value::Null, "it was not to be stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_run_holds_all_back_unless_it_is_to_be_left_out() {
    let (server, project, workspace) = project().await;
    let mut wrong = run("wrong");
    wrong["status"] = json!("done");
    wrong["artifacts"] = json!([{"path": "nowhere.json"}]);
    write(&workspace, &[run("right"), wrong, run("right too")]);
    let mistakes = [
        "otrace: runs[1].status must be one of created, running, completed, failed, capture_failed\n",
        "otrace: runs[1].artifacts[0].path: Artifact path is not a file: nowhere.json\n",
    ];

    let answer = workspace.otrace(&IMPORT).await;
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{}", answer.stderr);
    for told in mistakes.iter().chain(&["1 of 3 runs can't be imported, and nothing was sent"]) {
        assert!(answer.stderr.contains(told), "{told}\n{}", answer.stderr);
    }
    assert_eq!(run_count(&server, &project.key).await, 0);

    let answer = workspace.otrace(&import(&["--continue-on-error"])).await;
    assert_eq!((answer.code, answer.stdout.as_str()), (1, "Imported 2 runs: exp001 to exp002\n"), "{}", answer.stderr);
    assert!(mistakes.iter().all(|told| answer.stderr.contains(told)), "{}", answer.stderr);
    assert_eq!(recorded(&server, &project.key, "exp002").await["intent"], "right too");

    write(&workspace, &[]);
    let answer = workspace.otrace(&import(&["--yes", "--continue-on-error"])).await;
    assert!(answer.code == 1 && answer.stderr.contains("runs must be a list of one run or more"), "{}", answer.stderr);
    assert_eq!(run_count(&server, &project.key).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projects_runs_go_only_where_somebody_agrees() {
    let (server, project, workspace) = project().await;
    server.app.run(&project.key, "old").await;
    write(&workspace, &[run("new")]);

    let answer = workspace.otrace(&IMPORT).await;
    assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{}", answer.stderr);
    assert!(answer.stderr.contains("the project has 1 run, which would go to the trash"), "{}", answer.stderr);
    assert!(answer.stderr.contains("--append"), "{}", answer.stderr);

    let answer = workspace.otrace(&import(&["--append"])).await.succeeded();
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("Imported 1 run: exp002\n", ""));
    let answer = workspace.otrace(&import(&["--yes"])).await.succeeded();
    assert_eq!(answer.stdout, "Imported 1 run: exp003\n");
    assert_eq!(answer.stderr, "2 runs went to the trash. `otrace restore EXP_ID` brings one back.\n");
    assert_eq!(run_count(&server, &project.key).await, 1);
    workspace.otrace(&["restore", "exp001"]).await.succeeded();
    assert_eq!(recorded(&server, &project.key, "exp001").await["intent"], "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_no_at_the_terminal_keeps_the_projects_runs() {
    let (server, project, workspace) = project().await;
    server.app.run(&project.key, "old").await;
    write(&workspace, &[run("new"), run("newer")]);
    let question = "Import 2 runs, and move the 1 run of this project to the trash? (y/N)";
    refused_then_agreed_to(question, &server, &project, &workspace).await;
    assert_eq!(run_count(&server, &project.key).await, 2);
    assert_eq!(recorded(&server, &project.key, "exp002").await["intent"], "new", "the first time nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_fails_on_its_way_leaves_everything_as_it_was() {
    let server = TestServer::with(|config| config.http.max_body_bytes = 4000).await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    server.app.run(&project.key, "old").await;
    let mut large = run("too large");
    large["setup"] = json!("x".repeat(5000));
    write(&workspace, &[run("fits"), large]);
    let answer = workspace.otrace(&import(&["--yes"])).await;
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{}", answer.stderr);
    assert_eq!(recorded(&server, &project.key, "exp001").await["intent"], "old");
    assert_eq!(server.app.run(&project.key, "next").await["experiment_id"], "exp002");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_from_elsewhere_are_sent_only_where_somebody_agrees_to_it() {
    let (server, project, workspace) = project().await;
    workspace.write("../secret.txt", "hidden");
    let secret = workspace.path("../secret.txt").canonicalize().expect("a path");
    symlink(&secret, workspace.path("harmless.txt")).expect("a link");
    let mut new = run("new");
    new["artifacts"] = json!([{"path": "harmless.txt"}]);
    write(&workspace, &[new]);
    for options in [&[] as &[&str], &["--yes"]] {
        let answer = workspace.otrace(&import(options)).await;
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{}", answer.stderr);
        let named = format!("harmless.txt ({})\n", secret.display());
        assert!(answer.stderr.contains(&named) && answer.stderr.contains("--outside"), "{}", answer.stderr);
    }
    let question = "Send 1 file from outside of the manifest's folder and the workspace, as they are? (y/N)";
    refused_then_agreed_to(question, &server, &project, &workspace).await;
    assert_eq!(run_count(&server, &project.key).await, 1, "only who said yes has sent it");

    let answer = workspace.otrace(&import(&["--outside", "--append"])).await.succeeded();
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("Imported 1 run: exp002\n", ""));
    assert_eq!(recorded(&server, &project.key, "exp002").await["artifacts"][0]["size_bytes"], 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_masked_in_texts_logs_and_configs_unless_they_are_to_stay() {
    let (server, project, workspace) = project().await;
    let token = "ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R";
    let log = format!("epoch 1\nlogin with {token}\n");
    for name in ["train.log", "base.yaml", "out.json"] {
        workspace.write(name, &log);
    }
    let mut new = run(&format!("Does {token} work?"));
    new["command"] = json!(format!("python3 train.py {token}"));
    new["tags"] = json!([token]);
    new["snapshot"] = json!({"git_remote_url": format!("https://ada:{token}@example.org/r.git")});
    new["logs"] = json!([{"path": "train.log", "stream": "stdout"}]);
    new["artifacts"] = json!([{"path": "base.yaml", "type": "config"}, {"path": "out.json", "type": "other"}]);
    write(&workspace, &[new]);
    let kept = async |experiment: &str| {
        let run = recorded(&server, &project.key, experiment).await;
        let ids =
            run["artifacts"].as_array().expect("artifacts").iter().map(|file| file["id"].as_str().expect("an id"));
        let (mut all, mut artifacts) = (String::new(), Vec::new());
        for id in ids {
            artifacts.push(String::from_utf8(server.artifact_bytes(&project.key, id).await).expect("a text"));
        }
        for part in ["intent", "command", "tags", "logs", "snapshot"] {
            all += &run[part].to_string();
        }
        (all, artifacts)
    };

    let answer = workspace.otrace(&import(&["--append"])).await.succeeded();
    assert!(answer.stderr.starts_with("otrace: masked ") && !answer.stderr.contains(token), "{}", answer.stderr);
    for place in ["the intent", "the command", "train.log (line 2)", "base.yaml (line 2)", "--no-secret-masking"] {
        assert!(answer.stderr.contains(place), "{place} is not in {}", answer.stderr);
    }
    let (told, artifacts) = kept("exp001").await;
    assert!(!told.contains(token) && told.contains("login with [masked: github token]"), "{told}");
    let masked = log.replace(token, "[masked: github token]");
    assert_eq!(artifacts, [masked, log.clone()], "a config is masked, an output is kept as it is");
    assert_eq!(workspace.read("train.log"), log, "the file itself stays");

    let answer = workspace.otrace(&import(&["--append", "--no-secret-masking"])).await.succeeded();
    assert_eq!(answer.stderr, "");
    let (told, artifacts) = kept("exp002").await;
    assert!(told.contains(&format!("Does {token} work?")) && !told.contains("[masked"), "{told}");
    assert_eq!(artifacts, [log.clone(), log]);
}
