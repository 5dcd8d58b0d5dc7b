//! The list of runs as people use it: with the keyboard, with completion, while runs arrive, and without scripts.

use otrace_server::testing::TestServer;
use serde_json::{Value, json};
use thirtyfour::prelude::Key;

use super::demo::Demo;
use super::{Browser, site};

/// The runs that are shown, in their order.
const ROWS: &str = "return [...document.querySelectorAll('.runs tr[id]')].map((row) => row.id.slice(4))";

async fn type_key(browser: &Browser, key: &str) {
    browser.driver.action_chain().send_keys(key).perform().await.unwrap();
}

#[tokio::test]
async fn the_best_run_is_found_and_two_are_chosen_without_a_mouse() {
    let demo = Demo::new().await;
    let browser = Browser::open(1440, 900, false).await;
    let (site, base) = (site(&demo.server), &demo.project.base);
    browser.visit(&format!("{site}/signin")).await;
    browser.be(&demo.cookie).await;
    browser.visit(&format!("{site}{base}/runs")).await;

    // `/` leads to the query, which is completed as it is written.
    type_key(&browser, "/").await;
    browser.wait_for("the field", "return document.activeElement.id === 'q'", &[]).await;
    type_key(&browser, "metrics.acc").await;
    let offered = "return document.querySelector('.words:not([hidden]) [data-word=\"metrics.accuracy\"]') !== null";
    browser.wait_for("a word to go on with", offered, &[]).await;
    browser.key(Key::Down).await;
    let active = "return document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))?.ariaSelected === 'true'";
    browser.wait_for("the chosen word", active, &[]).await;
    browser.key(Key::Enter).await;
    browser.wait_for("the whole word", "return document.activeElement.value === 'metrics.accuracy '", &[]).await;
    type_key(&browser, "> 0.5").await;
    browser.key(Key::Enter).await;
    browser.wait_for("the answer", "return location.search.includes('metrics.accuracy')", &[]).await;
    browser.shows(&["accuracy above 0.5"]).await;

    browser.press("th a[href*='sort=-metrics.accuracy']").await;
    browser.wait_for("the order", "return location.search.includes('sort=-metrics.accuracy')", &[]).await;
    browser.find("th[aria-sort=descending]").await;
    let runs: Vec<String> = browser.script(ROWS, Vec::new()).await;
    assert!(runs.len() >= 2, "{runs:?}");

    for key in ["j", "x", "j", "x"] {
        type_key(&browser, key).await;
    }
    let chosen = "return document.querySelector('[data-chosen]').textContent === arguments[0]";
    browser.wait_for("two chosen runs", chosen, &[json!(format!("2 chosen{}{}", runs[0], runs[1]))]).await;
    browser.key(Key::Escape).await;
    browser.wait_for("none chosen", "return document.querySelector('td :checked') === null", &[]).await;
    browser.expect_no_problems("the list").await;

    // Back on the second run, whose link has the focus.
    browser.key(Key::Enter).await;
    browser.wait_for_path(&format!("{base}/runs/{}", runs[1])).await;
}

#[tokio::test]
async fn runs_arrive_and_end_without_moving_what_is_read_or_what_is_chosen() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    for intent in ["first", "second"] {
        server.app.run(&project.key, intent).await;
    }
    let browser = Browser::open(1440, 900, false).await;
    let base = format!("/projects/{}", project.slug);
    browser.visit(&format!("{}/signin", site(&server))).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{}{base}/runs", site(&server))).await;
    browser.press("#run-exp001 .pick input").await;
    browser.script::<Value>("window.__sameDocument = true", Vec::new()).await;

    server.app.run(&project.key, "third").await;
    browser.shows(&["1 new run started"]).await;
    let outcome = json!({"status": "failed", "exit_code": 3});
    server.app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(outcome)).await.expect(200);
    browser.shows(&["exit 3"]).await;
    let is_as_it_was = "return window.__sameDocument && document.getElementById('run-exp003') === null
        && document.querySelector('#run-exp001 .pick input').checked
        && document.querySelector('[data-chosen]').textContent.startsWith('1 chosen')";
    browser.wait_for("the list as it was", is_as_it_was, &[]).await;
    browser.press("[data-live-new] a").await;
    browser.find("#run-exp003").await;
    browser.expect_no_problems("the list").await;
}

#[tokio::test]
async fn without_scripts_a_view_is_saved_and_runs_are_deleted_and_brought_back() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    for intent in ["first", "second"] {
        server.app.run(&project.key, intent).await;
    }
    let browser = Browser::open(390, 844, true).await;
    browser.cdp("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    let runs = format!("{}/projects/{}/runs", site(&server), project.slug);
    browser.visit(&format!("{}/signin", site(&server))).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{runs}?q=first")).await;
    browser.press(".bar details:has(#view-name) summary").await;
    browser.fill("#view-name", "Only the first").await;
    browser.press("form[action$='/views'] button").await;
    browser.visit(&runs).await;
    browser.press(".bar details:has(#view-name) summary").await;
    browser.press(".views li a").await;
    browser.shows(&["has “first”", "1 of 2 runs"]).await;

    browser.press("#run-exp001 .pick input").await;
    browser.press(".cmpbar [popovertarget]").await;
    browser.press("#delete-chosen [value=delete]").await;
    browser.shows(&["1 run moved to the trash."]).await;
    browser.press(".say a[href$='?deleted=1']").await;
    browser.press("button[value=exp001]").await;
    browser.shows(&["1 run brought back."]).await;
    browser.find("#run-exp001").await;
}
