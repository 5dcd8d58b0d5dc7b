//! Clocks that are wrong, or jump: the server's, and those of the machines that runs come from.

use otrace_server::services;
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::{RUN, append, asked, printed, run, send};

#[tokio::test]
async fn a_server_whose_clock_jumps_takes_everything_and_counts_on() {
    let app = TestApp::new().await;
    let project = with_a_lasting_key(&app).await;
    let jumps = [
        Duration::ZERO,
        Duration::days(-3_653),
        Duration::days(7_305),
        Duration::hours(-1),
        Duration::hours(1),
        Duration::days(27_000),
        Duration::days(-27_000),
    ];
    for (index, jump) in jumps.into_iter().enumerate() {
        app.app.clock.advance(jump);
        let name = format!("exp{:03}", index + 1);
        let created = send(&app, &project, "POST", "/v1/runs", asked(Uuid::now_v7())).await;
        assert_eq!(created["run"]["experiment_id"], name, "numbers go on");
        let path = format!("/v1/runs/{name}");
        send(&app, &project, "PATCH", &path, json!({"status": "running"})).await;
        let log = format!("{path}/logs/stdout?offset=0");
        app.api_raw(&project.key, "POST", &log, b"printed\n".to_vec()).await.expect(200);
        let points =
            json!({"batches": [{"source": "m", "first": 0, "points": [{"name": "loss", "step": 1, "value": 0.5}]}]});
        send(&app, &project, "POST", &format!("{path}/series"), points).await;
        send(&app, &project, "POST", &format!("{path}/heartbeat"), json!({})).await;
        services::contact::look_for_silent_runs(&app.app).await.unwrap();
        let found = send_nothing(&app, &project.key, &path).await;
        assert_eq!(found["run"]["status"], "running", "{name} was heard of just now");
        let end = json!({"status": "completed", "exit_code": 0, "duration_seconds": 1.5});
        send(&app, &project, "PATCH", &path, end).await;
        let found = send_nothing(&app, &project.key, &path).await;
        assert_eq!((&found["run"]["status"], &found["run"]["duration_seconds"]), (&json!("completed"), &json!(1.5)));
    }
}

/// A project with a key that no jump of the clock ends.
async fn with_a_lasting_key(app: &TestApp) -> TestProject {
    let project = app.project("wake-word").await;
    let input = NewKeyInput { lifetime_days: None, ..NewKeyInput::named("lasting") };
    let key = app.another_key(&project, input).await;
    TestProject { key: key.key, ..project }
}

async fn send_nothing(app: &TestApp, key: &str, path: &str) -> serde_json::Value {
    app.api(key, "GET", path, None).await.expect(200).json()
}

#[tokio::test]
async fn a_run_that_a_jump_of_the_clock_gave_up_is_healed_by_its_next_word() {
    let app = TestApp::new().await;
    let project = with_a_lasting_key(&app).await;
    send(&app, &project, "POST", "/v1/runs", asked(Uuid::now_v7())).await;
    send(&app, &project, "PATCH", RUN, json!({"status": "running"})).await;
    append(&app, &project, 0, b"one\n").await;
    app.app.clock.advance(Duration::days(3_653));
    services::contact::look_for_silent_runs(&app.app).await.unwrap();
    assert_eq!(run(&app, &project).await["status"], "capture_failed");
    app.app.clock.advance(Duration::days(-3_653));
    append(&app, &project, 4, b"two\n").await;
    assert_eq!(run(&app, &project).await["status"], "running");
    assert_eq!(printed(&app, &project).await, b"one\ntwo\n");
}

#[tokio::test]
async fn a_machine_whose_clock_is_years_off_is_taken_as_it_is() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    for (index, (began, ended)) in [
        ("2016-06-01T12:00:00Z", "2016-06-01T12:00:01Z"),
        ("2036-06-01T12:00:00Z", "2036-06-01T12:00:01Z"),
        // Set back while the command ran.
        ("2036-06-01T12:00:00Z", "2016-06-01T12:00:00Z"),
        ("1970-01-01T00:00:00Z", "2038-01-19T03:14:08Z"),
        ("2100-02-28T23:59:59Z", "2100-03-01T00:00:00Z"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("exp{:03}", index + 1);
        let mut new = asked(Uuid::now_v7());
        new["created_at"] = json!(began);
        let created = send(&app, &project, "POST", "/v1/runs", new).await;
        assert_eq!(created["run"]["experiment_id"], name, "in the order in which they came");
        let end = json!({
            "status": "completed", "exit_code": 0, "duration_seconds": 0.9, "started_at": began, "finished_at": ended,
        });
        send(&app, &project, "PATCH", &format!("/v1/runs/{name}"), end).await;
        let page = app.get(&project.cookie, &format!("/projects/{}/runs/{name}", project.slug)).await.expect(200);
        assert!(page.text().replace('\u{a0}', " ").contains("0.9 s"), "the duration is the machine's own: {began}");
    }
    app.get(&project.cookie, &format!("/projects/{}/runs", project.slug)).await.expect(200);
}
