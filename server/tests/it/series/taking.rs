//! Each point is taken once, whatever comes twice, late, or at the same time.

use futures_util::future::join_all;
use otrace_wire::RunStatus;
use serde_json::{Value, json};
use time::Duration;

use super::{SERIES, batch, counted, csv, csv_of, get, running, send};

#[tokio::test]
async fn points_that_come_again_are_passed_over_and_none_is_taken_past_a_gap() {
    let (app, project) = running().await;
    assert_eq!(send(&app, &project, "metrics", 0, &counted("loss", 0, 4)).await, 4);
    assert_eq!(send(&app, &project, "metrics", 0, &counted("loss", 0, 4)).await, 4, "repeated");
    assert_eq!(send(&app, &project, "metrics", 6, &counted("loss", 6, 8)).await, 4, "too early");
    assert_eq!(send(&app, &project, "metrics", 2, &counted("loss", 2, 6)).await, 6, "overlapping");
    assert_eq!(send(&app, &project, "metrics", 6, &[]).await, 6, "empty");
    assert_eq!(send(&app, &project, "other", 0, &counted("acc", 0, 1)).await, 1, "each source counts for itself");
    assert_eq!(csv(&app, &project, "loss").await, csv_of(0, 6));
}

#[tokio::test]
async fn one_request_may_bring_several_batches_of_a_source() {
    let (app, project) = running().await;
    let batches = json!({"batches": [
        {"source": "a", "first": 0, "points": counted("loss", 0, 2)},
        {"source": "b", "first": 5, "points": counted("loss", 5, 6)},
        {"source": "a", "first": 2, "points": counted("loss", 2, 3)},
    ]});
    let answer = app.api(&project.key, "POST", SERIES, Some(batches)).await.expect(200).json();
    assert_eq!(answer, json!({"ok": true, "next": {"a": 3, "b": 0}}));
    assert_eq!(csv(&app, &project, "loss").await, csv_of(0, 3));
}

#[tokio::test]
async fn requests_that_come_at_once_take_each_point_once() {
    let (app, project) = running().await;
    let points = counted("loss", 0, 300);
    let requests =
        (0..30).map(|place| send(&app, &project, "metrics", place * 10, &points[place * 10..(place + 1) * 10]));
    join_all(requests).await;
    // Those that came too early were not taken; as clients do, go on from where the server stands.
    let mut next = 0;
    while next < points.len() {
        next = usize::try_from(send(&app, &project, "metrics", next, &points[next..]).await).unwrap();
    }
    assert_eq!(csv(&app, &project, "loss").await, csv_of(0, 300));
}

#[tokio::test]
async fn what_waits_and_what_is_in_chunks_is_one_series() {
    let (app, project) = running().await;
    // A chunk has 2,048 points, and 8,192 may wait: each of these ends in the middle of something.
    let mut sent = 0;
    for length in [1, 2_047, 1, 5_000, 4_000, 3_000, 10_000, 7] {
        let points = counted("loss", sent, sent + length);
        sent += length;
        assert_eq!(send(&app, &project, "metrics", sent - length, &points).await, sent as u64);
    }
    assert_eq!(csv(&app, &project, "loss").await, csv_of(0, sent));
    let listed = get(&app, &project, "").await["series"][0].clone();
    assert_eq!((&listed["count"], &listed["last_step"]), (&json!(24_056), &json!(24_055)));
    assert_eq!((&listed["min"], &listed["max"], &listed["not_finite"]), (&json!(0.0), &json!(24_055.0), &json!(0)));
}

#[tokio::test]
async fn many_series_with_few_points_each_are_all_there() {
    let (app, project) = running().await;
    let names: Vec<String> = (0..300).map(|number| format!("layer/{number:03}/norm")).collect();
    let mut first = 0;
    for step in 0..40 {
        let points: Vec<Value> = names.iter().map(|name| json!({"name": name, "step": step, "value": step})).collect();
        send(&app, &project, "metrics", first, &points).await;
        first += points.len();
    }
    let listed = get(&app, &project, "").await;
    let listed = listed["series"].as_array().unwrap();
    let found: Vec<&str> = listed.iter().map(|series| series["name"].as_str().unwrap()).collect();
    assert_eq!(found, names);
    assert!(listed.iter().all(|series| series["count"] == 40 && series["last"] == 39.0));
    let one = get(&app, &project, "/layer/123/norm").await;
    let steps: Vec<i64> = one["points"].as_array().unwrap().iter().map(|point| point[0].as_i64().unwrap()).collect();
    assert_eq!(steps, (0..40).collect::<Vec<i64>>());
}

#[tokio::test]
async fn points_are_a_sign_of_life_and_late_ones_are_taken() {
    let (app, project) = running().await;
    send(&app, &project, "metrics", 0, &counted("loss", 0, 1)).await;
    app.app.clock.advance(Duration::minutes(1));
    send(&app, &project, "metrics", 1, &counted("loss", 1, 2)).await;
    let heard: Option<time::OffsetDateTime> =
        sqlx::query_scalar("SELECT last_contact_at FROM runs").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(heard, Some(app.app.clock.now()));
    let end = json!({"status": RunStatus::Completed.as_str(), "exit_code": 0});
    app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(end)).await.expect(200);
    assert_eq!(send(&app, &project, "metrics", 2, &counted("loss", 2, 3)).await, 3);
    let run = app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json();
    assert_eq!(run["run"]["status"], "completed");
}

#[tokio::test]
async fn a_runs_own_token_adds_points_to_it_alone() {
    let (app, project) = running().await;
    let create = json!({"intent": "i", "setup": "s", "command": "c"});
    let created = app.api(&project.key, "POST", "/v1/runs", Some(create)).await.expect(200).json();
    let token = created["run_token"].as_str().unwrap();
    let points = batch("metrics", 0, &counted("loss", 0, 1));
    app.api(token, "POST", "/v1/runs/exp002/series", Some(points.clone())).await.expect(200);
    app.api(token, "POST", SERIES, Some(points)).await.expect(404);
    app.api(token, "GET", "/v1/runs/exp002/series", None).await.expect(401);
}
