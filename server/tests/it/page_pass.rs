//! Page passes: whoever holds a project's key reads its pages, and nothing else.

use axum::body::Body;
use axum::http::Request;
use otrace_server::domain::{AccountId, ApiKeyId, ArtifactId, ProjectId, RunId};
use otrace_server::testing::{TestApp, TestProject, TestResponse};
use serde_json::Value;
use time::Duration;

async fn pass(app: &TestApp, project: &TestProject) -> Value {
    app.api(&project.key, "POST", "/v1/page-passes", None).await.expect(200).json()
}

fn secret(pass: &Value) -> &str {
    pass["page_pass"].as_str().unwrap()
}

/// Opens a page with a pass, as `otrace ui` does.
async fn open(app: &TestApp, pass: &str, path: &str) -> TestResponse {
    app.api(pass, "GET", path, None).await
}

#[tokio::test]
async fn a_pass_reads_the_pages_of_its_project_as_a_viewer_of_no_account() {
    let app = TestApp::new().await;
    // The first account runs the server; its key does not.
    let project = app.project("wake-word").await;
    app.run(&project.key, "Does it hear me?").await;
    let made = pass(&app, &project).await;
    assert_eq!((made["project"]["slug"].as_str(), &made["expires_in_seconds"]), (Some("wake-word"), &900.into()));
    let list = open(&app, secret(&made), "/projects/wake-word/runs").await.expect(200).text();
    assert!(list.contains("Does it hear me?"), "{list}");
    for own in ["/signout", "/account\"", "/admin", "/projects/wake-word/members"] {
        assert!(!list.contains(own), "{own} in {list}");
    }
    open(&app, secret(&made), "/projects/wake-word/runs/exp001").await.expect(200);
    let first = open(&app, secret(&made), "/projects/wake-word").await.expect(303);
    assert_eq!(first.header("location"), "/projects/wake-word/runs");
}

#[tokio::test]
async fn a_pass_opens_no_other_project_no_settings_no_account_and_no_api() {
    let app = TestApp::new().await;
    let (mine, other) = (app.project("mine").await, app.project("other").await);
    let made = pass(&app, &mine).await;
    let pass = secret(&made);
    open(&app, pass, "/projects/other/runs").await.expect(404);
    open(&app, pass, "/projects/never-was/runs").await.expect(404);
    for closed in ["/projects/mine/members", "/projects/mine/keys", "/projects/mine/audit", "/account", "/admin"] {
        let answer = open(&app, pass, closed).await.expect(303);
        assert!(answer.header("location").starts_with("/signin?"), "{closed}: {}", answer.header("location"));
    }
    app.api(pass, "POST", "/projects/mine/keys", None).await.expect(401);
    app.api(pass, "GET", "/v1/runs", None).await.expect(401);
    app.api(pass, "POST", "/v1/page-passes", None).await.expect(401);
    app.api(&other.key, "GET", "/projects/other/runs", None).await.expect(303);
}

#[tokio::test]
async fn a_pass_ends_with_its_key_or_after_a_quarter_of_an_hour() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let made = pass(&app, &project).await;
    app.app.clock.advance(Duration::minutes(14));
    open(&app, secret(&made), "/projects/wake-word/runs").await.expect(200);
    app.app.clock.advance(Duration::minutes(2));
    open(&app, secret(&made), "/projects/wake-word/runs").await.expect(303);

    let made = pass(&app, &project).await;
    open(&app, secret(&made), "/projects/wake-word/runs").await.expect(200);
    let cookie = app.session(&project.email).await;
    app.post(&cookie, &format!("/projects/wake-word/keys/{}/revoke", project.key_id), &[]).await.expect(303);
    open(&app, secret(&made), "/projects/wake-word/runs").await.expect(303);
    app.api(&project.key, "POST", "/v1/page-passes", None).await.expect(401);
}

#[tokio::test]
async fn no_other_token_of_the_server_is_a_pass_and_a_pass_is_no_other_token() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let (tokens, now) = (&app.app.tokens, app.app.clock.now());
    let (id, key) = (ProjectId(project.id), ApiKeyId(project.key_id));
    let others = [
        tokens.run_token(RunId::new(), id, key, now).unwrap(),
        tokens.download_ticket(ArtifactId::new(), id, now).unwrap(),
        tokens.known_browser(AccountId::new(), now).unwrap(),
    ];
    for other in others {
        open(&app, &other, "/projects/wake-word/runs").await.expect(303);
    }
    let made = pass(&app, &project).await;
    let pass = secret(&made);
    assert_eq!(tokens.check_run_token(pass, now), None);
    assert_eq!(tokens.check_download_ticket(pass, now), None);
    assert_eq!(tokens.check_known_browser(pass, now), None);
}

#[tokio::test]
async fn a_pass_hears_what_happens_now() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let made = pass(&app, &project).await;
    let request = Request::get("/projects/wake-word/live").header("authorization", format!("Bearer {}", secret(&made)));
    assert_eq!(app.status_only(request.body(Body::empty()).unwrap()).await, 200);
}
