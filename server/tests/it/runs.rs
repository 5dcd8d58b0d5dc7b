//! Run records over the API.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

fn new_run(intent: &str) -> Value {
    json!({"intent": intent, "setup": "as before", "command": "python train.py"})
}

#[tokio::test]
async fn a_run_reads_back_as_it_was_created() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let body = json!({
        "intent": "Does it wake?", "setup": "40 h far-field", "command": "python train.py --seed 0",
        "working_directory": "/home/mira/kws", "expected_artifact_paths": ["out/*.json"],
        "expected_log_paths": ["train.log"], "title": "Tiny", "tags": ["baseline", "µ"],
    });
    let created = app.api(&project.key, "POST", "/v1/runs", Some(body)).await.expect(200).json();
    assert_eq!(created["ok"], true);
    let run = app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json()["run"].clone();
    assert_eq!(run["id"], created["run"]["id"]);
    for (key, value) in [
        ("experiment_id", json!("exp001")),
        ("intent", json!("Does it wake?")),
        ("setup", json!("40 h far-field")),
        ("command", json!("python train.py --seed 0")),
        ("working_directory", json!("/home/mira/kws")),
        ("expected_artifact_paths", json!(["out/*.json"])),
        ("expected_log_paths", json!(["train.log"])),
        ("title", json!("Tiny")),
        ("tags", json!(["baseline", "µ"])),
        ("status", json!("created")),
        ("created_at", json!("2026-06-01T12:00:00Z")),
        ("exit_code", Value::Null),
        ("snapshot", Value::Null),
        ("results", json!([])),
        ("notes", json!([])),
    ] {
        assert_eq!(run[key], value, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_given_out_in_order_and_never_twice_however_many_runs_are_created_at_once() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let other = app.project("other").await;
    let runs = join_all((0..200).map(|_| app.run(&project.key, "at once"))).await;
    let numbers: BTreeSet<String> = runs.iter().map(|run| run["experiment_id"].as_str().unwrap().to_owned()).collect();
    let expected: BTreeSet<String> = (1..=200).map(|number| format!("exp{number:03}")).collect();
    assert_eq!(numbers, expected);
    assert_eq!(app.run(&other.key, "each project counts for itself").await["experiment_id"], "exp001");
}

#[tokio::test]
async fn a_repeated_creation_creates_nothing_twice() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let mut body = new_run("once");
    body["id"] = json!(Uuid::now_v7());
    let first = app.api(&project.key, "POST", "/v1/runs", Some(body.clone())).await.expect(200).json();
    let again = app.api(&project.key, "POST", "/v1/runs", Some(body)).await.expect(200).json();
    assert_eq!(first["run"]["experiment_id"], "exp001");
    assert_eq!(again["run"]["experiment_id"], "exp001");
    assert_eq!(app.run(&project.key, "next").await["experiment_id"], "exp002", "no number is lost");
}

#[tokio::test]
async fn an_id_that_another_project_uses_is_refused_without_a_word_about_it() {
    let app = TestApp::new().await;
    let mine = app.project("mine").await;
    let theirs = app.project("theirs").await;
    let mut body = new_run("mine");
    body["id"] = app.run(&theirs.key, "theirs").await["id"].clone();
    let answer = app.api(&mine.key, "POST", "/v1/runs", Some(body)).await.expect(409).json();
    assert!(!answer.to_string().contains("theirs"), "{answer}");
}

#[tokio::test]
async fn a_run_goes_from_created_to_its_end() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "start").await;
    let start = json!({"status": "running", "started_at": "2026-06-01T12:00:01+00:00"});
    let run = app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(start)).await.expect(200).json()["run"].clone();
    assert_eq!((run["status"].as_str(), run["started_at"].as_str()), (Some("running"), Some("2026-06-01T12:00:01Z")));
    let end =
        json!({"status": "failed", "exit_code": 3, "duration_seconds": 1.5, "finished_at": "2026-06-01T12:00:02.5Z"});
    app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(end)).await.expect(200);
    let run = app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json()["run"].clone();
    assert_eq!(run["status"], "failed");
    assert_eq!(run["exit_code"], 3);
    assert_eq!(run["duration_seconds"], 1.5);
    assert_eq!(run["started_at"], "2026-06-01T12:00:01Z");
    assert_eq!(run["finished_at"], "2026-06-01T12:00:02.5Z");
}

#[tokio::test]
async fn a_late_start_does_not_bring_an_ended_run_back() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "quick").await;
    app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(json!({"status": "completed", "exit_code": 0})))
        .await
        .expect(200);
    app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(json!({"status": "running"}))).await.expect(200);
    let run = app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json();
    assert_eq!(run["run"]["status"], "completed");
}

