//! What the pages of a run tell.

use otrace_server::testing::{TestApp, TestProject};
use serde_json::json;

use super::{BAIT, text_of, with_run};

async fn page(app: &TestApp, project: &TestProject, path: &str) -> String {
    text_of(&app.get(&project.cookie, &format!("/projects/{}/{path}", project.slug)).await.expect(200))
}

#[track_caller]
fn expect_all(page: &str, wanted: &[&str]) {
    let missing: Vec<&&str> = wanted.iter().filter(|text| !page.contains(**text)).collect();
    assert!(missing.is_empty(), "{missing:?} is missing in {page}");
}

#[tokio::test]
async fn a_runs_page_shows_each_recorded_fact() {
    let (app, project) = with_run().await;
    let page = page(&app, &project, "runs/exp001").await;
    expect_all(
        &page,
        &[
            "<title>exp001 · Distilled, 12 KB · Trace</title>",
            "<h1>Distilled, 12 KB</h1>",
            "<dt>Why</dt><dd>A teacher should help.",
            "<dt>Setup</dt><dd>KWT-3, temperature 4</dd>",
            "python3 distill.py --alpha 0.7",
            "/home/mira/kws",
            "Completed",
            "exit 0",
            "1 h 12 m",
            "distill/kwt3 @ 9f3c2e1",
            "with changes that were not committed",
            ">distillation</span>",
            "accuracy",
            "higher is better",
            "0.97",
            "val_loss",
            "lower is better",
            "0.1486",
            "from <span class=\"mono\">outputs/metrics.json</span>",
            "outputs/curve.png",
            "outputs/best.pt",
            "5.3 MB",
            "outputs/model.tflite",
            "not found",
            "stderr 24 B",
            "9f3c2e1ab04d",
            "git@git.example:audio/kws.git",
            "requirements.txt",
            "gpu-node-04",
            "3.12.4",
            "Linux-6.8",
            "1 Jun 2026, 10:00 UTC",
            "1 Jun 2026, 11:12 UTC",
            "otrace 0.2.0",
            "test key",
        ],
    );
    assert!(!page.contains(BAIT) && !page.contains("<script>hit()"), "the intent is text");
    assert!(!page.contains("data-live-url"), "nothing more is expected of a run that has ended");
}

#[tokio::test]
async fn the_tabs_of_a_run_show_what_it_left_behind() {
    let (app, project) = with_run().await;
    let logs = page(&app, &project, "runs/exp001/logs").await;
    expect_all(&logs, &["epoch 12", "stdout", "stderr", "kept in full", "id=\"L2\"", "exp001/logs/0/raw"]);
    let errors = page(&app, &project, "runs/exp001/logs?log=1&wrap=1").await;
    expect_all(&errors, &["UserWarning: short clip", "class=\"wrn\"", "class=\"log soft\""]);
    let artifacts = page(&app, &project, "runs/exp001/artifacts").await;
    expect_all(
        &artifacts,
        &["3 files", "Expected and not found", "outputs/model.tflite", "accuracy", "raw?inline", "expected"],
    );
    let tables = page(&app, &project, "runs/exp001/tables").await;
    expect_all(&tables, &["Per class", "per_class.csv", "forward", "0.913", "1 row"]);
    let code = page(&app, &project, "runs/exp001/code").await;
    expect_all(
        &code,
        &[
            "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521",
            "kws/losses.py",
            "<mark>ce_kd</mark>",
            "requirements.txt",
            "code/0/raw",
        ],
    );
}

#[tokio::test]
async fn a_run_that_is_not_over_says_what_it_waits_for() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    app.run(&project.key, "is it slow?").await;
    for (tab, sentence) in [
        ("", "Created"),
        ("/logs", "No output yet"),
        ("/artifacts", "No artifacts yet"),
        ("/tables", "No tables yet"),
        ("/code", "No snapshot yet"),
    ] {
        let waiting = page(&app, &project, &format!("runs/exp001{tab}")).await;
        expect_all(
            &waiting,
            &[sentence, "data-live-run=\"exp001\"", "data-live-url=\"/projects/wake-word/live?since="],
        );
    }
    let start = json!({"status": "running", "started_at": "2026-06-01T11:22:00Z"});
    app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(start)).await.expect(200);
    expect_all(&page(&app, &project, "runs/exp001").await, &["Running", "38 min so far"]);
    expect_all(&page(&app, &project, "runs").await, &["1 running, updating live"]);

    let end = json!({"status": "failed", "exit_code": 137, "duration_seconds": 41.9});
    app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(end)).await.expect(200);
    expect_all(&page(&app, &project, "runs/exp001").await, &["Failed", "exit 137", "41 s"]);
    for (tab, sentence) in
        [("logs", "No output"), ("artifacts", "No artifacts"), ("tables", "No tables"), ("code", "No snapshot")]
    {
        let over = page(&app, &project, &format!("runs/exp001/{tab}")).await;
        assert!(
            over.contains(sentence) && !over.contains(&format!("{sentence} yet")) && !over.contains("data-live-url"),
            "{over}"
        );
    }
}

#[tokio::test]
async fn a_run_is_reached_by_its_number_and_its_id_and_leads_to_its_neighbours() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let mut ids = Vec::new();
    for intent in ["first", "second", "third"] {
        ids.push(app.run(&project.key, intent).await["id"].as_str().unwrap().to_owned());
    }
    app.api(&project.key, "DELETE", "/v1/runs/exp002", None).await.expect(200);
    for name in ["exp001", ids[0].as_str()] {
        let first = page(&app, &project, &format!("runs/{name}")).await;
        expect_all(&first, &["href=\"/projects/wake-word/runs/exp003\" aria-label=\"Newer run\""]);
        assert!(!first.contains("Older run"), "{first}");
    }
    app.get(&project.cookie, "/projects/wake-word/runs/exp002").await.expect(404);
    app.get(&project.cookie, &format!("/projects/wake-word/runs/{}", ids[1])).await.expect(404);
}

#[tokio::test]
async fn a_text_that_a_terminal_would_act_on_shows_what_it_would_print() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    app.run(&project.key, "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}plain \u{202e}turned").await;
    let log = json!({"logs": [{"stream": "stdout", "text_content": "10 %\r100 %\r\n\u{1b}[1mdone\u{1b}[0m\n"}]});
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(log)).await.expect(200);
    let run = page(&app, &project, "runs/exp001").await;
    expect_all(&run, &["red plain &#60;U+202E&#62;turned"]);
    let logs = page(&app, &project, "runs/exp001/logs").await;
    expect_all(&logs, &["<span>100 %</span>", "<span class=\"t-bold\">done</span>"]);
    for page in [run, logs] {
        assert!(!page.contains(['\u{1b}', '\u{7}', '\u{202e}', '\r']), "{page}");
    }
}
