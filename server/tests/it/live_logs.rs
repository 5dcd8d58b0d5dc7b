//! What runs print while they run, and runs whose machines fall silent.

use axum::body::Body;
use axum::http::Request;
use otrace_server::services;
use otrace_server::testing::{TestApp, TestProject, TestResponse};
use otrace_wire::Sha256Digest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::Duration;

const STDOUT: &str = "/v1/runs/exp001/logs/stdout";

/// A run that goes on.
async fn running() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "does it converge?").await;
    app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(json!({"status": "running"}))).await.expect(200);
    (app, project)
}

async fn append(app: &TestApp, project: &TestProject, offset: usize, bytes: &[u8]) -> u64 {
    let path = format!("{STDOUT}?offset={offset}");
    let answer = app.api_raw(&project.key, "POST", &path, bytes.to_vec()).await.expect(200).json();
    answer["next_offset"].as_u64().unwrap()
}

async fn read(app: &TestApp, project: &TestProject, from: usize) -> TestResponse {
    app.api(&project.key, "GET", &format!("{STDOUT}?from={from}"), None).await.expect(200)
}

async fn run(app: &TestApp, project: &TestProject) -> Value {
    app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json()["run"].clone()
}

async fn page(app: &TestApp, project: &TestProject, path: &str) -> String {
    let path = format!("/projects/{}/runs{path}", project.slug);
    let request = Request::get(path).header("cookie", app.session(&project.email).await).body(Body::empty()).unwrap();
    app.send(request).await.expect(200).text()
}

#[tokio::test]
async fn pieces_make_one_stream_however_often_and_in_which_order_they_come() {
    let (app, project) = running().await;
    assert_eq!(append(&app, &project, 0, b"epoch 1\n").await, 8);
    assert_eq!(append(&app, &project, 0, b"epoch 1\n").await, 8, "repeated");
    assert_eq!(append(&app, &project, 16, b"epoch 3\n").await, 8, "what comes too early is not taken");
    assert_eq!(append(&app, &project, 4, b"h 1\nepoch 2\n").await, 16, "overlapping");
    assert_eq!(append(&app, &project, 16, b"").await, 16, "empty");
    let answer = read(&app, &project, 0).await;
    assert_eq!((answer.text().as_str(), answer.header("x-next-offset")), ("epoch 1\nepoch 2\n", "16"));
    assert_eq!(read(&app, &project, 12).await.text(), "h 2\n");
    assert_eq!(read(&app, &project, 99).await.text(), "");
    assert!(page(&app, &project, "/exp001/logs").await.contains("epoch 2"));
}

#[tokio::test]
async fn pieces_that_come_at_once_are_each_taken_once() {
    let (app, project) = running().await;
    let text: Vec<u8> = (0..40).flat_map(|line| format!("line {line:03}\n").into_bytes()).collect();
    let pieces = text.chunks(9).enumerate().map(|(index, piece)| (index * 9, piece));
    let mut end = 0;
    // However they arrive: who is told to go back does so.
    while end < text.len() as u64 {
        let sends = pieces.clone().map(|(offset, piece)| append(&app, &project, offset, piece));
        let ends = futures_util::future::join_all(sends).await;
        end = ends.into_iter().max().unwrap();
    }
    assert_eq!(read(&app, &project, 0).await.body, text);
}

#[tokio::test]
async fn a_long_stream_moves_out_of_the_database_and_reads_as_before() {
    let (app, project) = running().await;
    let mut all = Vec::new();
    for number in 0..12_u32 {
        let piece: Vec<u8> =
            (0..250_000_u32).flat_map(|i| (i ^ number.wrapping_mul(2_654_435_761)).to_be_bytes()).collect();
        append(&app, &project, all.len(), &piece).await;
        all.extend(piece);
    }
    let here: i64 = sqlx::query_scalar("SELECT COALESCE(sum(length(bytes)), 0)::bigint FROM log_chunks")
        .fetch_one(&app.app.pool)
        .await
        .unwrap();
    assert!(here <= 9 * 1024 * 1024, "{here} bytes of {} are in the database", all.len());
    let mut read_back = Vec::new();
    while read_back.len() < all.len() {
        read_back.extend(read(&app, &project, read_back.len()).await.body);
    }
    assert!(read_back == all, "every byte in its place");
    assert_eq!(read(&app, &project, 3_999_990).await.body[..20], all[3_999_990..4_000_010]);
}

