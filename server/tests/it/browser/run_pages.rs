//! The pages of a run, as they are read and written on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};

use super::{Browser, site};

async fn with_runs() -> (TestServer, TestProject, Browser) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    for intent in ["first", "second"] {
        server.app.run(&project.key, intent).await;
    }
    let browser = Browser::open(1440, 900, false).await;
    browser.visit(&format!("{}/signin", site(&server))).await;
    browser.be(&project.cookie).await;
    (server, project, browser)
}

#[tokio::test]
async fn a_note_that_is_being_written_outlives_the_page_and_the_session() {
    let (server, project, browser) = with_runs().await;
    let notes = "/projects/wake-word/runs/exp001/notes";
    browser.visit(&format!("{}{notes}", site(&server))).await;
    browser.fill("#note-text", "Typed for an hour, see exp002. #insight").await;
    browser.visit(&format!("{}/projects/wake-word/runs", site(&server))).await;
    browser.visit(&format!("{}{notes}", site(&server))).await;
    let kept = "return document.getElementById('note-text').value.startsWith('Typed for an hour')";
    browser.wait_for("the draft", kept, &[]).await;

    browser.driver.delete_all_cookies().await.unwrap();
    browser.press_button("Add note").await;
    browser.shows(&["You were signed out", "nothing of it is lost"]).await;
    browser.wait_for("what was typed", kept, &[]).await;
    browser.be(&project.cookie).await;
    browser.press_button("Add note").await;
    browser.wait_for_path(notes).await;
    browser.find("article.said a[href$='/runs/exp002']").await;
    browser.wait_for("an empty form", "return document.getElementById('note-text').value === ''", &[]).await;
    browser.expect_no_problems(notes).await;
}

#[tokio::test]
async fn a_note_stays_where_it_is_typed_while_the_run_goes_on() {
    let (server, project, browser) = with_runs().await;
    browser.visit(&format!("{}/projects/wake-word/runs/exp001", site(&server))).await;
    browser.fill("#note-text", "half a sent").await;
    let running = json!({"status": "running"});
    server.app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(running)).await.expect(200);
    browser.find(".rh .st.running").await;
    let (text, has_focus): (String, bool) = browser
        .script(
            "const field = document.getElementById('note-text'); return [field.value, field === document.activeElement]",
            Vec::new(),
        )
        .await;
    assert_eq!((text.as_str(), has_focus), ("half a sent", true));
}

#[tokio::test]
async fn keys_lead_to_the_next_runs_and_to_the_tabs() {
    let (server, _project, browser) = with_runs().await;
    browser.visit(&format!("{}/projects/wake-word/runs/exp001", site(&server))).await;
    for (key, path) in
        [("[", "runs/exp002"), ("]", "runs/exp001"), ("3", "runs/exp001/artifacts"), ("1", "runs/exp001")]
    {
        browser.driver.action_chain().send_keys(key).perform().await.unwrap();
        browser.wait_for_path(&format!("/projects/wake-word/{path}")).await;
    }
    // In a field they are letters.
    browser.fill("#note-text", "[").await;
    browser.wait_for("a letter", "return document.getElementById('note-text').value === '['", &[]).await;
}

#[tokio::test]
async fn a_page_and_a_drawing_that_somebody_kept_are_shown_and_run_nothing() {
    let (server, project, browser) = with_runs().await;
    let page = "<body><h1>A plot</h1><script>parent.__hit = 1; top.__hit = 1</script><img src=x onerror='top.__hit = 2'>\
        <meta http-equiv=refresh content='0;url=/projects/new'><form action=/signout method=post><button>Go</button></form>";
    let drawing = "<svg xmlns='http://www.w3.org/2000/svg' onload='top.__hit = 3'><script>top.__hit = 4</script></svg>";
    let file = |path: &str, text: &str| json!({"original_path": path, "content_base64": STANDARD.encode(text)});
    let details = json!({"artifacts": [file("plot.html", page), file("plot.svg", drawing)]});
    server.app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    let listed = server.get_json(&project.key, "/v1/runs/exp001/artifacts").await;
    for artifact in listed["artifacts"].as_array().unwrap() {
        let path = format!("/projects/wake-word/runs/exp001/artifacts/{}", artifact["id"].as_str().unwrap());
        browser.visit(&format!("{}{path}", site(&server))).await;
        browser.find("iframe[sandbox='']").await;
        let loaded =
            "return performance.getEntriesByType('resource').some((entry) => entry.name.endsWith('?rendered'))";
        browser.wait_for("the frame", loaded, &[]).await;
        let hit: Value = browser.script("return window.__hit ?? null", Vec::new()).await;
        let frame: Value = browser.script("return document.querySelector('iframe').contentDocument", Vec::new()).await;
        assert!(hit.is_null() && frame.is_null(), "{path}: {hit} {frame}");
        browser.expect_no_problems(&path).await;
        // Opened by its own address it is in the same sandbox.
        browser.visit(&format!("{}{path}/raw?rendered", site(&server))).await;
        let origin: Value = browser.script("return [window.__hit ?? null, self.origin]", Vec::new()).await;
        assert_eq!(origin, json!([null, "null"]));
    }
}
