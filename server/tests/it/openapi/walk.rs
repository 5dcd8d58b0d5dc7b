//! A walk through all operations: what the document gives as an example is sent, and what comes back is held to what
//! the document says. `openapi-spec-validator` from `PyPI` looks at both; `make test` installs it into
//! `target/openapi-validator`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use otrace_server::openapi::{document, template_of};
use otrace_server::testing::{TestApp, TestProject, TestResponse};
use otrace_wire::Sha256Digest;
use otrace_wire::contents::packed;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use uuid::Uuid;

use super::operations;

/// In an order in which each finds what it needs.
const WALK: &[(&str, &str)] = &[
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/auth/whoami"),
    ("PATCH", "/v1/projects/current/workspace"),
    ("POST", "/v1/page-passes"),
    ("POST", "/v1/device/code"),
    ("POST", "/v1/device/token"),
    ("POST", "/v1/keys/revoke"),
    ("POST", "/v1/runs"),
    ("POST", "/v1/runs/{run}/heartbeat"),
    ("POST", "/v1/runs/{run}/logs/{stream}?offset=0"),
    ("GET", "/v1/runs/{run}/logs/{stream}"),
    ("POST", "/v1/runs/{run}/series"),
    ("GET", "/v1/runs/{run}/series"),
    ("GET", "/v1/runs/{run}/series/{*name}"),
    ("PATCH", "/v1/runs/{run}"),
    ("POST", "/v1/contents/lacking"),
    ("PUT", "/v1/contents/{sha256}"),
    ("GET", "/v1/contents/{sha256}"),
    ("PUT", "/v1/contents/{sha256}/parts"),
    ("POST", "/v1/contents"),
    ("POST", "/v1/contents/arrived"),
    ("PUT", "/v1/runs/{run}/details"),
    ("POST", "/v1/runs/{run}/evidence"),
    ("POST", "/v1/runs/{run}/notes"),
    ("PATCH", "/v1/runs/{run}/tags"),
    ("GET", "/v1/runs/{run}"),
    ("GET", "/v1/runs/{run}/artifacts"),
    ("GET", "/v1/artifacts/{artifact}/download"),
    ("POST", "/v1/artifacts/{artifact}/ticket"),
    ("GET", "/v1/runs"),
    ("GET", "/v1/runs?limit=1"),
    ("GET", "/v1/runs/count"),
    ("DELETE", "/v1/runs/{run}"),
    ("POST", "/v1/runs/{run}/restore"),
    ("POST", "/v1/imports"),
    ("POST", "/v1/imports/{import}/runs"),
    ("POST", "/v1/imports/{import}/commit"),
    ("DELETE", "/v1/imports/{import}"),
    ("DELETE", "/v1/runs"),
];

#[tokio::test]
async fn every_example_is_taken_and_every_answer_is_as_the_document_says() {
    let app = TestApp::new().await;
    let project = app.project("Digits").await;
    let mut exchanges = Vec::new();
    for (method, route) in WALK {
        let told = route.split('?').next().unwrap();
        let operation = operations()[&((*method).to_owned(), template_of(told))];
        let answer = send(&app, &project, method, route, operation).await;
        // Nobody has asked for the code of the example.
        let expected = if *route == "/v1/device/token" { 404 } else { 200 };
        assert_eq!(answer.status, expected, "{method} {route}: {}", answer.text());
        if answer.header("content-type").starts_with("application/json") && *route != "/v1/openapi.json" {
            exchanges.push(json!({"operation": operation["operationId"], "status": expected, "answer": answer.json()}));
        }
    }
    let walked: BTreeSet<_> = WALK
        .iter()
        .map(|(method, route)| ((*method).to_owned(), template_of(route.split('?').next().unwrap())))
        .collect();
    let told: BTreeSet<_> = operations().into_keys().collect();
    assert_eq!(walked, told, "all operations are walked through");
    check(&json!({"document": document(), "exchanges": exchanges})).await;
}

/// Sends the example of an operation, or bytes where it takes bytes.
async fn send(app: &TestApp, project: &TestProject, method: &str, route: &str, operation: &Value) -> TestResponse {
    let mut path = route.replace("{run}", "exp001").replace("{stream}", "stdout").replace("{*name}", "loss");
    path = path.replace("{sha256}", &digest(b"").hex());
    if route.contains("{artifact}") {
        let run = app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json();
        path = path.replace("{artifact}", run["run"]["artifacts"][0]["id"].as_str().unwrap());
    }
    if route.contains("{import}") {
        path = path.replace("{import}", &import(app, project, method).await);
    }
    let example = &operation["requestBody"]["content"]["application/json"]["example"];
    let body = match (method, route) {
        ("POST", "/v1/contents") => {
            let mut frame = packed::head(&digest(b"abc"), 3).to_vec();
            frame.extend_from_slice(b"abc");
            frame
        }
        (_, route) if route.contains("/logs/") && method == "POST" => b"ok\n".to_vec(),
        _ if example.is_null() => Vec::new(),
        _ => example.to_string().into_bytes(),
    };
    app.api_raw(&project.key, method, &path, body).await
}

/// The import of the example, or to give one up another that was just begun.
async fn import(app: &TestApp, project: &TestProject, method: &str) -> String {
    if method != "DELETE" {
        let example =
            &document()["paths"]["/v1/imports"]["post"]["requestBody"]["content"]["application/json"]["example"];
        return example["id"].as_str().unwrap().to_owned();
    }
    let id = Uuid::now_v7();
    app.api(&project.key, "POST", "/v1/imports", Some(json!({"id": id}))).await.expect(200);
    id.to_string()
}

fn digest(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::new(Sha256::digest(bytes).into())
}

/// Fails with all that the validator finds.
async fn check(exchanges: &Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/openapi-validator/bin/python");
    assert!(python.is_file(), "{} is missing: run `make test`, which installs it", python.display());
    let mut child = Command::new(python)
        .arg(root.join("server/tests/it/openapi/check.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the validator starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(exchanges.to_string().as_bytes()).await.expect("the validator reads its input");
    drop(stdin);
    let output = child.wait_with_output().await.expect("the validator ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