#[tokio::test]
async fn the_whole_log_takes_the_place_of_its_pieces() {
    let (app, project) = running().await;
    append(&app, &project, 0, b"first ").await;
    let whole = b"first and last\n";
    let digest = Sha256Digest::new(Sha256::digest(whole).into());
    app.api_raw(&project.key, "PUT", &format!("/v1/contents/{}", digest.hex()), whole.to_vec()).await.expect(200);
    let details = json!({"logs": [{"stream": "stdout", "hash": digest, "size_bytes": whole.len()}]});
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    assert_eq!(read(&app, &project, 0).await.body, whole);
    assert_eq!(append(&app, &project, 6, b"late").await, 15, "a late piece adds nothing");
    let pieces: i64 = sqlx::query_scalar("SELECT count(*) FROM log_chunks").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(pieces, 0);
    assert!(page(&app, &project, "/exp001/logs").await.contains("first and last"));
}

#[tokio::test]
async fn log_files_grow_beside_the_streams_and_are_shown() {
    let (app, project) = running().await;
    let file = "/v1/runs/exp001/logs/log?path=logs%2Ftrain%20%26%20test.log";
    let send = async |path: &str, bytes: &'static str| {
        app.api_raw(&project.key, "POST", path, bytes).await.expect(200).json()["next_offset"].as_u64().unwrap()
    };
    append(&app, &project, 0, b"printed\n").await;
    assert_eq!(send(&format!("{file}&offset=0"), "step 1\n").await, 7);
    assert_eq!(send(&format!("{file}&offset=0"), "step 1\nstep 2\n").await, 14, "only what is new");
    assert_eq!(send("/v1/runs/exp001/logs/log?path=other.log&offset=0", "of another file\n").await, 16);
    assert_eq!(read(&app, &project, 0).await.text(), "printed\n");
    let answer = app.api(&project.key, "GET", &format!("{file}&from=7"), None).await.expect(200);
    assert_eq!((answer.text().as_str(), answer.header("x-next-offset")), ("step 2\n", "14"));

    let logs = page(&app, &project, "/exp001/logs?log=log&path=logs%2Ftrain%20%26%20test.log").await;
    assert!(logs.contains("<span>step 2</span>") && !logs.contains("of another file"), "{logs}");
    assert!(logs.contains("logs/train &#38; test.log") && logs.contains("other.log"), "{logs}");

    // One file arrives whole; what came of the other is all that there is of it.
    let details = json!({"logs": [
        {"stream": "stdout", "path": ".trace/logs/exp001.stdout.log", "text_content": "printed\nto the end\n"},
        {"stream": "log", "path": "other.log", "text_content": "all of another file\n"},
    ]});
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    let pieces: Vec<String> =
        sqlx::query_scalar("SELECT path FROM log_chunks ORDER BY start_byte").fetch_all(&app.app.pool).await.unwrap();
    assert_eq!(pieces, ["logs/train & test.log"; 2]);
    assert_eq!(app.api(&project.key, "GET", &format!("{file}&from=0"), None).await.text(), "step 1\nstep 2\n");
    assert_eq!(send("/v1/runs/exp001/logs/log?path=other.log&offset=16", "late").await, 20);
    for (choice, line) in [("log=0", "to the end"), ("log=1", "all of another file")] {
        assert!(page(&app, &project, &format!("/exp001/logs?{choice}")).await.contains(line), "{choice}");
    }
    let logs = page(&app, &project, "/exp001/logs?log=log&path=logs%2Ftrain%20%26%20test.log").await;
    assert!(logs.contains("<span>step 2</span>"), "{logs}");
}

#[tokio::test]
async fn a_run_sends_so_many_log_files_while_it_runs() {
    let (app, project) = running().await;
    let send = async |number: usize, status: u16| {
        let path = format!("/v1/runs/exp001/logs/log?path=part-{number}.log&offset=0");
        app.api_raw(&project.key, "POST", &path, "text\n").await.expect(status)
    };
    for number in 0..20 {
        send(number, 200).await;
    }
    assert!(send(20, 409).await.text().contains("at most 20 log files"));
    assert_eq!(send(19, 200).await.json()["next_offset"], 5, "those that are there go on");
    append(&app, &project, 0, b"and so do the streams\n").await;
}

