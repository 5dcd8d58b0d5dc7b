//! The charts of a run, in a browser.

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};

use super::{Browser, site};

const FACTS: &str = "document.querySelector('[data-facts]').textContent";

async fn send(server: &TestServer, project: &TestProject, first: usize, count: usize) {
    let point = |step: usize| {
        let value =
            if step == 700 { json!("NaN") } else { json!(1.0 / (1.0 + f64::from(u32::try_from(step).unwrap()))) };
        json!({"name": "val/loss", "step": step, "time": 1_780_000_000 + step, "value": value})
    };
    let points: Vec<Value> = (first..first + count).map(point).collect();
    let batch = json!({"batches": [{"source": "metrics", "first": first, "points": points}]});
    server.app.api(&project.key, "POST", "/v1/runs/exp001/series", Some(batch)).await.expect(200);
}

#[tokio::test]
async fn a_chart_is_read_zoomed_and_grows_in_the_place_of_its_drawing() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    server.app.run(&project.key, "converges").await;
    let running = json!({"status": "running"});
    server.app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(running)).await.expect(200);
    send(&server, &project, 0, 5_000).await;
    let site = site(&server);
    let browser = Browser::open(1440, 900, false).await;
    browser.visit(&format!("{site}/signin")).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{site}/projects/wake-word/runs/exp001/metrics")).await;
    browser.wait_for("the chart", "return document.querySelector('.plot canvas') !== null", &[]).await;
    let height: f64 = browser.script("return document.querySelector('.plot').offsetHeight", Vec::new()).await;
    assert!((height - 182.0).abs() < 1.5, "as high as the drawing, not {height}");

    // With the keyboard: the first value, by its step.
    browser.script::<Value>("document.querySelector('.plot').focus()", Vec::new()).await;
    browser.key(thirtyfour::Key::Home).await;
    browser.wait_for("the first value", &format!("return {FACTS} === 'step 0: 1'"), &[]).await;
    browser.key(thirtyfour::Key::Escape).await;
    let all = format!("return {FACTS}.startsWith('5')");
    browser.wait_for("what is known of all points", &all, &[]).await;

    // Zoomed in, the points are those that are there, NaN among them; the address keeps the place.
    browser.visit(&format!("{site}/projects/wake-word/runs/exp001/metrics?from=695&to=705&smoothing=0.5")).await;
    let zoomed = "return document.querySelector('.plot canvas') !== null
        && !document.querySelector('[data-zoom-out]').disabled && document.getElementById('smoothing').value === '0.5'";
    browser.wait_for("the zoomed chart", zoomed, &[]).await;
    browser.script::<Value>("document.querySelector('.plot').focus()", Vec::new()).await;
    browser.key(thirtyfour::Key::Home).await;
    for _ in 0..5 {
        browser.key(thirtyfour::Key::Right).await;
    }
    browser.wait_for("the gap", &format!("return {FACTS} === 'step 700: NaN'"), &[]).await;
    browser.press("[data-zoom-out]").await;
    browser.wait_for("no zoom", "return !location.search.includes('from=')", &[]).await;

    // The chart stays while it grows.
    browser.script::<Value>("document.querySelector('.plot').dataset.same = 'yes'", Vec::new()).await;
    send(&server, &project, 5_000, 1_000).await;
    browser.script::<Value>("document.activeElement.blur()", Vec::new()).await;
    browser.wait_for("new points", &format!("return {FACTS}.startsWith('6')"), &[]).await;
    let same: bool = browser.script("return document.querySelector('.plot').dataset.same === 'yes'", Vec::new()).await;
    assert!(same, "the chart was made anew");
    browser.expect_no_problems("charts").await;
}

#[tokio::test]
async fn the_curves_of_a_run_stand_beside_its_parents_and_grow() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    server.app.run(&project.key, "before").await;
    let child = json!({"intent": "after", "setup": "as before", "command": "true", "parent": "exp001"});
    server.app.api(&project.key, "POST", "/v1/runs", Some(child)).await.expect(200);
    let running = json!({"status": "running"});
    server.app.api(&project.key, "PATCH", "/v1/runs/exp002", Some(running)).await.expect(200);
    let add = async |run: &str, first: u32, values: &[f64]| {
        let point = |(place, value): (u32, &f64)| json!({"name": "val/loss", "step": first + place, "value": value});
        let points: Vec<Value> = (0..).zip(values).map(point).collect();
        let batch = json!({"batches": [{"source": "metrics", "first": first, "points": points}]});
        server.app.api(&project.key, "POST", &format!("/v1/runs/{run}/series"), Some(batch)).await.expect(200);
    };
    add("exp001", 0, &[4.0, 2.0, 1.0]).await;
    add("exp002", 0, &[4.0, 0.25, 0.5]).await;
    let site = site(&server);
    let browser = Browser::open(1440, 900, false).await;
    browser.visit(&format!("{site}/signin")).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{site}/projects/wake-word/runs/exp002")).await;
    let told = "const curve = document.querySelector('[data-curve]');
        return curve.querySelector('.legend').textContent === arguments[0]
            && curve.querySelector('[data-about]').textContent === arguments[1]
            && curve.querySelectorAll('.ln').length === 3";
    browser.wait_for("both curves", told, &[json!("exp001 1exp002 0.5"), json!("lowest 0.25 at step 1")]).await;
    let ticks = "return [...document.querySelectorAll('[data-curve] .y li')].map((tick) => tick.textContent)";
    let ticks: Vec<String> = browser.script(ticks, Vec::new()).await;
    assert_eq!(ticks, ["4", "3", "2", "1", "0"]);

    browser.script::<Value>("document.querySelector('.curves').dataset.same = 'yes'", Vec::new()).await;
    add("exp002", 3, &[0.125]).await;
    browser.wait_for("the new point", told, &[json!("exp001 1exp002 0.125"), json!("lowest 0.125 at step 3")]).await;
    let same: bool =
        browser.script("return document.querySelector('.curves').dataset.same === 'yes'", Vec::new()).await;
    assert!(same, "the curves were made anew");
    browser.expect_no_problems("the curves").await;

    // Without scripts there is no empty frame, and a way to where they are drawn.
    browser.cdp("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    browser.visit(&format!("{site}/projects/wake-word/runs/exp002")).await;
    browser.press("noscript a[href$='/runs/exp002/metrics']").await;
    browser.find(".plot path.ln").await;
}
