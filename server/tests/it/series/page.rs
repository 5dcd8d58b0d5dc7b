//! The page with the charts of a run.

use otrace_server::domain::Role;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};

use super::{counted, running, send};

async fn page(app: &TestApp, project: &TestProject, path: &str) -> String {
    let path = format!("/projects/{}/runs/exp001{path}", project.slug);
    app.get(&project.cookie, &path).await.expect(200).text().replace('\u{a0}', " ")
}

#[tokio::test]
async fn each_series_is_a_chart_and_the_tab_counts_them() {
    let (app, project) = running().await;
    let points = [
        json!({"name": "val/loss", "step": 0, "value": 2}),
        json!({"name": "val/loss", "step": 1, "value": "NaN"}),
        json!({"name": "val/loss", "step": 2, "value": 0}),
        json!({"name": "val/acc", "step": 0, "value": 0.5}),
    ];
    send(&app, &project, "metrics", 0, &points).await;
    let shown = page(&app, &project, "/metrics").await;
    for wanted in [
        "Metrics <span class=\"count\">2</span>",
        "<b>val/loss</b>",
        "lower is better",
        "val/loss by step: 3 points, lowest 0, highest 2, last 0",
        "1 value is NaN or infinite, and a gap in the line.",
        "d=\"M0.0 0.0h0M1000.0 300.0h0\"",
        "<li>1.5</li>",
        "<b>val/acc</b>",
    ] {
        assert!(shown.contains(wanted), "{wanted} is missing in {shown}");
    }
    assert!(page(&app, &project, "").await.contains("/exp001/metrics"), "there is a tab on every page of the run");
    let over_time = page(&app, &project, "/metrics?x=time").await;
    assert!(over_time.contains("Points of which no time is known are left out."), "{over_time}");
}

#[tokio::test]
async fn a_run_without_series_has_no_tab_and_a_page_that_says_how_to_get_some() {
    let (app, project) = running().await;
    assert!(!page(&app, &project, "").await.contains("/exp001/metrics"));
    let empty = page(&app, &project, "/metrics").await;
    assert!(empty.contains("No metrics yet") && empty.contains("$TRACE_METRICS"), "{empty}");
}

#[tokio::test]
async fn series_are_found_by_name_and_come_a_page_at_a_time() {
    let (app, project) = running().await;
    let points: Vec<Value> = (0..60).map(|number| json!({"name": format!("s{number:02}"), "value": number})).collect();
    send(&app, &project, "metrics", 0, &points).await;
    let charts = |page: &str| page.matches("<figure class=\"chart\"").count();
    let first = page(&app, &project, "/metrics").await;
    assert!(charts(&first) == 24 && first.contains("1 to 24 of 60 series") && first.contains("metrics?page=2"));
    let last = page(&app, &project, "/metrics?page=3").await;
    assert!(charts(&last) == 12 && last.contains("49 to 60 of 60 series") && last.contains("<b>s59</b>"));
    for beyond in ["page=99", "page=0", "page=-1", "page=x"] {
        assert!(charts(&page(&app, &project, &format!("/metrics?{beyond}")).await) > 0, "{beyond}");
    }
    let filtered = page(&app, &project, "/metrics?q=S5").await;
    assert!(charts(&filtered) == 10 && filtered.contains("value=\"S5\""), "{filtered}");
    let none = page(&app, &project, "/metrics?q=nothing").await;
    assert!(none.contains("Nothing matches"), "{none}");
}

#[tokio::test]
async fn a_name_is_text_whatever_it_says() {
    let (app, project) = running().await;
    let bait = "\"><script>hit()</script><svg onload=hit()>'{{ 7*7 }}";
    send(&app, &project, "metrics", 0, &counted(bait, 0, 3)).await;
    let shown = page(&app, &project, "/metrics").await;
    assert!(!shown.contains("<script>hit()") && !shown.contains("<svg onload"), "{shown}");
    let filtered = page(&app, &project, "/metrics?q=%22%3E%3Cscript%3E").await;
    assert!(filtered.contains("&#60;script&#62;") && !filtered.contains("<script>hit()"), "{filtered}");
}

#[tokio::test]
async fn members_see_the_charts_and_strangers_do_not() {
    let (app, project) = running().await;
    send(&app, &project, "metrics", 0, &counted("loss", 0, 3)).await;
    let path = format!("/projects/{}/runs/exp001/metrics", project.slug);
    let (viewer, stranger) = (app.account("viewer@example.org").await, app.account("stranger@example.org").await);
    app.join(&project, "viewer@example.org", Role::Viewer).await;
    app.get(&viewer, &path).await.expect(200);
    app.get(&stranger, &path).await.expect(404);
}

#[tokio::test]
async fn a_chart_asks_for_its_points_and_for_more_of_a_part() {
    let (app, project) = running().await;
    let mut points = counted("val/loss", 0, 40_000);
    points[20_500]["value"] = json!("-Infinity");
    for (place, part) in points.chunks(10_000).enumerate() {
        send(&app, &project, "metrics", place * 10_000, part).await;
    }
    let ask = async |query: &str| -> Value {
        let path = format!("/projects/{}/runs/exp001/metrics/points?name=val%2Floss{query}", project.slug);
        app.get(&project.cookie, &path).await.expect(200).json()
    };
    let places = |answer: &Value| -> Vec<f64> {
        answer["x"].as_array().unwrap().iter().map(|place| place.as_f64().unwrap()).collect()
    };
    let all = ask("&points=100").await;
    assert!(places(&all).len() <= 100 && places(&all).last() == Some(&39_999.0), "{all}");
    assert_eq!(all["facts"].as_str().unwrap().replace('\u{a0}', " ").split(',').next(), Some("40 000 points"));

    // Every point of the part, and the two beside it.
    let part = ask("&from=20498.5&to=20501").await;
    assert_eq!(places(&part), [20_498.0, 20_499.0, 20_500.0, 20_501.0, 20_502.0]);
    assert_eq!((&part["odd"], &part["y"][2]), (&json!([[2, "-Infinity"]]), &Value::Null));
    // Whoever has most of it asks for the end.
    let end = ask("&from=39998").await;
    assert!(places(&end).ends_with(&[39_998.0, 39_999.0]) && places(&end).len() <= 3, "{end}");
    // A wide part is drawn from summaries, and what can't be read is not asked for.
    let wide = ask("&from=10&to=39990&points=200").await;
    assert!((60..=200).contains(&places(&wide).len()), "{wide}");
    assert_eq!(places(&ask("&from=x&to=NaN&points=100").await), places(&all));
    for missing in ["", "?name=", "?name=other", "?name=a%00b"] {
        let path = format!("/projects/{}/runs/exp001/metrics/points{missing}", project.slug);
        app.get(&project.cookie, &path).await.expect(404);
    }
}
