//! Jumping with the keyboard, and a project that is deleted and brought back.

use otrace_server::testing::TestServer;
use serde_json::json;
use thirtyfour::prelude::Key;

use super::{Browser, site};

async fn type_keys(browser: &Browser, keys: &str) {
    browser.driver.action_chain().send_keys(keys).perform().await.unwrap();
}

#[tokio::test]
async fn a_run_is_reached_from_anywhere_without_a_mouse() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    for intent in ["a first one", "distilled with a teacher"] {
        server.app.run(&project.key, intent).await;
    }
    let site = site(&server);
    let browser = Browser::open(1440, 900, false).await;
    browser.visit(&format!("{site}/signin")).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{site}/account")).await;

    browser.driver.action_chain().key_down(Key::Control).send_keys("k").key_up(Key::Control).perform().await.unwrap();
    let is_open =
        "return document.querySelector('dialog.leap[open]') !== null && document.activeElement.role === 'combobox'";
    browser.wait_for("the dialog", is_open, &[]).await;
    type_keys(&browser, "distil").await;
    let found = "return [...document.querySelectorAll('.leap [role=option]')].map((hit) => hit.firstChild.textContent).join() === arguments[0]";
    browser.wait_for("the run", found, &[json!("exp002")]).await;
    browser.key(Key::Enter).await;
    browser.wait_for_path("/projects/wake-word/runs/exp002").await;

    type_keys(&browser, "gr").await;
    browser.wait_for_path("/projects/wake-word/runs").await;
    type_keys(&browser, "gl").await;
    browser.wait_for_path("/projects/wake-word/lineage").await;
    type_keys(&browser, "?").await;
    browser.wait_for("the keys", "return document.querySelector('dialog[open] dl') !== null", &[]).await;
    browser.key(Key::Escape).await;
    browser.wait_for("no dialog", "return document.querySelector('dialog[open]') === null", &[]).await;
    type_keys(&browser, "gp").await;
    browser.wait_for_path("/").await;
    browser.expect_no_problems("the projects").await;
}

#[tokio::test]
async fn a_deleted_project_is_brought_back() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    server.app.run(&project.key, "kept").await;
    let site = site(&server);
    let browser = Browser::open(390, 844, true).await;
    browser.visit(&format!("{site}/signin")).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{site}/projects/wake-word/settings")).await;
    browser.fill("#delete", "wake-word").await;
    browser.press_button("Delete the project").await;
    browser.shows(&["Deleted projects", "wake-word", "1 run"]).await;
    browser.press_button("Bring back wake-word").await;
    browser.wait_for_path("/projects/wake-word/runs").await;
    browser.shows(&["exp001"]).await;
    browser.expect_no_problems("the runs").await;
}
