//! What a run printed as one text: standard output and error in the order in which they came.

use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};
use time::Duration;

/// The first second of 2026, in microseconds since 1970.
const BEGAN: i64 = 1_767_225_600_000_000;
const SECOND: i64 = 1_000_000;

async fn running() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    app.run(&project.key, "prints").await;
    (app, project)
}

async fn page(app: &TestApp, project: &TestProject, query: &str) -> String {
    app.get(&project.cookie, &format!("/projects/{}/runs/exp001/logs{query}", project.slug)).await.expect(200).text()
}

async fn answer(app: &TestApp, project: &TestProject, query: &str) -> Value {
    app.get(&project.cookie, &format!("/projects/{}/runs/exp001/logs/{query}", project.slug)).await.expect(200).json()
}

/// Sends the next piece of a stream, a second after the one before.
async fn print(app: &TestApp, project: &TestProject, stream: &str, offset: usize, text: &str) -> usize {
    app.app.clock.advance(Duration::seconds(1));
    let path = format!("/v1/runs/exp001/logs/{stream}?offset={offset}");
    app.api_raw(&project.key, "POST", &path, text.to_owned()).await.expect(200);
    offset + text.len()
}

/// "one" and "<b>three</b>" on standard output, which ends in the midst of a line; "two" and a red word on the other.
fn timed() -> Value {
    let out = json!([[0, BEGAN], [4, 2 * SECOND], [13, SECOND]]);
    let err = json!([[0, BEGAN + SECOND], [4, 3 * SECOND]]);
    json!({"logs": [
        {"stream": "stdout", "text_content": "one\n<b>three</b>\nloading", "times": out},
        {"stream": "stderr", "text_content": "two\n\u{1b}[31mTraceback\u{1b}[0m\n", "times": err},
    ]})
}

#[tokio::test]
async fn the_streams_of_a_run_that_has_ended_are_one_in_the_order_of_their_times() {
    let (app, project) = running().await;
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(timed())).await.expect(200);
    let lines = answer(&app, &project, "lines?log=both&after=0").await;
    assert_eq!(
        lines["lines"],
        json!([["one", ""], ["two", ""], ["<b>three</b>", ""], ["loading", ""], ["Traceback", "", [[9, "t-red"]]]])
    );
    let at = |seconds: i64| BEGAN / 1000 + seconds * 1000;
    assert_eq!(lines["came"], json!([[false, at(0)], [true, at(1)], [false, at(2)], [false, at(3)], [true, at(4)]]));
    assert_eq!((&lines["at"], &lines["bytes"]), (&json!([0, 4, 8, 21, 28]), &json!(47)));
    let found = answer(&app, &project, "find?log=both&q=traceback").await;
    assert_eq!((&found["found"], &found["after"]), (&json!(28), &json!(47)), "not the line that it follows");
    assert_eq!(answer(&app, &project, "find?log=both&line=5").await["found"], 28);

    let shown = page(&app, &project, "?log=both").await;
    for part in [
        "aria-current=\"page\"><span class=\"clip\">Both</span>",
        "<time datetime=\"2026-01-01T00:00:01.000Z\">00:00:01</time><small>stderr</small><span>two</span>",
        "<span>&#60;b&#62;three&#60;/b&#62;</span>",
        "<span class=\"t-red\">Traceback</span>",
        "In the order in which both were printed",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("<b>three"), "what is printed is no markup");
    let stdout = page(&app, &project, "").await;
    assert!(stdout.contains("logs?log=both\"") && !stdout.contains("<span>two</span>"), "{stdout}");
}

#[tokio::test]
async fn where_the_order_is_not_known_each_stream_stands_alone() {
    let (app, project) = running().await;
    let mut details = timed();
    // A time before the one before it: the log is kept, its times are not.
    details["logs"][1]["times"] = json!([[0, BEGAN], [4, -1]]);
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    let shown = page(&app, &project, "?log=both").await;
    assert!(shown.contains("<span>one</span>") && !shown.contains(">Both</span>"), "{shown}");
    let path = format!("/projects/{}/runs/exp001/logs/lines?log=both", project.slug);
    app.get(&project.cookie, &path).await.expect(404);
    assert!(page(&app, &project, "?log=1").await.contains("<span>two</span>"));
}

