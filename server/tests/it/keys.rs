//! Project API keys.

use otrace_server::testing::TestApp;
use time::Duration;

fn key_in(page: &str) -> String {
    let start = page.find("trc_").unwrap();
    page[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

#[tokio::test]
async fn a_key_is_shown_once_and_opens_its_project() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let keys = format!("/projects/{}/keys", project.slug);
    let page = app.post(&project.cookie, &keys, &[("name", "mira-ws")]).await.expect(200);
    assert_eq!(page.header("cache-control"), "no-store");
    let key = key_in(&page.text());
    assert_eq!(key.len(), 42, "{key}");

    let whoami = app.api(&key, "GET", "/v1/auth/whoami", None).await.expect(200).json();
    assert_eq!(whoami["ok"], true);
    assert_eq!(whoami["account"]["email"], project.email);
    assert_eq!(whoami["project"]["id"], project.id.to_string());
    assert_eq!(whoami["project"]["name"], "wake-word");
    assert_eq!(whoami["api_key"]["prefix"], key[..8]);

    let list = app.get(&project.cookie, &keys).await.expect(200).text();
    assert!(list.contains("mira-ws") && list.contains(&key[..8]) && !list.contains(&key));
}

#[tokio::test]
async fn the_database_holds_no_key() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let stored: String =
        sqlx::query_scalar("SELECT string_agg(k::text, ' ') FROM api_keys k").fetch_one(&app.app.pool).await.unwrap();
    assert!(stored.contains(&project.key[..8]) && !stored.contains(&project.key[8..]));
}

#[tokio::test]
async fn a_revoked_key_is_refused_from_the_next_request_on() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.api(&project.key, "GET", "/v1/runs", None).await.expect(200);
    let revoke = format!("/projects/{}/keys/{}/revoke", project.slug, project.key_id);
    app.post(&project.cookie, &revoke, &[]).await.expect(303);
    let refused = app.api(&project.key, "GET", "/v1/runs", None).await.expect(401).json();
    assert_eq!((refused["ok"].as_bool(), refused["code"].as_str()), (Some(false), Some("unauthorized")));
    assert!(refused["error"].as_str().unwrap().contains("Keys page"), "{refused}");
    // Once more changes nothing.
    app.post(&project.cookie, &revoke, &[]).await.expect(303);
}

#[tokio::test]
async fn junk_unknown_and_revoked_keys_get_the_same_answer() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let unknown = otrace_server::domain::api_key::generate().unwrap();
    let other_end = if project.key.ends_with('x') { 'y' } else { 'x' };
    let mistyped = format!("{}{other_end}", &project.key[..41]);
    let junk = app.api("trc_junk", "GET", "/v1/runs", None).await.expect(401);
    for key in [unknown.as_str(), mistyped.as_str(), "sk-123", "trc_"] {
        assert_eq!(app.api(key, "GET", "/v1/runs", None).await.expect(401).body, junk.body, "{key}");
    }
}

#[tokio::test]
async fn a_key_never_reaches_another_project() {
    let app = TestApp::new().await;
    let mine = app.project("mine").await;
    let theirs = app.project("theirs").await;
    let run = app.run(&theirs.key, "secret intent").await;
    let id = run["id"].as_str().unwrap();
    for path in [format!("/v1/runs/{id}"), format!("/v1/runs/{id}/artifacts"), "/v1/runs/exp001".to_owned()] {
        let answer = app.api(&mine.key, "GET", &path, None).await.expect(404).json();
        assert_eq!(answer["error"], "Run not found");
    }
    app.api(&mine.key, "DELETE", &format!("/v1/runs/{id}"), None).await.expect(404);
    assert_eq!(app.api(&mine.key, "DELETE", "/v1/runs", None).await.expect(200).json()["deleted"], 0);
    assert_eq!(app.api(&theirs.key, "GET", "/v1/runs/count", None).await.expect(200).json()["count"], 1);
}

#[tokio::test]
async fn the_last_use_of_a_key_is_written_down_to_the_minute() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let last_used = async || {
        sqlx::query_scalar::<_, Option<time::OffsetDateTime>>("SELECT last_used_at FROM api_keys WHERE id = $1")
            .bind(project.key_id)
            .fetch_one(&app.app.pool)
            .await
            .unwrap()
    };
    assert_eq!(last_used().await, None);
    let first = app.app.clock.now();
    app.api(&project.key, "GET", "/v1/runs/count", None).await.expect(200);
    assert_eq!(last_used().await, Some(first));
    app.app.clock.advance(Duration::seconds(30));
    app.api(&project.key, "GET", "/v1/runs/count", None).await.expect(200);
    assert_eq!(last_used().await, Some(first));
    app.app.clock.advance(Duration::seconds(31));
    app.api(&project.key, "GET", "/v1/runs/count", None).await.expect(200);
    assert_eq!(last_used().await, Some(app.app.clock.now()));
}

#[tokio::test]
async fn an_expired_key_is_refused() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    sqlx::query("UPDATE api_keys SET expires_at = $1")
        .bind(app.app.clock.now() + Duration::hours(1))
        .execute(&app.app.pool)
        .await
        .unwrap();
    app.api(&project.key, "GET", "/v1/runs/count", None).await.expect(200);
    app.app.clock.advance(Duration::hours(1));
    app.api(&project.key, "GET", "/v1/runs/count", None).await.expect(401);
}
