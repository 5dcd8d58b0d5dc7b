//! Nothing moves by itself: not while style, fonts and scripts come over a slow line, and not when runs report.

use otrace_server::testing::TestServer;
use serde_json::{Value, json};

use super::demo::Demo;
use super::pictures::CURVES_ARE_DRAWN;
use super::{Browser, DAY_AND_NIGHT, site};

/// So much may move, as browsers score it: the share of the window that it touches, times how far it goes.
const MOST: f64 = 0.02;

/// Those that have most to load, or are read longest while runs report.
const PAGES: [&str; 6] = ["runs", "compare", "notebook", "run", "logs", "metrics"];

/// Remembers what moved although nobody had pressed anything.
const WATCH_MOVES: &str = "(() => {
    const moves = [];
    const note = (entries) => moves.push(...entries.filter((entry) => !entry.hadRecentInput));
    const observer = new PerformanceObserver((list) => note(list.getEntries()));
    observer.observe({ type: 'layout-shift', buffered: true });
    window.__moves = () => {
        note(observer.takeRecords());
        return moves;
    };
})()";

/// Notes when what the page waits for is painted.
const WAIT: &str = "
    const note = () => { window.__isPainted = true; };
    document.fonts.ready.then(() => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(note))));
";
/// How far things moved in all, and which.
const ASK: &str = "
    const name = ({ node }) => `${node?.nodeName}.${node?.parentElement?.className}`;
    const moves = window.__moves();
    return [moves.reduce((sum, move) => sum + move.value, 0), moves.flatMap((move) => move.sources.map(name))];
";

const CHARTS_ARE_DRAWN: &str =
    "return document.querySelector('.metrics') === null || document.querySelector('.uplot') !== null";

async fn expect_steady(browser: &Browser, what: &str) {
    browser.driver.execute(WAIT, Vec::<Value>::new()).await.unwrap();
    browser.wait_for("what is painted", "return window.__isPainted === true", &[]).await;
    let (score, moved): (f64, Vec<String>) = browser.script(ASK, Vec::new()).await;
    assert!(score < MOST, "{what}: {score} by {moved:?}");
}

#[tokio::test]
async fn while_a_page_comes_over_a_slow_line_nothing_in_it_moves() {
    let demo = Demo::new().await;
    let browser = Browser::open(1440, 900, false).await;
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": WATCH_MOVES})).await;
    browser.visit(&format!("{}/signin", site(&demo.server))).await;
    browser.cdp("Network.enable", json!({})).await;
    browser.cdp("Network.setCacheDisabled", json!({"cacheDisabled": true})).await;
    // The style is there long before the last font.
    let line = json!({"offline": false, "latency": 20, "downloadThroughput": 400_000, "uploadThroughput": 400_000});
    browser.cdp("Network.emulateNetworkConditions", line).await;
    let pages = demo.pages_of(&demo.project).await;
    for page in pages.iter().filter(|page| PAGES.contains(&page.name)) {
        for view in DAY_AND_NIGHT {
            browser.look_as(view).await;
            page.open(&browser, &demo).await;
            browser.wait_for("the curves", CURVES_ARE_DRAWN, &[]).await;
            browser.wait_for("the charts", CHARTS_ARE_DRAWN, &[]).await;
            expect_steady(&browser, &format!("{} at {} px", page.name, view.width)).await;
        }
    }
}

#[tokio::test]
async fn runs_that_start_and_end_move_no_row_that_somebody_reads() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    for intent in ["first", "second", "third"] {
        server.app.run(&project.key, intent).await;
    }
    let browser = Browser::open(1440, 900, false).await;
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": WATCH_MOVES})).await;
    browser.visit(&format!("{}/signin", site(&server))).await;
    browser.be(&project.cookie).await;
    for (view, new) in DAY_AND_NIGHT.into_iter().zip(["fourth", "fifth"]) {
        browser.look_as(view).await;
        browser.visit(&format!("{}/projects/{}/runs", site(&server), project.slug)).await;
        server.app.run(&project.key, new).await;
        browser.shows(&["1 new run started"]).await;
        let run = if new == "fourth" { "exp001" } else { "exp002" };
        let outcome = json!({"status": "failed", "exit_code": 3});
        server.app.api(&project.key, "PATCH", &format!("/v1/runs/{run}"), Some(outcome)).await.expect(200);
        let has_ended = "return document.getElementById(arguments[0]).textContent.includes('exit\u{a0}3')";
        browser.wait_for("the end of a run", has_ended, &[json!(format!("run-{run}"))]).await;
        expect_steady(&browser, &format!("the list at {} px", view.width)).await;
    }
}
