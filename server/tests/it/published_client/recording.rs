//! Setting up and recording: `init`, `login`, `whoami`, `run`.

use otrace_server::testing::TestServer;
use serde_json::json;

use super::{MODEL, Person, TRAIN_OPTIONS, WORKSPACE, sha256, text, the};

#[tokio::test(flavor = "multi_thread")]
async fn init_makes_a_workspace_of_the_keys_project() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::with_key(server.url(), &project.key).await;

    let said = person.otrace(&["init"]).await.text();

    for line in [
        format!("Authenticated as: {}", project.email),
        format!("Cloud project: {}", project.name),
        format!("Workspace synced: {WORKSPACE}"),
        format!("TRACE_PROJECT_ID=\"{}\"", project.id),
        format!("TRACE_PROJECT_NAME=\"{}\"", project.name),
    ] {
        assert!(said.lines().any(|said| said == line), "{line} is not in:\n{said}");
    }
    assert!(person.workspace().join(".trace").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_kept_and_good_for_later_commands() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::without_settings().await;
    let url: String = server.url().into();

    let said = person.otrace(&["login", "--api-key", &project.key, "--api-url", &url]).await.text();
    let expected = format!("Trace login successful.\nAccount: {}\nProject: {}\n", project.email, project.name);
    assert_eq!(said, expected);

    let said = person.otrace(&["whoami"]).await.text();
    assert_eq!(said, format!("Account: {}\nProject: {}\nAPI key: configured\n", project.email, project.name));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_arrives_with_everything_that_it_left_behind() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::set_up(server.url(), &project.key).await;

    let described = ["run", "--intent", "Train a baseline", "--setup", "Default config, validation split"];
    let args = [&described[..], TRAIN_OPTIONS, &["--", "sh", "train.sh"]].concat();
    let ended = person.otrace(&args).await;
    assert!(ended.stdout.contains("epoch 1 of 1\n"), "{}", ended.stdout);
    assert!(!ended.stderr.contains("could not"), "{}", ended.stderr);
    assert!(ended.text().contains("Status: completed\n"));

    let answer = server.get_json(&project.key, "/v1/runs/exp001").await;
    assert_eq!(answer["ok"], true);
    let run = &answer["run"];
    let expected = json!({
        "experiment_id": "exp001",
        "title": "Baseline",
        "intent": "Train a baseline",
        "setup": "Default config, validation split",
        "command": "sh train.sh",
        "status": "completed",
        "tags": ["baseline", "small"],
        "exit_code": 0,
        "working_directory": person.workspace(),
        "expected_artifact_paths":
            ["outputs/metrics.json", "outputs/schedule.tsv", "outputs/report.md", "outputs/model.bin", "outputs/empty.ckpt"],
        "expected_log_paths": ["outputs/*.log"],
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&run[field], value, "{field}");
    }
    assert!(run["duration_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{}", run["duration_seconds"]);
    assert!(run["finished_at"].is_string());

    let results: Vec<_> =
        run["results"].as_array().expect("a list").iter().map(|r| (text(&r["name"]), &r["value"])).collect();
    let (accuracy, loss, optimizer, pruned, f1) = (json!(0.91), json!(0.25), json!("adam"), json!(true), json!(0.85));
    assert_eq!(
        results,
        [("accuracy", &accuracy), ("loss", &loss), ("optimizer", &optimizer), ("pruned", &pruned), ("macro f1", &f1)]
    );
    assert_eq!(the(&run["results"], "name", "macro f1")["line"], 6);
    assert_eq!(the(&run["results"], "name", "macro f1")["source_path"], "outputs/report.md");

    let epochs = the(&run["tables"], "source_path", "outputs/metrics.json");
    assert_eq!(epochs["title"], "epochs");
    assert_eq!(epochs["columns"], json!(["epoch", "loss"]));
    assert_eq!(epochs["rows"], json!([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.25}]));
    assert_eq!(epochs["metadata"], json!({"format": "json"}));
    let schedule = the(&run["tables"], "source_path", "outputs/schedule.tsv");
    assert_eq!(schedule["rows"], json!([{"step": 1, "lr": 0.1}, {"step": 2, "lr": 0.01}]));
    let report = the(&run["tables"], "source_path", "outputs/report.md");
    assert_eq!((&report["row_count"], &report["column_count"]), (&json!(2), &json!(2)));

    let stdout = the(&run["logs"], "stream", "stdout");
    assert_eq!(stdout["text_content"], "epoch 1 of 1\n");
    assert_eq!(stdout["size_bytes"], 13);
    assert_eq!(the(&run["logs"], "stream", "stderr")["text_content"], "a warning\n");

    let artifacts = &run["artifacts"];
    assert_eq!(artifacts.as_array().map(Vec::len), Some(7));
    assert_eq!(the(artifacts, "original_path", "configs/base.json")["type"], "config");
    assert_eq!(the(artifacts, "original_path", "outputs/metrics.json")["type"], "metrics");
    assert_eq!(the(artifacts, "original_path", "outputs/train.log")["type"], "log");
    let model = the(artifacts, "original_path", "outputs/model.bin");
    assert_eq!(model["hash"], sha256(MODEL));
    assert_eq!(model["size_bytes"], 12);
    assert_eq!(model["run_id"], run["id"]);
    assert_eq!(run["snapshot"]["missing_expected_paths"], json!([]));
    assert_eq!(run["snapshot"]["observed_artifacts"].as_array().map(Vec::len), Some(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_a_changed_repository_tells_its_commit_and_its_diffs() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::set_up(server.url(), &project.key).await;
    person.write("requirements.txt", "numpy==2.1\n");
    person.write("notes.md", "A staged file.\n");
    person.git(&["add", "notes.md"]).await;
    person.write("configs/base.json", r#"{"hidden": 40}"#);

    person.run(&["--config", "configs/base.json"], "true").await.text();

    let run = &server.get_json(&project.key, "/v1/runs/exp001").await["run"];
    let snapshot = &run["snapshot"];
    assert_eq!(snapshot["git_commit"], person.git(&["rev-parse", "HEAD"]).await);
    assert_eq!(snapshot["dirty_diff_path"], ".trace/snapshots/exp001.diff");
    assert_eq!(snapshot["staged_diff_path"], ".trace/snapshots/exp001.staged.diff");
    assert_eq!(snapshot["dependency_files"], json!(["requirements.txt"]));
    assert_eq!(snapshot["dependency_file_copies"], json!([".trace/snapshots/exp001/requirements.txt"]));
    assert_eq!(snapshot["requirements_hash"], sha256(b"numpy==2.1\n"));
    assert!(text(&snapshot["python_version"]).starts_with("3."));
    assert!(!text(&snapshot["platform"]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_command_keeps_its_exit_code_and_what_is_missing() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::set_up(server.url(), &project.key).await;

    let ended = person.run(&["--expect-artifact", "outputs/none.json"], "echo out of memory >&2; exit 7").await;
    assert_eq!(ended.code, Some(7));
    // Python tells a signal as a negative number, and leaves with its low byte.
    let ended = person.run(&["--expect-log", "outputs/none.log"], "kill -KILL $$").await;
    assert_eq!(ended.code, Some(256 - 9));

    let failed = &server.get_json(&project.key, "/v1/runs/exp001").await["run"];
    assert_eq!((&failed["status"], &failed["exit_code"]), (&json!("failed"), &json!(7)));
    assert_eq!(the(&failed["logs"], "stream", "stderr")["text_content"], "out of memory\n");
    let missing = json!([{"path": "outputs/none.json", "type": "artifact"}]);
    assert_eq!(failed["snapshot"]["missing_expected_paths"], missing);
    assert_eq!(failed["artifacts"], json!([]));
    let killed = &server.get_json(&project.key, "/v1/runs/exp002").await["run"];
    assert_eq!((&killed["status"], &killed["exit_code"]), (&json!("failed"), &json!(-9)));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_json_cannot_write_are_kept_as_texts() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let person = Person::set_up(server.url(), &project.key).await;
    let metrics = r#"{"loss": NaN, "ceiling": Infinity, "floor": -Infinity, "norm": 1e400, "lr": 1e-5}"#;
    person.write("metrics.json", metrics);
    person.write("history.csv", "epoch,loss\n1,0.5\n2,nan\n");

    person.run(&["--expect-artifact", "metrics.json", "--expect-artifact", "history.csv"], "true").await.text();

    let listed = person.otrace(&["runs", "--json"]).await.json();
    let expected = json!({"loss": "NaN", "ceiling": "Infinity", "floor": "-Infinity", "norm": "Infinity", "lr": 1e-5});
    assert_eq!(listed["runs"][0]["metrics"], expected);
    let run = &server.get_json(&project.key, "/v1/runs/exp001").await["run"];
    let history = the(&run["tables"], "source_path", "history.csv");
    assert_eq!(history["rows"], json!([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": "NaN"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_starts_no_command() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    // One that no key ever was, and one that is a letter off.
    let swapped = if project.key.ends_with('a') { "b" } else { "a" };
    let typo = format!("{}{swapped}", &project.key[..project.key.len() - 1]);
    for key in ["trc_wrong", &typo] {
        let person = Person::with_key(server.url(), key).await;

        let refusal = person.otrace(&["whoami"]).await.refusal();
        assert!(refusal.contains("code=unauthorized"), "{refusal}");

        let described = ["run", "--intent", "Try", "--setup", "A wrong key", "--expect-log", "x.log"];
        let ended = person.otrace(&[&described[..], &["--", "touch", "started"]].concat()).await;
        let refusal = ended.refusal();
        assert!(refusal.contains("The experiment command was not executed."), "{refusal}");
        assert!(!person.workspace().join("started").exists());
    }
    assert_eq!(server.get_json(&project.key, "/v1/runs/count").await["count"], 0);
}
