//! Views of the list that members keep under names.

use otrace_server::domain::Role;
use otrace_server::testing::{TestApp, TestProject};

const VIEWS: &str = "/projects/wake-word/views";

async fn world() -> (TestApp, TestProject, String) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let viewer = app.account("viewer@example.org").await;
    app.join(&project, "viewer@example.org", Role::Viewer).await;
    (app, project, viewer)
}

async fn list(app: &TestApp, cookie: &str) -> String {
    app.get(cookie, "/projects/wake-word/runs").await.expect(200).text()
}

/// Where the first view that the reader may delete is deleted.
fn delete_url(page: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("action=\"{VIEWS}/"))?;
    Some(format!("{VIEWS}/{}", rest.split('"').next()?))
}

#[tokio::test]
async fn a_view_is_its_makers_alone_unless_it_is_for_all() {
    let (app, project, viewer) = world().await;
    let parameters = "q=tag%3Abaseline&sort=-metrics.accuracy";
    let own = [("name", "Mine"), ("parameters", parameters)];
    let saved = app.post(&project.cookie, VIEWS, &own).await.expect(303);
    assert_eq!(saved.header("location"), format!("/projects/wake-word/runs?{parameters}"));
    let shared = [("name", "Ours"), ("parameters", "group=branch"), ("shared", "1")];
    app.post(&project.cookie, VIEWS, &shared).await.expect(303);

    let page = list(&app, &project.cookie).await;
    assert!(page.contains(">Mine<") && page.contains(">Ours<"), "{page}");
    assert!(page.contains("/runs?q=tag%3Abaseline&#38;sort=-metrics.accuracy\""), "{page}");
    let others = list(&app, &viewer).await;
    assert!(!others.contains(">Mine<") && others.contains(">Ours<") && delete_url(&others).is_none(), "{others}");
    let foreign = app.project("Another").await;
    assert!(!app.get(&foreign.cookie, "/projects/another/runs").await.text().contains(">Ours<"));
}

#[tokio::test]
async fn saving_again_under_a_name_replaces_what_was_there() {
    let (app, project, _) = world().await;
    for q in ["q=first", "q=second"] {
        app.post(&project.cookie, VIEWS, &[("name", " Mine "), ("parameters", q)]).await.expect(303);
    }
    let page = list(&app, &project.cookie).await;
    assert_eq!(page.matches(">Mine<").count(), 1);
    assert!(page.contains("/runs?q=second\"") && !page.contains("/runs?q=first\""), "{page}");
}

#[tokio::test]
async fn what_is_kept_is_an_address_of_the_list_and_nothing_else() {
    let (app, project, _) = world().await;
    let hostile = "//evil.example/?q=a&next=https://evil.example&sort=x&col=host&q=%22%3E%3Cscript%3E";
    let saved = app.post(&project.cookie, VIEWS, &[("name", "\"><script>"), ("parameters", hostile)]).await.expect(303);
    assert_eq!(saved.header("location"), "/projects/wake-word/runs?q=%22%3E%3Cscript%3E");
    let page = list(&app, &project.cookie).await;
    assert!(!page.contains("<script>") && !page.contains("evil.example"), "{page}");
}

#[tokio::test]
async fn a_view_without_a_name_comes_back_with_the_list_that_it_was_made_of() {
    let (app, project, viewer) = world().await;
    app.run(&project.key, "one").await;
    let page =
        app.post(&project.cookie, VIEWS, &[("name", " "), ("parameters", "group=status")]).await.expect(422).text();
    assert!(page.contains("Enter a name.") && page.contains("aria-describedby=\"view-says\""), "{page}");
    assert!(page.contains("<b>created</b>") && page.contains("id=\"run-exp001\""), "{page}");
    let long = "n".repeat(101);
    app.post(&project.cookie, VIEWS, &[("name", long.as_str())]).await.expect(422);
    app.post(&viewer, VIEWS, &[("name", "For all"), ("shared", "1")]).await.expect(403);
    assert!(!list(&app, &project.cookie).await.contains("For all<"));
}

#[tokio::test]
async fn a_view_is_deleted_by_its_maker_and_a_shared_one_by_an_owner_too() {
    let (app, project, viewer) = world().await;
    let editor = app.account("editor@example.org").await;
    app.join(&project, "editor@example.org", Role::Editor).await;
    app.post(&editor, VIEWS, &[("name", "Shared"), ("parameters", "q=a"), ("shared", "1")]).await.expect(303);
    app.post(&viewer, VIEWS, &[("name", "Private"), ("parameters", "q=b")]).await.expect(303);
    let private = delete_url(&list(&app, &viewer).await).unwrap();
    app.post(&project.cookie, &private, &[]).await.expect(404);
    let shared = delete_url(&list(&app, &project.cookie).await).unwrap();
    app.post(&viewer, &shared, &[]).await.expect(404);
    app.post(&project.cookie, &shared, &[]).await.expect(303);
    app.post(&project.cookie, &shared, &[]).await.expect(404);
    app.post(&viewer, &private, &[]).await.expect(303);
    assert!(!list(&app, &viewer).await.contains("Private<"));
}
