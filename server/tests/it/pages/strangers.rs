//! Whose pages they are, and the addresses that lead to them.

use otrace_server::testing::TestApp;
use time::Duration;

use super::{artifacts, project_pages, with_run};

#[tokio::test]
async fn to_a_stranger_a_project_is_not_there() {
    let (app, project) = with_run().await;
    let stranger = app.account("eve@example.org").await;
    let mut pages = project_pages(&app, &project).await;
    let base = format!("/projects/{}", project.slug);
    let artifact = &artifacts(&app, &project, "exp001").await[0];
    pages.extend(["", "/live", "/runs/exp999"].map(|page| format!("{base}{page}")));
    pages.extend(
        [
            "logs/0/raw".to_owned(),
            "logs/lines".to_owned(),
            format!("artifacts/{artifact}/raw"),
            "code/0/raw".to_owned(),
        ]
        .map(|file| format!("{base}/runs/exp001/{file}")),
    );
    let never_was = app.get(&stranger, "/projects/never-was/runs").await.expect(404).text();
    for page in &pages {
        let refused = app.get(&stranger, page).await.expect(404).text();
        // The same answer as for a project that never was, but for the way back here.
        let escaped = page.replace('&', "&#38;");
        assert_eq!(refused.replace(&escaped, "/projects/never-was/runs"), never_was, "{page}");
    }
    for form in ["/keys".to_owned(), format!("/keys/{}/revoke", project.key_id)] {
        app.post(&stranger, &format!("{base}{form}"), &[("name", "mine now")]).await.expect(404);
    }
    app.api(&project.key, "GET", "/v1/runs/count", None).await.expect(200);
}

#[tokio::test]
async fn who_is_not_signed_in_is_led_to_the_sign_in_and_back() {
    let (app, project) = with_run().await;
    for page in project_pages(&app, &project).await {
        let answer = app.get("", &page).await.expect(303);
        let next: String = url::form_urlencoded::byte_serialize(page.as_bytes()).collect();
        assert_eq!(answer.header("location"), format!("/signin?next={next}"), "{page}");
        assert!(!answer.text().contains("Distilled"), "{page}");
    }
}

#[tokio::test]
async fn the_current_project_is_the_one_that_was_opened_last() {
    let app = TestApp::new().await;
    let cookie = app.account("ada@example.org").await;
    let current = async |path: &str| app.get(&cookie, path).await.expect(303).header("location").to_owned();
    assert_eq!(current("/projects/current/runs").await, "/projects/new");
    for name in ["Alpha", "Beta"] {
        app.app.clock.advance(Duration::minutes(1));
        app.post(&cookie, "/projects", &[("name", name)]).await.expect(200);
    }
    assert_eq!(current("/projects/current/runs").await, "/projects/beta/runs");
    app.app.clock.advance(Duration::minutes(1));
    app.get(&cookie, "/projects/alpha/runs").await.expect(200);
    assert_eq!(current("/projects/current/runs").await, "/projects/alpha/runs");
    assert_eq!(current("/projects/current/runs/exp001/logs").await, "/projects/alpha/runs/exp001/logs");
    assert_eq!(current("/projects/current").await, "/projects/alpha");
    assert_eq!(current("/projects/alpha").await, "/projects/alpha/runs");
    assert_eq!(current("/dashboard").await, "/");
    assert_eq!(current("/projects").await, "/");
}

#[tokio::test]
async fn projects_of_one_name_have_different_addresses() {
    let app = TestApp::new().await;
    let slugs = [
        app.project("Wake word").await.slug,
        app.project("wake-word!").await.slug,
        app.project("Wake Word").await.slug,
    ];
    assert_eq!(slugs, ["wake-word", "wake-word-2", "wake-word-3"]);
    for (name, slug) in
        [("Current", "current-project"), ("new", "new-project"), ("研究", "project"), ("../..", "project-2")]
    {
        assert_eq!(app.project(name).await.slug, slug, "{name}");
    }
}

#[tokio::test]
async fn the_list_of_projects_shows_ones_own_and_no_others() {
    let (app, project) = with_run().await;
    app.project("Somebody else's").await;
    let page = app.get(&project.cookie, "/").await.expect(200).text();
    for text in ["Wake word", "1 run", "exp001", "Distilled, 12 KB", "accuracy", "0.97", "1 project"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("Somebody"), "{page}");
    let landing = app.get("", "/").await.expect(200).text();
    assert!(landing.contains("The lab notebook that writes itself") && !landing.contains("Wake word"), "{landing}");
}
