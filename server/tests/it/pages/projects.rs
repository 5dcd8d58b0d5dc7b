//! The list of projects, what goes on in all of them, and projects that are deleted and come back.

use otrace_server::domain::Role;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};
use time::Duration;

use super::text_of;

/// A run with these results, as it stands at the end.
async fn record(app: &TestApp, project: &TestProject, title: &str, results: Value, status: &str) {
    let body = json!({"title": title, "intent": "compare", "setup": "as before", "command": "true"});
    let run = app.api(&project.key, "POST", "/v1/runs", Some(body)).await.expect(200).json();
    let path = format!("/v1/runs/{}", run["run"]["experiment_id"].as_str().unwrap());
    app.api(&project.key, "PUT", &format!("{path}/details"), Some(json!({"results": results}))).await.expect(200);
    app.api(&project.key, "PATCH", &path, Some(json!({"status": status}))).await.expect(200);
}

async fn delete(app: &TestApp, project: &TestProject) {
    let path = format!("/projects/{}/delete", project.slug);
    let answer = app.post(&project.cookie, &path, &[("name", project.name.as_str())]).await.expect(303);
    assert_eq!(answer.header("location"), "/projects?deleted=1");
}

#[tokio::test]
async fn the_list_tells_of_each_project_and_of_all_together() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let empty = app.project("Nothing yet").await;
    app.join(&empty, &project.email, Role::Viewer).await;
    record(&app, &project, "First", json!([{"name": "loss", "value": 0.5}]), "completed").await;
    record(&app, &project, "Second", json!([{"name": "loss", "value": 0.25}]), "failed").await;
    record(&app, &project, "Third", json!([]), "running").await;
    let note = json!({"text": "Soft targets carry **the structure**. #insight"});
    app.api(&project.key, "POST", "/v1/runs/exp002/notes", Some(note)).await.expect(200);
    let hidden = app.project("Somebody else's").await;
    record(&app, &hidden, "Secret run", json!([]), "running").await;

    let page = text_of(&app.get(&project.cookie, "/").await.expect(200));
    for wanted in [
        "<h2><a href=\"/projects/wake-word/runs\">Wake word</a></h2>",
        "<h2><a href=\"/projects/nothing-yet/runs\">Nothing yet</a></h2>",
        "No runs yet",
        "<span class=\"dim\">loss</span> <b class=\"num\">0.25</b>",
        "3 runs, <span class=\"st running\">1 running</span>",
        "href=\"/projects/wake-word/runs/exp003\">Third</a>",
        "<p>Soft targets carry the structure.</p>",
        "2 projects, 1 run is running now",
    ] {
        assert!(page.contains(wanted), "{wanted}\n{page}");
    }
    assert!(!page.contains("Secret run") && !page.contains("Somebody"), "{page}");
}

#[tokio::test]
async fn a_deleted_project_is_nowhere_and_its_keys_stop_at_once() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let viewer = app.account("viewer@example.org").await;
    app.join(&project, "viewer@example.org", Role::Viewer).await;
    app.run(&project.key, "kept").await;
    delete(&app, &project).await;

    app.api(&project.key, "GET", "/v1/runs/count", None).await.expect(401);
    for cookie in [&project.cookie, &viewer] {
        for page in ["runs", "runs/exp001", "members", "keys", "live"] {
            app.get(cookie, &format!("/projects/wake-word/{page}")).await.expect(404);
        }
        assert!(!app.get(cookie, "/").await.expect(200).text().contains("<h2><a href=\"/projects/wake-word"));
        assert!(!app.get(cookie, "/search?q=kept").await.expect(200).text().contains("exp001"));
    }
    // Only its owners know that it can come back.
    assert!(app.get(&project.cookie, "/projects?deleted=1").await.expect(200).text().contains("Wake word"));
    assert!(!app.get(&viewer, "/projects?deleted=1").await.expect(200).text().contains("Wake word"));
    app.post(&viewer, "/projects/wake-word/restore", &[]).await.expect(404);
}

#[tokio::test]
async fn a_runs_token_writes_nothing_into_a_deleted_project() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let body = json!({"intent": "long", "setup": "as before", "command": "true"});
    let created = app.api(&project.key, "POST", "/v1/runs", Some(body)).await.expect(200).json();
    let token = created["run_token"].as_str().unwrap().to_owned();
    let started = || Some(json!({"status": "running"}));
    app.api(&token, "PATCH", "/v1/runs/exp001", started()).await.expect(200);
    delete(&app, &project).await;
    app.api(&token, "PATCH", "/v1/runs/exp001", started()).await.expect(404);
    app.post(&project.cookie, "/projects/wake-word/restore", &[]).await.expect(303);
    app.api(&token, "PATCH", "/v1/runs/exp001", started()).await.expect(200);
}

#[tokio::test]
async fn a_project_comes_back_as_it_was_within_thirty_days_and_not_after() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    app.run(&project.key, "kept").await;
    delete(&app, &project).await;
    app.app.clock.advance(Duration::days(29));
    let cookie = app.session(&project.email).await;
    let back = app.post(&cookie, "/projects/wake-word/restore", &[]).await.expect(303);
    assert_eq!(back.header("location"), "/projects/wake-word/runs");
    assert!(app.get(&cookie, "/projects/wake-word/runs").await.expect(200).text().contains("run-exp001"));
    app.api(&project.key, "GET", "/v1/runs/count", None).await.expect(200);
    app.post(&cookie, "/projects/wake-word/restore", &[]).await.expect(404);

    let project = TestProject { cookie, ..project };
    delete(&app, &project).await;
    app.app.clock.advance(Duration::days(31));
    let cookie = app.session(&project.email).await;
    app.post(&cookie, "/projects/wake-word/restore", &[]).await.expect(404);
    assert!(app.get(&cookie, "/projects?deleted=1").await.expect(200).text().contains("Nothing was deleted"));
}

#[tokio::test]
async fn a_project_is_not_deleted_by_a_slip() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for typed in ["", "wake", "Wake Word"] {
        let page = app.post(&project.cookie, "/projects/wake-word/delete", &[("name", typed)]).await.expect(422).text();
        assert!(page.contains("id=\"delete-says\">Type the project&#39;s name"), "{page}");
    }
    app.get(&project.cookie, "/projects/wake-word/runs").await.expect(200);
}
