//! Series as they are read: every value as it is, and as few points as are asked for.

use otrace_server::domain::{ProjectId, RunRef};
use otrace_server::services;
use otrace_wire::series::{Point, SeriesBatch};
use serde_json::{Value, json};

use super::{SERIES, counted, csv, get, running, send};

#[tokio::test]
async fn every_value_reads_back_as_it_was_sent() {
    let (app, project) = running().await;
    let values =
        [json!(0.1), json!(-0.0), json!(1e300), json!(5e-324), json!("NaN"), json!("Infinity"), json!("-Infinity")];
    let points: Vec<Value> = values.iter().map(|value| json!({"name": "val/loss", "value": value})).collect();
    send(&app, &project, "metrics", 0, &points).await;
    let read = get(&app, &project, "/val/loss").await;
    let found: Vec<Value> = read["points"].as_array().unwrap().iter().map(|point| point[1].clone()).collect();
    assert_eq!(found, values);
    assert_eq!(read["points"][6][0], 6, "where no step is told, points are counted");
    let rows = "0,,0.1\n1,,-0.0\n2,,1e300\n3,,5e-324\n4,,NaN\n5,,Infinity\n6,,-Infinity\n";
    assert_eq!(csv(&app, &project, "val/loss").await, format!("step,time,value\n{rows}"));
    let series = &read["series"];
    assert_eq!((&series["count"], &series["not_finite"], &series["last"]), (&json!(7), &json!(3), &json!("-Infinity")));
    assert_eq!((&series["min"], &series["max"], &series["last_time"]), (&json!(-0.0), &json!(1e300), &Value::Null));
}

#[tokio::test]
async fn pythons_words_for_numbers_are_read_too() {
    let (app, project) = running().await;
    let body = r#"{"batches": [{"source": "m", "first": 0, "points": [{"name": "loss", "value": NaN}, {"name": "loss", "value": 1e999}]}]}"#;
    app.api_raw(&project.key, "POST", SERIES, body).await.expect(200);
    assert_eq!(csv(&app, &project, "loss").await, "step,time,value\n0,,NaN\n1,,Infinity\n");
}

#[tokio::test]
async fn a_chart_has_as_few_points_as_it_asks_for_with_ends_and_extremes_among_them() {
    let (app, project) = running().await;
    // Long enough to be drawn from summaries, with something that waits behind them.
    let mut points = counted("loss", 0, 90_000);
    points[45_678]["value"] = json!(-1e6);
    points[89_990]["value"] = json!(1e6);
    points[12_345]["value"] = json!("NaN");
    for (place, part) in points.chunks(10_000).enumerate() {
        send(&app, &project, "metrics", place * 10_000, part).await;
    }
    send(&app, &project, "metrics", 90_000, &counted("loss", 90_000, 90_500)).await;
    for most in [10, 100, 1_000] {
        let read = get(&app, &project, &format!("/loss?points={most}")).await;
        let found = read["points"].as_array().unwrap();
        assert!(found.len() <= most && found.len() * 3 >= most, "{} of {most}", found.len());
        let steps: Vec<i64> = found.iter().map(|point| point[0].as_i64().unwrap()).collect();
        assert!(steps.is_sorted(), "{steps:?}");
        assert_eq!((steps[0], steps[steps.len() - 1]), (0, 90_499));
        for step in [45_678, 89_990] {
            assert!(steps.contains(&step), "{step} of {most}");
        }
        assert!(found.iter().any(|point| point[1] == "NaN"), "{most}");
        assert_eq!(read["series"]["count"], 90_500);
    }
}

#[tokio::test]
async fn a_chart_over_time_leaves_out_what_has_none() {
    let (app, project) = running().await;
    let points = [json!({"name": "loss", "time": 1_780_000_000.5, "value": 1}), json!({"name": "loss", "value": 2})];
    send(&app, &project, "metrics", 0, &points).await;
    let read = get(&app, &project, "/loss?x=time").await;
    assert_eq!((&read["x"], &read["points"]), (&json!("time"), &json!([[1_780_000_000.5, 1.0]])));
    assert_eq!(get(&app, &project, "/loss").await["points"], json!([[0, 1.0], [1, 2.0]]));
}

#[tokio::test]
async fn a_run_without_series_has_an_empty_list() {
    let (app, project) = running().await;
    assert_eq!(get(&app, &project, "").await, json!({"ok": true, "series": []}));
    let missing = app.api(&project.key, "GET", &format!("{SERIES}/loss"), None).await.expect(404).json();
    assert_eq!(missing["error"], "Series not found");
    app.api(&project.key, "GET", &format!("{SERIES}/loss?format=csv"), None).await.expect(404);
    app.api(&project.key, "GET", &format!("{SERIES}/a%00b"), None).await.expect(404);
}

#[tokio::test]
async fn a_million_points_stay_usable() {
    let (app, project) = running().await;
    let run: RunRef = "exp001".parse().unwrap();
    let id = ProjectId(project.id);
    for first in (0..1_000_000_i64).step_by(10_000) {
        let point = |step: i64| Point { name: "loss".to_owned(), step: Some(step), time: None, value: 0.5 };
        let points = (first..first + 10_000).map(point).collect();
        let batch = SeriesBatch { source: "metrics".to_owned(), first: first.cast_unsigned(), points };
        services::series::add(&app.app, id, run, &[batch]).await.unwrap();
    }
    let chart = services::series::chart(&app.app, id, run, "loss", 1_000).await.unwrap();
    assert_eq!(chart.series.stats.count, 1_000_000);
    assert!((300..=1_000).contains(&chart.samples.len()), "{}", chart.samples.len());
    assert_eq!(chart.samples.last().map(|sample| sample.step), Some(999_999));
    let bytes: i64 = sqlx::query_scalar("SELECT sum(octet_length(points))::bigint FROM series_chunks")
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    assert!(bytes < 4_000_000, "{bytes} bytes");
}
