//! What is refused, and that nothing of it stays.

use serde_json::{Value, json};

use super::{SERIES, batch, counted, get, running, send};

#[tokio::test]
async fn what_can_not_be_kept_is_refused_with_a_sentence() {
    let (app, project) = running().await;
    let point = |name: &str| json!({"name": name, "value": 1});
    let long = "x".repeat(256);
    for (wrong, word) in [
        (batch("metrics", 0, &vec![point("loss"); 10_001]), "10,000 points"),
        (batch("metrics", 0, &[point("")]), "1 to 255 bytes"),
        (batch("metrics", 0, &[point(&long)]), "1 to 255 bytes"),
        (batch("metrics", 0, &[point("a\nb")]), "1 to 255 bytes"),
        (batch(&long, 0, &[point("loss")]), "1 to 255 bytes"),
        (batch("metrics", 0, &[json!({"name": "loss", "value": "high"})]), "the form"),
        (batch("metrics", 0, &[json!({"name": "loss", "value": null})]), "the form"),
        (batch("metrics", 0, &[json!({"name": "loss", "step": 1.5, "value": 1})]), "the form"),
        (json!({"batches": [{"source": "metrics", "first": -1, "points": []}]}), "the form"),
        (json!({"batches": [{"source": "metrics", "first": u64::MAX, "points": [point("loss")]}]}), "counted from 0"),
        (json!({}), "the form"),
    ] {
        let answer = app.api(&project.key, "POST", SERIES, Some(wrong)).await.expect(400).json();
        assert!(answer["error"].as_str().unwrap().contains(word), "{answer}");
    }
    for query in ["points=9", "points=20000", "points=many", "x=epoch", "format=xml"] {
        send(&app, &project, "metrics", 0, &counted("loss", 0, 1)).await;
        app.api(&project.key, "GET", &format!("{SERIES}/loss?{query}"), None).await.expect(400);
    }
}

#[tokio::test]
async fn a_run_that_has_all_the_series_it_may_have_takes_no_other_one_and_goes_on() {
    let (app, project) = running().await;
    let points: Vec<Value> = (0..10_000).map(|number| json!({"name": format!("s{number}"), "value": 1})).collect();
    assert_eq!(send(&app, &project, "metrics", 0, &points).await, 10_000);
    let more = batch("metrics", 10_000, &[json!({"name": "s0", "value": 2}), json!({"name": "another", "value": 2})]);
    let answer = app.api(&project.key, "POST", SERIES, Some(more)).await.expect(409).json();
    assert!(answer["error"].as_str().unwrap().contains("10,000 series"), "{answer}");
    let known = [json!({"name": "s0", "value": 2})];
    assert_eq!(send(&app, &project, "metrics", 10_000, &known).await, 10_001, "nothing of the refused request stayed");
    assert_eq!(get(&app, &project, "/s0").await["series"]["count"], 2);
}

#[tokio::test]
async fn points_come_from_so_many_sources_and_no_more() {
    let (app, project) = running().await;
    let one = |number: usize| json!({"source": format!("s{number}"), "first": 0, "points": counted("loss", 0, 1)});
    let batches: Vec<Value> = (0..1_000).map(one).collect();
    app.api(&project.key, "POST", SERIES, Some(json!({"batches": batches}))).await.expect(200);
    app.api(&project.key, "POST", SERIES, Some(json!({"batches": [one(1_000)]}))).await.expect(409);
    assert_eq!(send(&app, &project, "s7", 1, &counted("loss", 1, 2)).await, 2);
}

#[tokio::test]
async fn series_of_another_project_or_of_a_deleted_run_are_not_there() {
    let (app, project) = running().await;
    send(&app, &project, "metrics", 0, &counted("loss", 0, 1)).await;
    let stranger = app.project("Elsewhere").await;
    let points = batch("metrics", 0, &counted("loss", 0, 1));
    for path in [SERIES.to_owned(), format!("{SERIES}/loss"), format!("{SERIES}/loss?format=csv")] {
        app.api(&stranger.key, "GET", &path, None).await.expect(404);
    }
    app.api(&stranger.key, "POST", SERIES, Some(points.clone())).await.expect(404);
    app.api(&project.key, "DELETE", "/v1/runs/exp001", None).await.expect(200);
    app.api(&project.key, "GET", SERIES, None).await.expect(404);
    app.api(&project.key, "POST", SERIES, Some(points)).await.expect(404);
}
