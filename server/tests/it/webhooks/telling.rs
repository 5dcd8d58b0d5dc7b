//! What is told, and when.

use std::collections::BTreeSet;

use otrace_server::services;
use serde_json::{Value, json};
use time::Duration;

use super::receiver::{Heard, Receiver};
use super::{World, listening};

fn told(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(Heard::told).collect()
}

#[tokio::test]
async fn an_end_is_told_signed_and_once() {
    let (world, hook, mut receiver) = listening().await;
    let run = world.run().await;
    let results = json!({"results": [{"name": "accuracy", "value": 0.97}]});
    let path = format!("/v1/runs/{run}/details");
    world.app.api(&world.project.key, "PUT", &path, Some(results)).await.expect(200);
    world.patch(&run, json!({"status": "running"})).await;
    assert_eq!(world.deliver().await, 0, "a beginning is no end");
    let end = json!({"status": "completed", "exit_code": 0, "duration_seconds": 4.5});
    world.patch(&run, end.clone()).await;
    world.patch(&run, end).await;
    assert_eq!(world.deliver().await, 1);
    let heard = receiver.only();
    assert!(heard.is_signed_with(&hook.secret));
    assert!(!Heard { timestamp: "0".to_owned(), ..heard.clone() }.is_signed_with(&hook.secret));
    assert_eq!(heard.timestamp, world.app.app.clock.now().unix_timestamp().to_string());
    let message = heard.json();
    assert_eq!((&message["type"], &message["timestamp"]), (&json!("run.completed"), &json!("2026-06-01T12:00:00Z")));
    let data = &message["data"];
    assert_eq!((&data["project"], &data["experiment_id"]), (&json!("wake-word"), &json!("exp001")));
    assert_eq!(data["url"], "http://localhost:8000/projects/wake-word/runs/exp001");
    assert_eq!((&data["status"], &data["exit_code"]), (&json!("completed"), &json!(0)));
    assert_eq!((&data["duration_seconds"], &data["intent"]), (&json!(4.5), &json!("does it converge?")));
    assert_eq!(data["results"], json!([{"name": "accuracy", "value": 0.97}]));
    assert_eq!(world.deliver().await, 0);
}

#[tokio::test]
async fn ends_that_are_told_at_once_by_two_requests_are_one() {
    let (world, _hook, mut receiver) = listening().await;
    let run = world.run().await;
    let end = || world.patch(&run, json!({"status": "failed", "exit_code": 1}));
    tokio::join!(end(), end(), end(), end());
    while world.deliver().await > 0 {}
    assert_eq!(receiver.only().told(), "run.failed");
}

#[tokio::test]
async fn a_silence_and_its_end_are_told_once_each_and_so_is_a_run_that_is_given_up() {
    let (world, _hook, mut receiver) = listening().await;
    let run = world.run().await;
    let heartbeat = async || {
        let path = format!("/v1/runs/{run}/heartbeat");
        world.app.api(&world.project.key, "POST", &path, None).await.expect(200);
    };
    let look = async || services::contact::look_for_silent_runs(&world.app.app).await.unwrap();
    world.patch(&run, json!({"status": "running"})).await;
    heartbeat().await;
    world.advance(Duration::seconds(89));
    look().await;
    assert_eq!(world.deliver().await, 0);
    world.advance(Duration::seconds(2));
    tokio::join!(look(), look());
    look().await;
    assert_eq!(world.deliver().await, 1);
    let heard = receiver.only();
    assert_eq!((heard.told().as_str(), &heard.json()["data"]["status"]), ("run.out_of_contact", &json!("running")));
    assert_eq!(heard.json()["timestamp"], "2026-06-01T12:00:00Z", "since when nothing was heard");
    heartbeat().await;
    heartbeat().await;
    world.deliver().await;
    assert_eq!(receiver.only().told(), "run.back_in_contact");

    world.advance(Duration::hours(25));
    look().await;
    look().await;
    world.deliver().await;
    let heard = receiver.only();
    let told = (heard.told(), heard.json()["data"]["status"].clone());
    assert_eq!(told, ("run.capture_failed".to_owned(), json!("capture_failed")), "too late to tell of its silence");
    let log = format!("/v1/runs/{run}/logs/stdout?offset=0");
    world.app.api_raw(&world.project.key, "POST", &log, "still here\n").await.expect(200);
    world.deliver().await;
    assert_eq!(receiver.only().told(), "run.back_in_contact", "whatever it is heard by");
}

#[tokio::test]
async fn what_happens_with_a_run_is_told_in_order() {
    let (world, _hook, mut receiver) = listening().await;
    receiver.say_status(500);
    let run = world.run().await;
    for status in ["failed", "completed"] {
        world.patch(&run, json!({"status": status})).await;
    }
    assert_eq!(world.deliver().await, 1, "the second waits for the first");
    receiver.say_status(200);
    world.advance(Duration::seconds(7));
    while world.deliver().await > 0 {}
    assert_eq!(told(&receiver.so_far()), ["run.failed", "run.failed", "run.completed"]);
}

#[tokio::test]
async fn only_what_was_chosen_is_told_and_only_by_the_project_itself() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let other = world.app.project("Another").await;
    let fields = [("name", "CI"), ("url", receiver.url.as_str()), ("format", "trace"), ("event", "run.completed")];
    world.post(&world.path(""), &fields, 200).await;
    world.failed_run().await;
    let run = world.app.run(&other.key, "another").await;
    let path = format!("/v1/runs/{}", run["id"].as_str().unwrap());
    world.app.api(&other.key, "PATCH", &path, Some(json!({"status": "completed"}))).await.expect(200);
    assert_eq!(world.count("webhook_deliveries").await, 0);
}

#[tokio::test]
async fn slack_gets_a_message_in_which_a_run_calls_nobody() {
    let (world, mut receiver) = (World::new().await, Receiver::start().await);
    let hook = world.hook(&receiver.url, "slack").await;
    let body = json!({"title": "<!channel> & @all", "intent": "i", "setup": "s", "command": "c"});
    world.app.api(&world.project.key, "POST", "/v1/runs", Some(body)).await.expect(200);
    world.patch("exp001", json!({"status": "failed", "exit_code": 137, "signal": "SIGKILL"})).await;
    world.deliver().await;
    let heard = receiver.only();
    assert!(heard.is_signed_with(&hook.secret));
    let message = heard.json();
    let link = "<http://localhost:8000/projects/wake-word/runs/exp001|exp001>";
    assert_eq!(message["text"], format!("{link} failed in Wake word: &lt;!channel&gt; &amp; @\u{200b}all"));
    let fields: BTreeSet<&str> = message.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, BTreeSet::from(["text", "blocks"]));
    let ended = message["blocks"].as_array().and_then(|blocks| blocks.last()).map(Value::to_string);
    assert!(ended.is_some_and(|text| text.contains("ended by SIGKILL")), "{message}");
}

#[tokio::test]
async fn a_run_that_was_deleted_is_not_told_of() {
    let (world, hook, mut receiver) = listening().await;
    let run = world.failed_run().await;
    world.app.api(&world.project.key, "DELETE", &format!("/v1/runs/{run}"), None).await.expect(200);
    assert_eq!(world.deliver().await, 1);
    assert!(receiver.so_far().is_empty());
    assert!(world.page(&hook.url).await.contains("The run was deleted before this was sent."));
}
