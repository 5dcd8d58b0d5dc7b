//! A run beside the others: what changed, what is best, what belongs together, and one that is not there.

use otrace_server::domain::Role;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};

use super::text_of;

/// Records a run with these results; returns its experiment id.
async fn record(app: &TestApp, project: &TestProject, title: &str, parent: Option<&str>, results: Value) -> String {
    let creation = json!({"title": title, "intent": "i", "setup": "s", "command": "true", "parent": parent});
    let created = app.api(&project.key, "POST", "/v1/runs", Some(creation)).await.expect(200).json();
    let experiment = created["run"]["experiment_id"].as_str().unwrap().to_owned();
    let results: Vec<Value> =
        results.as_object().unwrap().iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let path = format!("/v1/runs/{experiment}/details");
    app.api(&project.key, "PUT", &path, Some(json!({"results": results}))).await.expect(200);
    experiment
}

async fn page(app: &TestApp, project: &TestProject, path: &str) -> String {
    text_of(&app.get(&project.cookie, &format!("/projects/{}/{path}", project.slug)).await.expect(200))
}

#[track_caller]
fn expect_all(page: &str, wanted: &[&str]) {
    let missing: Vec<&&str> = wanted.iter().filter(|text| !page.contains(**text)).collect();
    assert!(missing.is_empty(), "{missing:?} is missing in {page}");
}

#[tokio::test]
async fn results_stand_beside_their_parents_and_say_which_is_best() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    record(&app, &project, "Baseline", None, json!({"accuracy": 0.9718, "loss": 0.1, "size_kb": 12, "odd": "NaN"}))
        .await;
    let values = json!({"accuracy": 0.9803, "loss": 0.3, "size_kb": 12, "odd": "NaN", "alone": 1});
    record(&app, &project, "Distilled", Some("exp001"), values).await;

    let child = page(&app, &project, "runs/exp002").await;
    expect_all(
        &child,
        &[
            "parent exp001",
            "<b class=\"best\">0.9803</b>",
            "<span class=\"ok\">+0.0085<span class=\"sr\">, better</span></span>",
            "<span class=\"bad\">+0.2<span class=\"sr\">, worse</span></span>",
            "<span class=\"dim\">same</span>",
            "1st of 2",
            "2nd of 2",
            "compare?ids=exp001,exp002",
        ],
    );
    assert!(!child.contains("<b class=\"best\">1</b>"), "a value that no other run has is not the best");
    assert_eq!(child.matches("<tr><th scope=\"row\">").count(), 5);

    let first = page(&app, &project, "runs/exp001").await;
    expect_all(
        &first,
        &["<b class=\"best\">0.1</b>", "href=\"/projects/wake-word/runs/exp002\"><span class=\"mono\">exp002"],
    );
    assert!(!first.contains("parent exp"), "{first}");
    expect_all(
        &child,
        &["href=\"/projects/wake-word/runs/exp001\"><span class=\"mono\">exp001", "aria-current=\"true\""],
    );

    // A deleted run has no rank and is nobody's parent.
    app.api(&project.key, "DELETE", "/v1/runs/exp001", None).await.expect(200);
    let alone = page(&app, &project, "runs/exp002").await;
    assert!(!alone.contains("parent exp001") && !alone.contains("of 2"), "{alone}");
}

#[tokio::test]
async fn a_run_is_deleted_after_a_question_and_its_page_brings_it_back() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    record(&app, &project, "Precious <b>", None, json!({"accuracy": 0.9})).await;
    let run = format!("/projects/{}/runs/exp001", project.slug);
    let question = app.get(&project.cookie, &format!("{run}/delete")).await.expect(200).text();
    expect_all(&question, &["Delete exp001?", &format!("action=\"{run}/delete\"")]);

    // Sent twice, as by an impatient finger.
    for _ in 0..2 {
        let done = app.post(&project.cookie, &format!("{run}/delete"), &[]).await.expect(303);
        assert_eq!(done.header("location"), run);
    }
    let gone = app.get(&project.cookie, &run).await.expect(404).text();
    expect_all(&gone, &["exp001 was deleted", "Precious &#60;b&#62;", &format!("action=\"{run}/restore\"")]);
    assert!(app.get(&project.cookie, &format!("{run}/code")).await.expect(404).text().contains("was deleted"));
    // What others may do is not offered to a viewer, and a stranger hears nothing of it.
    let viewer = app.account("viewer@example.org").await;
    app.join(&project, "viewer@example.org", Role::Viewer).await;
    assert!(!app.get(&viewer, &run).await.expect(404).text().contains("/restore\""));
    let stranger = app.account("stranger@example.org").await;
    assert!(!app.get(&stranger, &run).await.expect(404).text().contains("Precious"));

    app.post(&project.cookie, &format!("{run}/restore"), &[]).await.expect(303);
    assert!(app.get(&project.cookie, &run).await.expect(200).text().contains("Precious"));
    let actions: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit_events WHERE action LIKE 'run.%' ORDER BY number")
            .fetch_all(&app.app.pool)
            .await
            .unwrap();
    assert_eq!(actions, ["run.deleted", "run.restored"]);
}