#[tokio::test]
async fn a_page_asks_for_what_is_new_by_its_place() {
    let (app, project) = running().await;
    append(&app, &project, 0, b"epoch 1\n\x1b[32mepoch 2\x1b[0m\n 10%\r 20%").await;
    let lines = async |query: &str| -> Value {
        let path = format!("/projects/{}/runs/exp001/logs/lines?{query}", project.slug);
        let cookie = app.session(&project.email).await;
        app.get(&cookie, &path).await.expect(200).json()
    };
    let first = lines("log=stdout&from=0").await;
    assert_eq!(first["lines"], json!([["epoch 1", ""], ["epoch 2", "", [[7, "t-green"]]], [" 20%", ""]]));
    assert_eq!((&first["start"], &first["next"], &first["open"]), (&json!(0), &json!(25), &json!(true)));
    append(&app, &project, 34, b"\r100%\nValueError: no\n").await;
    let second = lines("log=stdout&from=25").await;
    assert_eq!(second["lines"], json!([["100%", ""], ["ValueError: no", "err"]]));
    assert_eq!((&second["open"], &second["more"], &second["left_out"]), (&json!(false), &json!(false), &Value::Null));
    let nothing = lines(&format!("log=stdout&from={}", second["next"])).await;
    assert_eq!((&nothing["lines"], &nothing["next"]), (&json!([]), &second["next"]));

    // Once the whole log has arrived the same question finds it.
    let details = json!({"logs": [{"stream": "stdout", "text_content": "epoch 1\nthe end"}]});
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    let whole = lines("log=stdout&from=8").await;
    assert_eq!((&whole["lines"], &whole["next"]), (&json!([["the end", ""]]), &json!(15)));
    let cookie = app.session(&project.email).await;
    for query in ["log=stderr&from=0", "log=log&path=x", "log=7"] {
        let path = format!("/projects/{}/runs/exp001/logs/lines?{query}", project.slug);
        app.get(&cookie, &path).await.expect(404);
    }
}

#[tokio::test]
async fn of_a_long_log_the_start_and_the_end_are_shown_and_the_rest_in_parts() {
    let (app, project) = running().await;
    let text = (1..=60_000).map(|line| format!("line {line}\n")).collect::<Vec<_>>().concat();
    append(&app, &project, 0, text.as_bytes()).await;
    let logs = page(&app, &project, "/exp001/logs").await;
    for shown in ["<span>line 1</span>", "<span>line 200</span>", "<span>line 58001</span>", "<span>line 60000</span>"]
    {
        assert!(logs.contains(shown), "{shown}");
    }
    assert!(!logs.contains("<span>line 201</span>") && !logs.contains("<span>line 58000</span>"));
    let end = text.find("line 58001\n").unwrap();
    assert!(logs.contains(&format!("log=stdout&#38;before={end}")), "a way to what is left out");

    let earlier = page(&app, &project, &format!("/exp001/logs?log=stdout&before={end}")).await;
    assert!(earlier.contains("<span>line 58000</span>") && earlier.contains("<span>line 56001</span>"));
    assert!(!earlier.contains("<span>line 58001</span>") && earlier.contains("To the end"));
    let path = format!("/projects/{}/runs/exp001/logs/lines?log=stdout&from=0&before={end}", project.slug);
    let cookie = app.session(&project.email).await;
    let part = app.get(&cookie, &path).await.expect(200).json();
    assert_eq!(part["start"].as_u64(), text.find("line 56001\n").map(|start| start as u64));
    assert_eq!((&part["lines"][1999][0], part["next"].as_u64()), (&json!("line 58000"), Some(end as u64)));
}

