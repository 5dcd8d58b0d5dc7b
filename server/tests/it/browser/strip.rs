//! The way to the best run, which comes when the list of runs is there.

use serde_json::{Value, json};
use thirtyfour::prelude::Key;

use super::demo::Demo;
use super::{Browser, DAY_AND_NIGHT, site};

/// Whether the list stands where it stood before the strip was there.
const MOVES_NOTHING: &str = "
    const strip = document.querySelector('svg.strip');
    const top = () => document.querySelector('table.runs').offsetTop;
    const before = top();
    strip.remove();
    return before === top()";

#[tokio::test]
async fn the_way_to_the_best_run_moves_nothing_leads_there_and_leaves_phones_alone() {
    let demo = Demo::new().await;
    let [desk, phone] = DAY_AND_NIGHT;
    let browser = Browser::open(desk.width, desk.height, desk.dark).await;
    let runs = format!("{}{}/runs", site(&demo.server), demo.project.base);
    browser.visit(&format!("{}/signin", site(&demo.server))).await;
    browser.be(&demo.cookie).await;
    browser.visit(&runs).await;
    browser.find("[data-strip] svg.strip circle.peak").await;
    // Runs that measured an accuracy have its curve in their row.
    let curves: usize = browser.script("return document.querySelectorAll('td .spark path').length", Vec::new()).await;
    assert!(curves > 3, "{curves}");

    let best: String = browser
        .script("return document.querySelector('svg.strip a[aria-label]').getAttribute('href')", Vec::new())
        .await;
    browser.script::<Value>("document.querySelector('svg.strip a[aria-label]').focus()", Vec::new()).await;
    browser.key(Key::Enter).await;
    browser.wait_for_path(&best).await;

    browser.visit(&runs).await;
    browser.find("svg.strip").await;
    let is_still: bool = browser.script(MOVES_NOTHING, Vec::new()).await;
    assert!(is_still, "the strip takes more room than its place");
    browser.expect_no_problems("the list with its strip").await;

    browser.look_as(phone).await;
    browser.visit(&runs).await;
    browser.find("table.runs").await;
    let is_left_alone = "return document.readyState === 'complete'
        && document.querySelector(arguments[0]) === null
        && !performance.getEntriesByType('resource').some((entry) => entry.name.includes('/runs/strip?'))";
    browser.wait_for("a list without a strip", is_left_alone, &[json!("svg.strip")]).await;
}