#[tokio::test]
async fn in_the_place_of_a_run_that_never_was_the_nearest_ones_are_named() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for title in ["one", "two", "three", "four"] {
        record(&app, &project, title, None, json!({})).await;
    }
    for (asked, near, far) in [("exp999", "exp004", "exp002"), ("nonsense", "exp004", "exp002")] {
        let path = format!("/projects/{}/runs/{asked}", project.slug);
        let missing = app.get(&project.cookie, &path).await.expect(404).text();
        assert!(missing.contains("Run not found") && missing.contains(near) && !missing.contains(far), "{missing}");
    }
}

#[tokio::test]
async fn the_main_series_are_drawn_beside_the_parents_and_where_there_are_none_nothing_is() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    record(&app, &project, "Baseline", None, json!({"accuracy": 0.9})).await;
    record(&app, &project, "Distilled", Some("exp001"), json!({"accuracy": 0.97})).await;
    record(&app, &project, "Nothing measured", Some("exp002"), json!({"accuracy": 0.5})).await;
    for (run, names) in
        [("exp001", &["val/loss"][..]), ("exp002", &["lr", "train/loss", "val/accuracy", "val/loss", "system/cpu"][..])]
    {
        let points: Vec<Value> = names.iter().map(|name| json!({"name": name, "step": 0, "value": 0.5})).collect();
        let batch = json!({"batches": [{"source": "metrics", "first": 0, "points": points}]});
        app.api(&project.key, "POST", &format!("/v1/runs/{run}/series"), Some(batch)).await.expect(200);
    }
    let drawn = page(&app, &project, "runs/exp002").await;
    expect_all(
        &drawn,
        &[
            "data-curve=\"val/accuracy\" data-best=\"highest\">",
            "data-curve=\"val/loss\" data-best=\"lowest\" data-of-parent>",
            "data-points=\"/projects/wake-word/runs/exp002/metrics/points\"",
            "data-parent-points=\"/projects/wake-word/runs/exp001/metrics/points\"",
            "href=\"/projects/wake-word/runs/exp002/metrics\">All 5 series</a>",
            "<noscript>",
        ],
    );
    assert_eq!(drawn.matches("data-curve=").count(), 2, "{drawn}");
    let first = page(&app, &project, "runs/exp001").await;
    assert!(first.contains("data-curve=\"val/loss\"") && !first.contains("data-parent"), "{first}");
    let nothing = page(&app, &project, "runs/exp003").await;
    assert!(!nothing.contains("h-curves"), "{nothing}");
}

#[tokio::test]
async fn a_link_to_a_page_is_previewed_with_what_the_page_is_about() {
    let (app, project) = super::with_run().await;
    record(&app, &project, "The next one", None, json!({})).await;
    let about = "content=\"Completed, 1 h 12 m. A teacher should help. &#34;&#62;&#60;script&#62;";
    for tab in ["", "/logs", "/metrics", "/artifacts", "/code", "/environment", "/reproduce", "/notes"] {
        let page = page(&app, &project, &format!("runs/exp001{tab}")).await;
        expect_all(&page, &["<meta property=\"og:title\" content=\"exp001 · Distilled, 12 KB\">", about]);
    }
    let compared = page(&app, &project, "compare?ids=exp001,exp002").await;
    expect_all(
        &compared,
        &["\"og:title\" content=\"Compare exp001, exp002 · Wake word\"", "\"og:description\" content=\"From exp001"],
    );
    let notebook = page(&app, &project, "notebook").await;
    expect_all(&notebook, &["\"og:title\" content=\"Notebook · Wake word\"", "\"og:description\" content=\"Why each"]);
    let runs = page(&app, &project, "runs").await;
    expect_all(&runs, &["\"og:title\" content=\"Runs · Wake word\"", "content=\"What makes it better?\""]);
    for (path, title) in [("lineage", "Lineage"), ("insights", "Insights")] {
        let title = format!("\"og:title\" content=\"{title} · Wake word\"");
        expect_all(&page(&app, &project, path).await, &[title.as_str()]);
    }
}