#[tokio::test]
async fn what_is_no_piece_of_a_log_is_refused_with_a_sentence() {
    let (app, project) = running().await;
    for (path, body, status) in [
        ("/v1/runs/exp001/logs/stdout?offset=-1", vec![0], 400),
        ("/v1/runs/exp001/logs/stdout?offset=x", vec![0], 400),
        ("/v1/runs/exp001/logs/stdout", vec![0], 400),
        ("/v1/runs/exp001/logs/stdin?offset=0", vec![0], 404),
        ("/v1/runs/exp001/logs/log?offset=0", vec![0], 400),
        ("/v1/runs/exp001/logs/log?offset=0&path=", vec![0], 400),
        ("/v1/runs/exp001/logs/log?offset=0&path=a%00b", vec![0], 400),
        ("/v1/runs/exp001/logs/stderr?offset=0&path=a.log", vec![0], 400),
        ("/v1/runs/exp999/logs/stdout?offset=0", vec![0], 404),
        ("/v1/runs/exp001/logs/stdout?offset=0", vec![0; 1024 * 1024 + 1], 413),
    ] {
        let answer = app.api_raw(&project.key, "POST", path, body).await.expect(status).json();
        assert!(answer["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{path}: {answer}");
    }
    let long = format!("/v1/runs/exp001/logs/log?offset=0&path={}", "x".repeat(4097));
    app.api_raw(&project.key, "POST", &long, vec![0]).await.expect(400);
    let far = format!("{STDOUT}?offset={}", i64::MAX);
    let answer = app.api_raw(&project.key, "POST", &far, vec![0]).await.expect(200).json();
    assert_eq!(answer["next_offset"], 0, "a place beyond the end");
    app.api(&project.key, "GET", &format!("{STDOUT}?from=-1"), None).await.expect(400);
    assert_eq!(read(&app, &project, 0).await.text(), "");
}

#[tokio::test]
async fn a_run_that_falls_silent_is_out_of_contact_and_heals() {
    let (app, project) = running().await;
    let heartbeat = async || app.api(&project.key, "POST", "/v1/runs/exp001/heartbeat", None).await.expect(200).json();
    assert_eq!(heartbeat().await["interval_seconds"], 15);
    app.app.clock.advance(Duration::seconds(90));
    assert!(!page(&app, &project, "/exp001").await.contains("Nothing was heard"));
    app.app.clock.advance(Duration::minutes(2));
    assert!(page(&app, &project, "/exp001").await.contains("Nothing was heard of its machine for 3"));
    assert!(page(&app, &project, "").await.contains("out of contact for 3"));
    append(&app, &project, 0, b"still here\n").await;
    assert!(!page(&app, &project, "/exp001").await.contains("Nothing was heard"));
}

#[tokio::test]
async fn a_run_that_stays_silent_is_given_up_and_goes_on_when_it_is_heard_of() {
    let (app, project) = running().await;
    app.api(&project.key, "POST", "/v1/runs/exp001/heartbeat", None).await.expect(200);
    app.app.clock.advance(Duration::minutes(59));
    services::contact::look_for_silent_runs(&app.app).await.unwrap();
    assert_eq!(run(&app, &project).await["status"], "running");
    app.app.clock.advance(Duration::minutes(2));
    services::contact::look_for_silent_runs(&app.app).await.unwrap();
    assert_eq!(run(&app, &project).await["status"], "capture_failed");

    append(&app, &project, 0, b"the network was away\n").await;
    let healed = run(&app, &project).await;
    assert_eq!((healed["status"].as_str(), &healed["finished_at"]), (Some("running"), &Value::Null));
    let outcome = json!({"status": "completed", "exit_code": 0});
    app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(outcome)).await.expect(200);
    app.app.clock.advance(Duration::days(30));
    services::contact::look_for_silent_runs(&app.app).await.unwrap();
    assert_eq!(run(&app, &project).await["status"], "completed");
}

#[tokio::test]
async fn a_run_whose_recorder_dies_before_it_has_begun_is_out_of_contact_and_then_given_up() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let asked = json!({"intent": "i", "setup": "s", "command": "c", "recorder": "otrace 0.2.0"});
    app.api(&project.key, "POST", "/v1/runs", Some(asked)).await.expect(200);
    app.app.clock.advance(Duration::minutes(3));
    assert!(page(&app, &project, "/exp001").await.contains("Nothing was heard of its machine for 3"));
    app.app.clock.advance(Duration::hours(25));
    services::contact::look_for_silent_runs(&app.app).await.unwrap();
    assert_eq!(run(&app, &project).await["status"], "capture_failed");
}

#[tokio::test]
async fn a_client_that_never_says_that_it_is_there_is_not_given_up() {
    let (app, project) = running().await;
    app.app.clock.advance(Duration::days(30));
    services::contact::look_for_silent_runs(&app.app).await.unwrap();
    assert_eq!(run(&app, &project).await["status"], "running");
    assert!(!page(&app, &project, "/exp001").await.contains("Nothing was heard"));
}
