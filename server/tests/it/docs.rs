//! The documentation: pages for everybody, made of the texts of the repository.

use otrace_server::testing::TestApp;

#[tokio::test]
async fn everybody_reads_the_documentation_and_gets_from_each_page_to_all_others() {
    let app = TestApp::new().await;
    let first = app.get("", "/docs").await.expect(200).text();
    let links: Vec<&str> = first.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let pages: Vec<&str> = links.into_iter().filter(|link| link.starts_with("/docs") && !link.contains('#')).collect();
    for name in ["cli", "api", "api-reference", "agents", "security", "operations"] {
        assert!(pages.contains(&format!("/docs/{name}").as_str()), "{name}");
    }
    for path in pages {
        let page = app.get("", path).await.expect(200).text();
        assert!(page.contains(&format!("<a href=\"{path}\" aria-current=\"page\">")), "{path} shows where one is");
        assert_eq!(page.matches("<h1").count(), 1, "{path}");
    }
    app.get("", "/docs/nothing").await.expect(404);
}

#[tokio::test]
async fn the_reference_shows_what_the_api_takes() {
    let app = TestApp::new().await;
    let page = app.get("", "/docs/api-reference").await.expect(200).text();
    for shown in [
        "id=\"create_run\"",
        "<span class=\"mono\">/v1/runs/{run}/details</span>",
        "href=\"#shape-CreateRun\"",
        "id=\"shape-CreateRun\"",
        "Who may ask: a key that may write, or the run&#39;s token.",
        "Why the command is run.",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[tokio::test]
async fn a_page_that_does_not_exist_and_one_that_can_not_be_looked_at_say_what_to_do() {
    let app = TestApp::new().await;
    let nothing = app.get("", "/nothing/here").await.expect(404).text();
    assert!(nothing.contains("<h1>Not found</h1>") && nothing.contains("href=\"/signin\""));
    let only_posted = app.get("", "/signout").await.expect(405);
    assert!(only_posted.text().contains("<h1>That did not work</h1>"), "{}", only_posted.text());
    assert_eq!(only_posted.header("allow"), "POST");
}