#[tokio::test]
async fn runs_are_listed_newest_first_also_past_a_page() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let empty = app.api(&project.key, "GET", "/v1/runs", None).await.expect(200).json();
    assert_eq!(empty, json!({"ok": true, "runs": []}));
    for number in 0..205 {
        app.run(&project.key, &format!("run {number}")).await;
    }
    let listed = app.api(&project.key, "GET", "/v1/runs", None).await.expect(200).json();
    let runs = listed["runs"].as_array().unwrap();
    let ids: Vec<&str> = runs.iter().map(|run| run["experiment_id"].as_str().unwrap()).collect();
    let expected: Vec<String> = (1..=205).rev().map(|number| format!("exp{number:03}")).collect();
    assert_eq!(ids, expected);
    assert_eq!(app.api(&project.key, "GET", "/v1/runs/count", None).await.expect(200).json()["count"], 205);
}

#[tokio::test]
async fn a_deleted_run_is_gone_and_its_number_is_not_used_again() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let run = app.run(&project.key, "one").await;
    app.run(&project.key, "two").await;
    let deleted = app.api(&project.key, "DELETE", &format!("/v1/runs/{}", run["id"].as_str().unwrap()), None).await;
    assert_eq!(deleted.expect(200).json(), json!({"ok": true, "deleted": 1}));
    let gone = app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(404).json();
    assert_eq!(gone["error"], "Run not found");
    assert_eq!(app.api(&project.key, "DELETE", "/v1/runs", None).await.expect(200).json()["deleted"], 1);
    assert_eq!(app.api(&project.key, "GET", "/v1/runs/count", None).await.expect(200).json()["count"], 0);
    assert_eq!(app.run(&project.key, "three").await["experiment_id"], "exp003");
}

#[tokio::test]
async fn a_run_remembers_which_run_it_went_on_from() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "first").await;
    let mut body = new_run("second");
    body["parent"] = json!("exp001");
    app.api(&project.key, "POST", "/v1/runs", Some(body)).await.expect(200);
    let parent: i32 =
        sqlx::query_scalar("SELECT p.number FROM runs r JOIN runs p ON p.id = r.parent_id WHERE r.number = 2")
            .fetch_one(&app.app.pool)
            .await
            .unwrap();
    assert_eq!(parent, 1);
    let mut body = new_run("third, from a run that is not here");
    body["parent"] = json!("exp999");
    app.api(&project.key, "POST", "/v1/runs", Some(body)).await.expect(200);
}

#[tokio::test]
async fn an_imported_run_keeps_its_time() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let mut body = new_run("from long ago");
    body["created_at"] = json!("2024-02-29T08:00:00+01:00");
    let run = app.api(&project.key, "POST", "/v1/runs", Some(body)).await.expect(200).json();
    assert_eq!(run["run"]["created_at"], "2024-02-29T07:00:00Z");
}

#[tokio::test]
async fn a_workspace_is_known_by_its_name_and_directory() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let body = json!({
        "project_id": null, "workspace_name": "kws", "working_directory": "/home/mira/kws", "cli_version": "0.1.4",
        "python_version": "3.12.4", "platform": "Linux", "metadata": {"a": 1}, "git_dirty": true,
    });
    let synced =
        app.api(&project.key, "PATCH", "/v1/projects/current/workspace", Some(body.clone())).await.expect(200).json();
    assert_eq!(synced["project"]["name"], "wake-word");
    assert_eq!(synced["project"]["workspace_name"], "kws");
    app.app.clock.advance(Duration::minutes(1));
    app.api(&project.key, "PATCH", "/v1/projects/current/workspace", Some(body)).await.expect(200);
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM workspaces WHERE synced_at = $1")
        .bind(app.app.clock.now())
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    assert_eq!(count, 1);
    let foreign = json!({"project_id": Uuid::now_v7(), "workspace_name": "kws", "working_directory": "/x"});
    app.api(&project.key, "PATCH", "/v1/projects/current/workspace", Some(foreign)).await.expect(404);
}

#[tokio::test]
async fn a_client_that_gives_no_id_may_repeat_itself_with_a_key_of_its_own() {
    let app = TestApp::new().await;
    let (mine, theirs) = (app.project("mine").await, app.project("theirs").await);
    let create = async |project: &TestProject, name: &str| {
        let request = Request::post("/v1/runs")
            .header("authorization", format!("Bearer {}", project.key))
            .header("content-type", "application/json")
            .header("idempotency-key", name)
            .body(Body::from(json!({"intent": "i", "setup": "s", "command": "c"}).to_string()))
            .unwrap();
        app.send(request).await.expect(200).json()["run"].clone()
    };
    let first = create(&mine, "one").await;
    assert_eq!(create(&mine, "one").await["id"], first["id"]);
    assert_eq!(create(&mine, "two").await["experiment_id"], "exp002");
    assert_eq!(create(&theirs, "one").await["experiment_id"], "exp001", "another project's are its own");
    assert_eq!(app.api(&mine.key, "GET", "/v1/runs/count", None).await.expect(200).json()["count"], 2);
}
