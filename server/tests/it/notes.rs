//! What is added to a run by hand: notes, tags, and a deleted run that comes back.

use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};
use uuid::Uuid;

const NOTES: &str = "/v1/runs/exp001/notes";
const TAGS: &str = "/v1/runs/exp001/tags";

async fn project_with_a_run() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "one").await;
    (app, project)
}

async fn run(app: &TestApp, project: &TestProject) -> Value {
    app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json()["run"].clone()
}

async fn audit_events(app: &TestApp, action: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_events WHERE action = $1")
        .bind(action)
        .fetch_one(&app.app.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_note_reads_back_as_it_was_written() {
    let (app, project) = project_with_a_run().await;
    let text = "Saturates after 3 epochs. #insight\n\nSee `exp001` – µ";
    let body = json!({"text": format!("  {text}\n")});
    let note = app.api(&project.key, "POST", NOTES, Some(body)).await.expect(200).json()["note"].clone();
    assert_eq!((note["text"].as_str(), note["author"].as_str()), (Some(text), Some("test key")));
    assert_eq!(note["created_at"], "2026-06-01T12:00:00Z");
    app.api(&project.key, "POST", NOTES, Some(json!({"text": "second"}))).await.expect(200);
    let notes = run(&app, &project).await["notes"].clone();
    assert_eq!(notes[0], note);
    assert_eq!(notes[1]["text"], "second");
}

#[tokio::test]
async fn the_same_note_again_adds_nothing() {
    let (app, project) = project_with_a_run().await;
    let body = json!({"text": "once", "id": Uuid::now_v7()});
    let first = app.api(&project.key, "POST", NOTES, Some(body.clone())).await.expect(200).json();
    let again = app.api(&project.key, "POST", NOTES, Some(body)).await.expect(200).json();
    assert_eq!(first, again);
    assert_eq!(run(&app, &project).await["notes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_id_of_another_runs_note_is_refused_without_a_word_about_it() {
    let (app, project) = project_with_a_run().await;
    let other = app.project("other").await;
    app.run(&other.key, "theirs").await;
    let body = json!({"text": "secret", "id": Uuid::now_v7()});
    app.api(&other.key, "POST", NOTES, Some(body.clone())).await.expect(200);
    let refused = app.api(&project.key, "POST", NOTES, Some(body)).await.expect(409);
    assert!(!refused.text().contains("secret"), "{}", refused.text());
    assert_eq!(run(&app, &project).await["notes"], json!([]));
}

#[tokio::test]
async fn a_runs_token_writes_a_note_in_the_name_of_its_key() {
    let (app, project) = project_with_a_run().await;
    let body = json!({"intent": "i", "setup": "s", "command": "c"});
    let created = app.api(&project.key, "POST", "/v1/runs", Some(body)).await.expect(200).json();
    let token = created["run_token"].as_str().unwrap();
    let path = "/v1/runs/exp002/notes";
    let note = app.api(token, "POST", path, Some(json!({"text": "done"}))).await.expect(200).json();
    assert_eq!(note["note"]["author"], "test key");
    app.api(token, "POST", NOTES, Some(json!({"text": "not mine"}))).await.expect(404);
}

#[tokio::test]
async fn a_note_that_is_none_is_refused_with_what_to_do() {
    let (app, project) = project_with_a_run().await;
    for (body, part) in [
        (json!({}), "The note is empty"),
        (json!({"text": " \n"}), "The note is empty"),
        (json!({"text": "x".repeat(64 * 1024 + 1)}), "64 KiB"),
        (json!({"text": "x".repeat(2 * 1024 * 1024)}), "64 KiB"),
        (json!({"text": "x", "id": "no id"}), "form"),
    ] {
        let answer = app.api(&project.key, "POST", NOTES, Some(body)).await.expect(400).json();
        assert!(answer["error"].as_str().unwrap().contains(part), "{answer}");
    }
    app.api(&project.key, "POST", NOTES, Some(json!({"text": "µ".repeat(32 * 1024)}))).await.expect(200);
    assert_eq!(run(&app, &project).await["notes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_run_takes_a_thousand_notes() {
    let (app, project) = project_with_a_run().await;
    let sql = "INSERT INTO notes (id, run_id, project_id, body, created_at)
               SELECT gen_random_uuid(), id, project_id, 'note', now() FROM runs, generate_series(1, 1000)";
    sqlx::query(sql).execute(&app.app.pool).await.unwrap();
    let refused = app.api(&project.key, "POST", NOTES, Some(json!({"text": "one more"}))).await.expect(409).json();
    assert!(refused["error"].as_str().unwrap().contains("all the notes"), "{refused}");
}

#[tokio::test]
async fn a_runs_notes_have_a_mebibyte_together() {
    let (app, project) = project_with_a_run().await;
    let long = json!({"text": "x".repeat(64 * 1024), "id": Uuid::now_v7()});
    let first = app.api(&project.key, "POST", NOTES, Some(long.clone())).await.expect(200).json();
    let sql = "INSERT INTO notes (id, run_id, project_id, body, created_at)
               SELECT gen_random_uuid(), run_id, project_id, body, now() FROM notes, generate_series(1, 15)";
    sqlx::query(sql).execute(&app.app.pool).await.unwrap();
    let refused = app.api(&project.key, "POST", NOTES, Some(json!({"text": "x"}))).await.expect(409).json();
    assert!(refused["error"].as_str().unwrap().contains("1 MiB"), "{refused}");
    let again = app.api(&project.key, "POST", NOTES, Some(long)).await.expect(200).json();
    assert_eq!(again, first, "what is there already is no further one");
    assert_eq!(run(&app, &project).await["notes"].as_array().unwrap().len(), 16);
}

#[tokio::test]
async fn tags_are_added_and_removed() {
    let (app, project) = project_with_a_run().await;
    let tags = async |body: Value| {
        let answer = app.api(&project.key, "PATCH", TAGS, Some(body)).await.expect(200).json();
        assert_eq!(answer["run"]["tags"], run(&app, &project).await["tags"]);
        answer["run"]["tags"].clone()
    };
    assert_eq!(tags(json!({"add": ["a", " b ", "a"]})).await, json!(["a", "b"]));
    assert_eq!(tags(json!({"add": ["c"], "remove": ["a", "nothing"]})).await, json!(["b", "c"]));
    assert_eq!(tags(json!({})).await, json!(["b", "c"]));
    assert_eq!(tags(json!({"remove": ["b", "c"]})).await, json!([]));
    for body in [json!({"add": [""]}), json!({"add": ["x".repeat(4097)]}), json!({"add": vec!["x"; 1001]})] {
        app.api(&project.key, "PATCH", TAGS, Some(body)).await.expect(400);
    }
    let many: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    app.api(&project.key, "PATCH", TAGS, Some(json!({"add": many}))).await.expect(200);
    app.api(&project.key, "PATCH", TAGS, Some(json!({"add": ["one more"]}))).await.expect(400);
}

#[tokio::test]
async fn a_deleted_run_comes_back_with_all_that_it_had() {
    let (app, project) = project_with_a_run().await;
    app.api(&project.key, "POST", NOTES, Some(json!({"text": "kept"}))).await.expect(200);
    let id = run(&app, &project).await["id"].as_str().unwrap().to_owned();
    for name in ["exp001", id.as_str()] {
        app.api(&project.key, "DELETE", "/v1/runs/exp001", None).await.expect(200);
        app.api(&project.key, "POST", NOTES, Some(json!({"text": "too late"}))).await.expect(404);
        app.api(&project.key, "PATCH", TAGS, Some(json!({"add": ["late"]}))).await.expect(404);
        let restored = app.api(&project.key, "POST", &format!("/v1/runs/{name}/restore"), None).await.expect(200);
        assert_eq!(restored.json()["run"]["experiment_id"], "exp001");
        assert_eq!(run(&app, &project).await["notes"][0]["text"], "kept");
    }
    assert_eq!(audit_events(&app, "run.restored").await, 2);
}

#[tokio::test]
async fn restoring_a_run_that_is_there_changes_nothing() {
    let (app, project) = project_with_a_run().await;
    let before = run(&app, &project).await;
    app.api(&project.key, "POST", "/v1/runs/exp001/restore", None).await.expect(200);
    assert_eq!(run(&app, &project).await, before);
    assert_eq!(audit_events(&app, "run.restored").await, 0);
    app.api(&project.key, "POST", "/v1/runs/exp002/restore", None).await.expect(404);
}