#[tokio::test]
async fn the_pieces_of_a_run_that_goes_on_stand_as_they_arrived_until_all_has() {
    let (app, project) = running().await;
    print(&app, &project, "stdout", 0, "one\n").await;
    assert!(!page(&app, &project, "").await.contains("log=both"), "one stream needs no order");
    print(&app, &project, "stderr", 0, "two\n").await;
    print(&app, &project, "stdout", 4, " 10%").await;
    let first = answer(&app, &project, "lines?log=both&from=0&growing=1").await;
    assert_eq!(first["lines"], json!([["one", ""], ["two", ""], [" 10%", ""]]));
    assert_eq!((&first["open"], &first["next"]), (&json!(true), &json!(8)));
    print(&app, &project, "stderr", 4, "oops\n").await;
    let next = answer(&app, &project, "lines?log=both&from=8&growing=1").await;
    assert_eq!(next["lines"], json!([[" 10%", ""], ["oops", ""]]));
    assert_eq!(next["came"][1][0], true);
    let shown = page(&app, &project, "?log=both").await;
    assert!(shown.contains("exact once the run has ended") && shown.contains("growing=1"), "{shown}");

    // Then all has another place: who has the pieces is not told how it goes on.
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(timed())).await.expect(200);
    let path = format!("/projects/{}/runs/exp001/logs/lines?log=both&from=17&growing=1", project.slug);
    app.get(&project.cookie, &path).await.expect(404);
}

#[tokio::test]
async fn the_order_outlives_the_move_of_old_pieces_out_of_the_database() {
    let (app, project) = running().await;
    let (mut out, mut err, mut joint) = (0, 0, 0);
    let mut places = Vec::new();
    for number in 0..12 {
        let text = format!("{number:02} {}\n", "x".repeat(996)).repeat(1000);
        out = print(&app, &project, "stdout", out, &text).await;
        joint += text.len();
        places.push(joint);
        let text = format!("after {number:02}\n");
        err = print(&app, &project, "stderr", err, &text).await;
        joint += text.len();
    }
    let moved: i64 = sqlx::query_scalar("SELECT count(*) FROM log_chunks WHERE sha256 IS NOT NULL")
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    assert!(moved > 0, "nothing was moved");
    let mut came = Vec::new();
    for (number, place) in places.into_iter().enumerate() {
        let part = answer(&app, &project, &format!("lines?log=both&after={place}")).await;
        assert_eq!(part["lines"][0], json!([format!("after {number:02}"), ""]));
        assert_eq!(part["came"][0][0], true);
        came.push((part["came"][0][1].as_i64().unwrap(), part["came"][1][1].as_i64()));
        if number < 11 {
            let text = part["lines"][1][0].as_str().unwrap();
            assert!(text.starts_with(&format!("{:02} xx", number + 1)), "{text}");
        }
    }
    // A second between a piece and the next, also where many became one.
    for (number, (at, next)) in came.iter().enumerate() {
        let passed = i64::try_from(number).unwrap() * 2000;
        assert_eq!(at - came[0].0, passed);
        assert!(next.is_none_or(|next| next == at + 1000), "{at} {next:?}");
    }
}

#[tokio::test]
async fn what_a_former_version_took_is_not_put_in_an_order() {
    let (app, project) = running().await;
    print(&app, &project, "stdout", 0, "one\n").await;
    print(&app, &project, "stderr", 0, "two\n").await;
    assert!(page(&app, &project, "").await.contains("log=both"));
    sqlx::query("UPDATE log_chunks SET joint_start = NULL, turns = NULL WHERE stream = 'stderr'")
        .execute(&app.app.pool)
        .await
        .unwrap();
    let shown = page(&app, &project, "?log=both").await;
    assert!(shown.contains("<span>one</span>") && !shown.contains(">Both</span>"), "{shown}");
}
