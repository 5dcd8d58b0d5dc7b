//! Who gets which answer from every route: the whole URL table times every kind of caller.
//!
//! A route that is missing here fails the test, and so does a route that is gone.

pub mod tables;
mod world;

use std::collections::BTreeSet;

use tables::{API, PAGES, READ_WITH_A_PASS};
use time::Duration;
use world::{Caller, World, body_of};

#[test]
fn every_route_is_in_the_matrix() {
    let rows: Vec<(&str, &str)> =
        API.iter().map(|row| (row.0, row.1)).chain(PAGES.iter().map(|row| (row.0, row.1))).collect();
    let in_matrix: BTreeSet<(String, String)> =
        rows.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(in_matrix.len(), rows.len(), "a route stands in the matrix twice");
    assert_eq!(in_matrix, routes_in_source(include_str!("../../src/routes.rs")));
}

#[tokio::test]
async fn every_route_of_the_api_answers_every_caller_as_the_matrix_says() {
    let world = World::new().await;
    let mut wrong = Vec::new();
    for (method, path, expected) in API {
        let [no_key, keys @ ..] = expected;
        // A session is no key: browsers reach nothing here.
        let people = Caller::PEOPLE.iter().map(|caller| (caller, no_key));
        for (caller, expected) in people.chain(Caller::KEYS.iter().zip(keys)) {
            wrong.extend(world.check(method, path, *caller, *expected).await);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_page_answers_every_caller_as_the_matrix_says() {
    let world = World::new().await;
    let mut wrong = Vec::new();
    for (method, path, expected) in PAGES {
        let nobody = &expected[0];
        // A key does not sign in: to pages it is nobody.
        let keys = Caller::KEYS.iter().map(|caller| (caller, nobody));
        for (caller, expected) in Caller::PEOPLE.iter().zip(expected).chain(keys) {
            wrong.extend(world.check(method, path, *caller, *expected).await);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_page_pass_opens_what_is_read_of_its_project_and_nothing_else() {
    let world = World::new().await;
    let mut wrong = Vec::new();
    for (method, path, [nobody, _, viewer, ..]) in PAGES {
        let is_read = *method == "GET" && READ_WITH_A_PASS.contains(path);
        let expected = if is_read { viewer } else { nobody };
        wrong.extend(world.check(method, path, Caller::PagePass, *expected).await);
    }
    for (method, path, [no_key, ..]) in API {
        // No address may try so many bad keys at once.
        world.app.app.clock.advance(Duration::seconds(2));
        wrong.extend(world.check(method, path, Caller::PagePass, *no_key).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_foreign_run_and_one_that_never_was_get_the_same_answer() {
    let world = World::new().await;
    let foreign = world.run().await;
    for (method, path, _) in API.iter().filter(|(_, path, _)| path.contains("{run}")) {
        let mut answers = Vec::new();
        for run in [foreign.id.as_str(), "0193e9a0-0000-7000-8000-000000000000", "exp999"] {
            let body = body_of(method, path).unwrap_or_default();
            let path =
                path.replace("{run}", run).replace("{stream}", "stdout?offset=0&from=0").replace("{*name}", "loss");
            let answer = world.app.api_raw(&world.foreign.key, method, &path, body).await;
            answers.push((answer.status, answer.text()));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{method} {path}: {answers:?}");
    }
}

/// `("GET", "/v1/runs")` and so on, read off the source of the URL table.
fn routes_in_source(source: &str) -> BTreeSet<(String, String)> {
    let mut routes = BTreeSet::new();
    for call in source.split(".route(\"").skip(1) {
        let (path, handlers) = call.split_once("\",").unwrap();
        let handlers = handlers.split(".layer(").next().unwrap();
        for method in ["get", "post", "put", "patch", "delete"] {
            if handlers.contains(&format!(" {method}(")) || handlers.contains(&format!(".{method}(")) {
                routes.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    routes
}
