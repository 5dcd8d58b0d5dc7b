//! The server's part of the fault table: writes that come again, late and all at once, and clocks that jump.
//!
//! What a network, a disk and a power cut do is tested with `otrace` and the real binary, in `cli/tests/it/faults`.

mod again;
mod clocks;

use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};
use uuid::Uuid;

/// The paths of the only run.
const RUN: &str = "/v1/runs/exp001";
const STDOUT: &str = "/v1/runs/exp001/logs/stdout";
const SERIES: &str = "/v1/runs/exp001/series";
const DETAILS: &str = "/v1/runs/exp001/details";

/// The request for a run, by a client that gives it its id.
fn asked(id: Uuid) -> Value {
    json!({"id": id, "intent": "i", "setup": "s", "command": "c"})
}

/// Sends JSON, which is taken; gives the answer.
async fn send(app: &TestApp, project: &TestProject, method: &str, path: &str, body: Value) -> Value {
    app.api(&project.key, method, path, Some(body)).await.expect(200).json()
}

/// Sends a piece of what the command prints; gives where the server wants to go on.
async fn append(app: &TestApp, project: &TestProject, offset: usize, piece: &[u8]) -> usize {
    let path = format!("{STDOUT}?offset={offset}");
    let answer = app.api_raw(&project.key, "POST", &path, piece.to_vec()).await.expect(200).json();
    usize::try_from(answer["next_offset"].as_u64().unwrap()).unwrap()
}

async fn printed(app: &TestApp, project: &TestProject) -> Vec<u8> {
    app.api(&project.key, "GET", &format!("{STDOUT}?from=0"), None).await.expect(200).body
}

async fn run(app: &TestApp, project: &TestProject) -> Value {
    app.api(&project.key, "GET", RUN, None).await.expect(200).json()["run"].clone()
}
