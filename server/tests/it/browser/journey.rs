//! What a newcomer goes through, from signing up to reading their first run.

use otrace_server::testing::{PASSWORD, TestServer};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::contents::sha256;
use super::recorded::{RUNS, Recorded};
use super::{Browser, site};

/// A machine that records runs with a key, over HTTP.
struct Machine {
    http: reqwest::Client,
    site: String,
    key: String,
}

impl Machine {
    async fn send(&self, method: reqwest::Method, path: &str, body: impl Into<reqwest::Body>) -> Value {
        let request = self.http.request(method, format!("{}{path}", self.site)).bearer_auth(&self.key);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn describe(&self, run: &Recorded) {
        for content in run.contents() {
            self.send(reqwest::Method::PUT, &format!("/v1/contents/{}", sha256(&content)), content).await;
        }
        self.send(reqwest::Method::PUT, "/v1/runs/exp001/details", run.details().to_string()).await;
    }
}

#[tokio::test]
async fn a_newcomer_signs_up_connects_a_machine_and_watches_the_first_run_arrive_and_end() {
    let server = TestServer::start().await;
    let browser = Browser::open(1440, 900, false).await;
    let run = &RUNS[6];
    let machine = connect(&browser, &site(&server)).await;

    // The page moves on by itself.
    let now = now(&server);
    let created = machine.send(reqwest::Method::POST, "/v1/runs", run.creation(now).to_string()).await;
    assert_eq!(created["run"]["experiment_id"], "exp001");
    browser.wait_for_path("/projects/wake-word/runs/exp001").await;
    browser.shows(&[run.title, run.intent, run.setup, run.command, "Created"]).await;

    // From here on the page must follow without being loaded again.
    browser.script::<Value>("window.__sameDocument = true", Vec::new()).await;
    let started = json!({"status": "running", "started_at": run.outcome(now)["started_at"]});
    machine.send(reqwest::Method::PATCH, "/v1/runs/exp001", started.to_string()).await;
    browser.shows(&["Running", "so far"]).await;
    machine.describe(run).await;
    browser.shows(&["outputs/metrics.json", "outputs/curve.png", "accuracy", "0.9703"]).await;
    machine.send(reqwest::Method::PATCH, "/v1/runs/exp001", run.outcome(now).to_string()).await;
    browser
        .shows(&[
            "Completed",
            "exit 0",
            "1 h 12 m",
            run.intent,
            run.setup,
            run.command,
            "val_loss",
            "0.1486",
            "distill/kwt3 @ 9f3c2e1",
            "gpu-node-04",
            "3.12.4",
            "outputs/model.tflite",
            "not found",
            "first key",
        ])
        .await;
    let same: bool = browser.script("return window.__sameDocument === true", Vec::new()).await;
    assert!(same, "the page was loaded again");
    browser.wait_for("the stream's end", "return !document.querySelector('main').dataset.liveUrl", &[]).await;

    read_tabs(&browser).await;
    browser.expect_no_problems("a run's tabs").await;
    the_key_is_gone(&browser, &machine).await;
}

/// Signs up, makes a project and reads its key off the page that waits for the first run.
async fn connect(browser: &Browser, site: &str) -> Machine {
    browser.visit(&format!("{site}/")).await;
    browser.press("a[href='/signup']").await;
    browser.fill("#name", "Ada Lovelace").await;
    browser.fill("#email", "ada@example.org").await;
    browser.fill("#password", PASSWORD).await;
    browser.press("main button[type=submit]").await;
    browser.shows(&["No project yet", "Account, Ada Lovelace"]).await;

    browser.press("main .empty a[href='/projects/new']").await;
    browser.fill("#name", "Wake word").await;
    browser.fill("#description", "How small can it get?").await;
    browser.press("main button[type=submit]").await;
    browser.shows(&["Connect Wake word", "Shown once", "Waiting for the first run", "otrace init"]).await;
    browser.wait_for_path("/projects/wake-word/connect").await;
    let key = browser.text("#key").await;
    assert!(key.starts_with("trc_") && key.len() == 42, "{key}");
    let commands = browser.all_text().await;
    assert!(commands.contains(&format!("export TRACE_API_URL={site}")), "{commands}");
    Machine { http: reqwest::Client::builder().no_proxy().build().unwrap(), site: site.to_owned(), key }
}

/// Reads the other tabs of the run.
async fn read_tabs(browser: &Browser) {
    let run = "/projects/wake-word/runs/exp001";
    browser.press(&format!("nav.tabs a[href='{run}/logs']")).await;
    browser.shows(&["epoch 12/12", "wrote outputs/metrics.json", "stdout"]).await;

    browser.press(&format!("nav.tabs a[href='{run}/artifacts']")).await;
    browser.shows(&["4 files", "configs/base.yaml", "model: bcres8", "outputs/best.pt", "expected"]).await;
    browser.wait_for("the preview of an image", SEES_IMAGE, &[]).await;
    browser.press(".arts .art:nth-child(2)").await;
    browser.shows(&["outputs/curve.png", "image/png", "SHA-256"]).await;
    browser.wait_for("the image", SEES_IMAGE, &[]).await;
    browser.press("aside a.link").await;
    browser.press(".arts .art:nth-child(1)").await;
    browser.shows(&["outputs/metrics.json", "\"accuracy\": 0.9703", "application/json"]).await;

    browser.press(&format!("nav.tabs a[href='{run}/tables']")).await;
    browser.shows(&["Per class", "outputs/history.csv", "forward", "0.913"]).await;

    browser.press(&format!("nav.tabs a[href='{run}/code']")).await;
    browser
        .shows(&[
            "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521",
            "Can be rebuilt partly",
            "kws/losses.py",
            "smoothing=0.1",
            "ce_kd",
            "requirements.txt",
        ])
        .await;
}

/// A picture that has arrived and could be read.
const SEES_IMAGE: &str =
    "const image = document.querySelector('main img'); return image?.complete && image.naturalWidth === 360";

/// No page shows the key a second time.
async fn the_key_is_gone(browser: &Browser, machine: &Machine) {
    for (path, sentence) in [("connect", "Waiting for the next run"), ("keys", "first key")] {
        browser.visit(&format!("{}/projects/wake-word/{path}", machine.site)).await;
        browser.shows(&[sentence]).await;
        let shown = browser.driver.source().await.unwrap();
        assert!(!shown.contains(&machine.key) && !shown.contains(&machine.key[8..]), "{path} shows the key again");
    }
    assert!(browser.all_text().await.contains(&machine.key[..8]), "the list knows the key by its first characters");
}

fn now(server: &TestServer) -> OffsetDateTime {
    server.app.app.clock.now()
}
