//! Series: points in, each once, and out again as a list, a chart, CSV, and a page.

mod page;
mod reading;
mod refusals;
mod taking;

use std::fmt::Write as _;

use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};

const SERIES: &str = "/v1/runs/exp001/series";

/// A run that goes on.
async fn running() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    app.run(&project.key, "does it converge?").await;
    app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(json!({"status": "running"}))).await.expect(200);
    (app, project)
}

/// A batch of a source.
fn batch(source: &str, first: usize, points: &[Value]) -> Value {
    json!({"batches": [{"source": source, "first": first, "points": points}]})
}

/// Sends points; returns how many of the source's points the server then has.
async fn send(app: &TestApp, project: &TestProject, source: &str, first: usize, points: &[Value]) -> u64 {
    let answer = app.api(&project.key, "POST", SERIES, Some(batch(source, first, points))).await.expect(200).json();
    answer["next"][source].as_u64().unwrap()
}

/// Points of one series whose value tells their step, from one step up to another.
fn counted(name: &str, from: usize, to: usize) -> Vec<Value> {
    (from..to).map(|step| json!({"name": name, "step": step, "time": 1_780_000_000.0, "value": step})).collect()
}

/// All points of a series, as CSV.
async fn csv(app: &TestApp, project: &TestProject, name: &str) -> String {
    app.api(&project.key, "GET", &format!("{SERIES}/{name}?format=csv"), None).await.expect(200).text()
}

/// What [`csv`] gives of [`counted`] points.
fn csv_of(from: usize, to: usize) -> String {
    (from..to).fold("step,time,value\n".to_owned(), |mut text, step| {
        let _ = writeln!(text, "{step},1780000000,{step}.0");
        text
    })
}

async fn get(app: &TestApp, project: &TestProject, path: &str) -> Value {
    app.api(&project.key, "GET", &format!("{SERIES}{path}"), None).await.expect(200).json()
}
