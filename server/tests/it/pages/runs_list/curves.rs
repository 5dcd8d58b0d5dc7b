//! The curves of the list, and the way to the best run above it.

use otrace_server::testing::{TestApp, TestProject, TestResponse};
use serde_json::{Value, json};

use super::super::get_with;
use super::{four_runs, list, record, rows};

/// Sends points of series, the next ones of their source.
async fn measure(app: &TestApp, project: &TestProject, run: &str, first: usize, points: &[(&str, Value)]) {
    let points: Vec<Value> = points.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let batch = json!({"batches": [{"source": "metrics", "first": first, "points": points}]});
    app.api(&project.key, "POST", &format!("/v1/runs/{run}/series"), Some(batch)).await.expect(200);
}

/// The cell of a run's curve, after that of its name.
fn curve<'a>(page: &'a str, run: &str) -> &'a str {
    let row = page.split(&format!("<tr id=\"run-{run}\">")).nth(1).unwrap().split("</tr>").next().unwrap();
    row.split("<td").nth(3).unwrap()
}

async fn strip(app: &TestApp, project: &TestProject, query: &str) -> TestResponse {
    app.get(&project.cookie, &format!("/projects/{}/runs/strip?{query}", project.slug)).await
}

#[tokio::test]
async fn a_row_has_the_curve_of_the_series_behind_its_result_and_keeps_it_while_it_is_open() {
    let (app, project) = four_runs().await;
    assert!(!list(&app, &project, "").await.contains("data-curves"), "without series there is no such column");
    let points = [("val/accuracy", json!(0.5)), ("val/accuracy", json!("NaN")), ("val/accuracy", json!(0.75))];
    measure(&app, &project, "exp002", 0, &points).await;
    // What comes twice is there once.
    measure(&app, &project, "exp002", 0, &points).await;
    measure(&app, &project, "exp003", 0, &[("loss", json!(1))]).await;

    let page = list(&app, &project, "").await;
    assert!(page.contains("data-curves><span class=\"clip\" title=\"val/accuracy\">"), "{page}");
    let drawn = curve(&page, "exp002");
    assert!(drawn.contains("<path d=\"M3.0 18.0h0M85.0 4.0h0\"/>"), "{drawn}");
    assert!(drawn.contains("val/accuracy, 3 points, from 0.5 to 0.75"), "{drawn}");
    for run in ["exp001", "exp003", "exp004"] {
        assert!(!curve(&page, run).contains("<svg"), "{run}");
    }
    // It goes on while the list is open, and its column can be left out.
    let (_, url) = page.split_once("data-live-rows=\"").unwrap();
    let url = url.split('"').next().unwrap().replace("&#38;", "&");
    measure(&app, &project, "exp002", 3, &[("val/accuracy", json!(1))]).await;
    let part = app.get(&project.cookie, &url).await.expect(200).text();
    assert!(curve(&part, "exp002").contains("4 points, from 0.5 to 1"), "{part}");
    let without = list(&app, &project, "?col=metrics.accuracy&col=tags").await;
    assert!(!without.contains("val/accuracy") && rows(&without).len() == 4, "{without}");
    // By another result it is another series.
    assert!(curve(&list(&app, &project, "?sort=metrics.loss").await, "exp003").contains("loss, 1 point, 1"));
    let files = app.get(&project.cookie, "/projects/wake-word/runs.csv").await.expect(200).text();
    assert!(!files.lines().next().unwrap().contains("curve"), "{files}");
}

#[tokio::test]
async fn a_series_is_called_what_it_is_called() {
    let (app, project) = four_runs().await;
    let bait = "\"><script>hit()</script>/accuracy";
    measure(&app, &project, "exp001", 0, &[(bait, json!(1)), (bait, json!(2))]).await;
    let page = list(&app, &project, "").await;
    assert!(curve(&page, "exp001").contains("script&#62;") && !page.contains("<script>hit()"), "{page}");
}

#[tokio::test]
async fn the_strip_shows_the_way_to_the_best_run_that_the_query_asks_for() {
    let (app, project) = four_runs().await;
    let page = list(&app, &project, "?q=tag%3Asweep").await;
    let url = "data-strip=\"/projects/wake-word/runs/strip?q=tag%3Asweep&#38;result=accuracy\"";
    assert!(page.contains(url) && page.contains("/static/strip.js"), "{page}");
    let drawn = strip(&app, &project, "q=tag%3Asweep&result=accuracy").await.expect(200).text();
    assert!(drawn.contains("accuracy of 2 runs since") && drawn.contains("from 0.97 to 0.97, by exp002"), "{drawn}");
    assert!(drawn.contains("href=\"/projects/wake-word/runs/exp002\" aria-label=\"Best: exp002, compare, 0.97\""));
    assert!(!drawn.contains("exp001") && !drawn.contains("exp004"), "{drawn}");
    // Which way it gets better hangs on the result.
    let losses = strip(&app, &project, "result=val+loss").await.expect(200).text();
    assert!(losses.contains("by exp002") && losses.contains("val loss of 3 runs"), "{losses}");

    // One run is no way, and neither is none.
    assert!(!list(&app, &project, "?q=tag%3Abaseline").await.contains("data-strip"));
    for nothing in ["q=tag%3Abaseline&result=accuracy", "result=model", "result=f1", "result=", "", "result=a%00b"] {
        strip(&app, &project, nothing).await.expect(204);
    }
    strip(&app, &project, "q=stauts%3Ax&result=accuracy").await.expect(400);
    let stranger = app.project("Another").await;
    app.get(&stranger.cookie, "/projects/wake-word/runs/strip?result=accuracy").await.expect(404);
}

#[tokio::test]
async fn the_strip_is_drawn_again_when_something_changed() {
    let (app, project) = four_runs().await;
    let path = "/projects/wake-word/runs/strip?result=accuracy";
    let ask = async |tag: &str| get_with(&app, &project.cookie, path, ("if-none-match", tag)).await;
    let tag = app.get(&project.cookie, path).await.expect(200).header("etag").to_owned();
    let kept = ask(&tag).await.expect(304);
    assert_eq!((kept.header("cache-control"), kept.body.len()), ("private, no-cache", 0));
    app.api(&project.key, "DELETE", "/v1/runs/exp002", None).await.expect(200);
    let changed = ask(&tag).await.expect(200);
    let tag = changed.header("etag").to_owned();
    assert!(changed.text().contains("by exp003"), "{}", changed.text());
    app.post(&project.cookie, "/projects/wake-word/settings/directions", &[("name", "accuracy"), ("better", "lower")])
        .await
        .expect(303);
    assert!(ask(&tag).await.expect(200).text().contains("by exp001"));
}

#[tokio::test]
async fn where_few_of_the_newest_runs_have_the_result_older_ones_are_drawn() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for loss in [3.0, 1.0, 2.0] {
        record(&app, &project, &[], &json!([{"name": "loss", "value": loss}])).await;
    }
    // As many as are looked at, and one more.
    sqlx::query(
        "INSERT INTO runs (id, project_id, number, intent, setup, command, status, created_at, updated_at)
         SELECT gen_random_uuid(), project_id, number + place, intent, setup, command, status, created_at, updated_at
         FROM runs, generate_series(1, 301) AS place WHERE number = 3",
    )
    .execute(&app.app.pool)
    .await
    .unwrap();
    let drawn = strip(&app, &project, "result=loss").await.expect(200).text();
    assert!(drawn.contains("loss of 3 runs") && drawn.contains("from 3 to 1, by exp002"), "{drawn}");
}
