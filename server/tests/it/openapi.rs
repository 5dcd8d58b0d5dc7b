//! `/v1/openapi.json` against the URL table, against who may ask what, and against what the server really answers.

mod walk;

use std::collections::BTreeMap;

use otrace_server::openapi::{document, template_of};
use otrace_server::testing::TestApp;
use serde_json::Value;

use crate::access_matrix::tables::API;

/// The operations of the document: by method and path.
fn operations() -> BTreeMap<(String, String), &'static Value> {
    let mut found = BTreeMap::new();
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for (method, told) in methods.as_object().unwrap() {
            found.insert((method.to_uppercase(), path.clone()), told);
        }
    }
    found
}

/// The rows of the matrix that the document tells of: all of `/v1` but what is not there.
fn rows() -> impl Iterator<Item = (&'static str, String, &'static [u16; 7])> {
    let told = API.iter().filter(|(_, path, _)| path.starts_with("/v1/") && *path != "/v1/{*unknown}");
    told.map(|(method, path, answers)| (*method, template_of(path), answers))
}

#[test]
fn the_document_tells_of_every_route_and_of_none_that_is_not_there() {
    let in_document: Vec<(String, String)> = operations().into_keys().collect();
    let mut in_matrix: Vec<(String, String)> = rows().map(|(method, path, _)| (method.to_owned(), path)).collect();
    in_matrix.sort();
    assert_eq!(in_document, in_matrix);
}

#[test]
fn the_document_says_who_may_ask_as_the_matrix_does() {
    let operations = operations();
    let mut wrong = Vec::new();
    for (method, path, [no_key, read, _, run_token, ..]) in rows() {
        let told = &operations[&(method.to_owned(), path.clone())];
        let caller = match (*no_key, *read, *run_token) {
            (401, 403, 401) => "a key that may write",
            (401, 403, _) => "a key that may write, or the run's token",
            (401, _, _) => "a key",
            _ => "anybody",
        };
        if told["x-otrace-caller"] != caller {
            wrong.push(format!("{method} {path}: {} and not {caller}", told["x-otrace-caller"]));
        }
        let ways = told["security"].as_array().unwrap().len();
        assert_eq!(ways, if caller == "anybody" { 0 } else { 1 + usize::from(caller.contains("token")) }, "{path}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn everybody_gets_the_document() {
    let app = TestApp::new().await;
    let answer = app.get("", "/v1/openapi.json").await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), *document());
}
