//! The pages without a mouse.

use otrace_server::testing::TestServer;
use thirtyfour::prelude::Key;

use super::{Browser, site};

/// What pastes, together with V.
const COMMAND: Key = if cfg!(target_os = "macos") { Key::Meta } else { Key::Control };

#[tokio::test]
async fn the_first_tab_leads_past_the_bar_and_a_key_is_copied_by_one_key_press() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let (site, base) = (site(&server), format!("/projects/{}", project.slug));
    let browser = Browser::open(1440, 900, false).await;
    browser.visit(&format!("{site}/signin")).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{site}{base}/keys")).await;

    browser.key(Key::Tab).await;
    let focused: String = browser.script("return document.activeElement.textContent", Vec::new()).await;
    assert_eq!(focused, "Skip to content");
    let is_seen = "const box = document.activeElement.getBoundingClientRect(); return box.left >= 0 && box.top >= 0 && box.width > 0";
    browser.wait_for("the skip link on screen", is_seen, &[]).await;
    browser.key(Key::Enter).await;
    browser.key(Key::Tab).await;
    let is_inside: bool = browser.script("return document.activeElement.closest('main') !== null", Vec::new()).await;
    assert!(is_inside, "the skip link leads into the content");

    browser.fill("#name", "gpu-node-04").await;
    browser.key(Key::Enter).await;
    browser.shows(&["Shown once"]).await;
    let key = browser.text("#key").await;
    assert_eq!(copy(&browser, &site, "Copy key").await, key);

    // Of a command, the prompt is no part.
    browser.visit(&format!("{site}{base}/connect")).await;
    let commands = copy(&browser, &site, "Copy commands").await;
    assert!(commands.starts_with("export TRACE_API_URL=") && commands.ends_with("otrace whoami"), "{commands:?}");
    assert!(!commands.contains('$'), "{commands:?}");
}

/// Presses a copy button and returns what can be pasted then. A page itself may not read the clipboard.
pub(super) async fn copy(browser: &Browser, site: &str, label: &str) -> String {
    let button = browser.find(&format!("button[aria-label='{label}']")).await;
    button.send_keys(Key::Enter).await.unwrap();
    browser.wait_for("the word Copied", "return document.getElementById('toast').textContent === 'Copied'", &[]).await;
    browser.expect_no_problems(label).await;
    browser.visit(&format!("{site}/projects/new")).await;
    let field = browser.find("#description").await;
    field.send_keys(COMMAND + "v").await.unwrap();
    field.prop("value").await.unwrap().unwrap_or_default()
}
