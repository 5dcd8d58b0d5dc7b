//! `import`: runs from elsewhere take the place of a project's runs.

use otrace_server::testing::TestServer;
use serde_json::json;

use super::{MODEL, Person, sha256, text, the};

/// Two runs from elsewhere, with the texts that a database does not take as they are.
fn write_manifest(person: &Person) {
    person.write("import/outputs/metrics.json", r#"{"mse": 0.5}"#);
    person.write("import/outputs/weights.bin", MODEL);
    person.write("import/outputs/note.txt", b"before\0after");
    person.write("import/train.log", b"step 1\0\nstep 2\n");
    let manifest = json!({"version": 1, "runs": [
        {
            "title": "Linear regression",
            "intent": "Train a toy model",
            "setup": "SETUP",
            "command": ["python3", "train.py", "--name", "a b"],
            "status": "completed",
            "created_at": "2026-06-01T12:00:00Z",
            "started_at": "2026-06-01T12:00:01Z",
            "finished_at": "2026-06-01T12:00:04.5Z",
            "exit_code": 0,
            "duration_seconds": 3.5,
            "tags": ["historical"],
            "artifacts": [
                {"path": "outputs/note.txt", "type": "other"},
                {"path": "outputs/weights.bin", "type": "checkpoint", "store_content": false}
            ],
            "logs": [{"path": "train.log", "stream": "stdout"}],
            "result_files": ["outputs/metrics.json"],
            "results": [{"name": "manual", "value": 42, "source_path": "notes.md", "row": 2, "column": "f1", "table": 1}],
            "tables": [{"columns": ["a"], "rows": [{"a": 1}]}],
            "snapshot": {"git_commit": "abc123", "python_version": "3.12"}
        },
        {"title": "Planned", "intent": "Not started yet", "setup": "None", "command": "true", "status": "created"}
    ]});
    // A lone surrogate, which JSON can write and UTF-8 can't.
    person.write("import/trace-import.json", manifest.to_string().replace("SETUP", r"half \ud83d a pair"));
}

const IMPORT: &[&str] = &["import", "--spec", "import/trace-import.json"];

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_an_import_needs_no_key_and_writes_nothing() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::without_settings().await;
    write_manifest(&person);

    let said = person.otrace(&[IMPORT, &["--dry-run"]].concat()).await.text();

    assert!(said.ends_with("Import dry run validated 2 run(s).\n"), "{said}");
    assert_eq!(server.get_json(&project.key, "/v1/runs/count").await["count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_not_agreed_to_changes_nothing() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::set_up(server.url(), &project.key).await;
    write_manifest(&person);
    person.run(&["--expect-log", "none"], "true").await.text();

    let ended = person.otrace_with_input("n\n", IMPORT).await;

    assert!(ended.stdout.contains("Import will overwrite 1 existing run(s)"), "{}", ended.stdout);
    assert_eq!(ended.refusal(), "otrace: Import cancelled.");
    let runs = &server.get_json(&project.key, "/v1/runs").await["runs"];
    assert_eq!(the(runs, "experiment_id", "exp001")["intent"], "See it recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_replaces_the_projects_runs() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::set_up(server.url(), &project.key).await;
    write_manifest(&person);
    person.run(&["--expect-log", "none"], "true").await.text();

    let said = person.otrace_with_input("y\n", IMPORT).await.text();

    assert!(said.contains("Deleted 1 existing run(s) from the current project.\n"), "{said}");
    assert!(said.contains("Imported 2 run(s).\n"), "{said}");
    let runs = &server.get_json(&project.key, "/v1/runs").await["runs"];
    assert_eq!(runs.as_array().map(Vec::len), Some(2));
    // exp001 was deleted, and its number is not given out again.
    let planned = the(runs, "experiment_id", "exp003");
    assert_eq!((&planned["title"], &planned["status"]), (&json!("Planned"), &json!("created")));

    assert_eq!(the(runs, "experiment_id", "exp002")["title"], "Linear regression");

    let run = &server.get_json(&project.key, "/v1/runs/exp002").await["run"];
    let expected = json!({
        "title": "Linear regression",
        "setup": "half \u{fffd} a pair",
        "command": "python3 train.py --name 'a b'",
        "status": "completed",
        "created_at": "2026-06-01T12:00:00Z",
        "started_at": "2026-06-01T12:00:01Z",
        "finished_at": "2026-06-01T12:00:04.5Z",
        "exit_code": 0,
        "duration_seconds": 3.5,
        "tags": ["historical"],
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&run[field], value, "{field}");
    }
    assert_eq!(run["snapshot"]["git_commit"], "abc123");
    assert_eq!(the(&run["logs"], "stream", "stdout")["text_content"], "step 1\u{fffd}\nstep 2\n");
    assert_eq!(the(&run["results"], "name", "mse")["value"], 0.5);
    let manual = the(&run["results"], "name", "manual");
    assert_eq!(manual["value"], 42);
    let place = (&manual["row_index"], &manual["column_name"], &manual["table_index"]);
    assert_eq!(place, (&json!(2), &json!("f1"), &json!(1)));
    assert_eq!(run["tables"][0]["rows"], json!([{"a": 1}]));

    // Only its record is kept of what the manifest told not to store.
    let weights = the(&run["artifacts"], "original_path", "import/outputs/weights.bin");
    assert_eq!((&weights["hash"], &weights["size_bytes"]), (&json!(sha256(MODEL)), &json!(12)));
    let refusal = person.otrace(&["download", text(&weights["id"])]).await.refusal();
    assert_eq!(refusal, "otrace: Artifact content is not available from the hosted API response.");
    // The text is cleaned where it is shown; the content is what the file held.
    let note = the(&run["artifacts"], "original_path", "import/outputs/note.txt");
    assert_eq!(server.artifact_bytes(&project.key, text(&note["id"])).await, b"before\0after");
}
