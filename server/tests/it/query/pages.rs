//! The order of what is found, and pages that go on where the last one ended.

use serde_json::{Value, json};

use super::{World, numbers, result};

#[tokio::test]
async fn each_order_has_what_lacks_it_last() {
    let world = World::new().await;
    for (sort, expected) in [
        ("created", "1 2 3 4 5"),
        ("-created", "5 4 3 2 1"),
        ("number", "1 2 3 4 5"),
        ("-number", "5 4 3 2 1"),
        ("duration", "1 3 2 5 4"),
        ("-duration", "2 3 1 5 4"),
        ("status", "1 3 5 2 4"),
        ("title", "1 4 2 5 3"),
        ("-title", "2 4 1 5 3"),
        // The first tag counts.
        ("tag", "1 2 3 5 4"),
        ("-tag", "3 2 1 5 4"),
        ("author", "1 2 3 4 5"),
        ("-author", "5 4 3 2 1"),
        ("commit", "1 2 3 5 4"),
        ("-commit", "3 2 1 5 4"),
        ("started", "4 5 3 2 1"),
        ("finished", "5 4 3 2 1"),
        ("updated", "5 1 2 3 4"),
        ("-updated", "4 3 2 1 5"),
        // The first of several results of one name counts.
        ("metrics.accuracy", "3 1 2 5 4"),
        ("-metrics.accuracy", "2 1 3 5 4"),
        // NaN is no number to sort by; the infinities are.
        ("metrics.loss", "1 5 4 3 2"),
        ("metrics.val loss", "3 5 4 2 1"),
        ("metrics.nothing", "5 4 3 2 1"),
    ] {
        assert_eq!(world.found(&[("sort", sort)]).await, expected, "{sort}");
    }
}

#[tokio::test]
async fn pages_have_each_run_once_in_every_order() {
    let world = World::new().await;
    for sort in [
        "created",
        "-created",
        "-number",
        "duration",
        "-status",
        "title",
        "tag",
        "-author",
        "commit",
        "-updated",
        "finished",
        "metrics.accuracy",
        "-metrics.accuracy",
        "metrics.loss",
        "metrics.nothing",
    ] {
        let whole = world.found(&[("sort", sort)]).await;
        for limit in ["1", "2", "3", "5"] {
            let mut pages = Vec::new();
            let mut cursor = String::new();
            loop {
                let page = world.page(&[("sort", sort), ("limit", limit), ("cursor", cursor.as_str())]).await;
                pages.push(numbers(&page));
                match &page["next_cursor"] {
                    Value::String(next) => cursor.clone_from(next),
                    Value::Null => break,
                    other => panic!("{other}"),
                }
                assert!(pages.len() < 6, "{sort}, {limit} a page: {pages:?}");
            }
            assert_eq!(pages.join(" "), whole, "{sort}, {limit} a page");
        }
    }
}

#[tokio::test]
async fn a_page_is_not_moved_by_runs_that_come_meanwhile() {
    let world = World::new().await;
    let first = world.page(&[("limit", "2")]).await;
    assert_eq!(numbers(&first), "5 4");
    world.run(json!({"intent": "new", "setup": "s", "command": "c"})).await;
    world.app.api(&world.project.key, "DELETE", "/v1/runs/exp004", None).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(world.found(&[("limit", "2"), ("cursor", cursor)]).await, "3 2");
}

#[tokio::test]
async fn runs_with_the_same_value_are_told_apart_by_their_numbers() {
    let world = World::new().await;
    for run in ["exp001", "exp002", "exp003", "exp004", "exp005"] {
        world.details(run, json!([result("loss", json!(1)), result("loss", json!(1))]), "main").await;
    }
    let first = world.page(&[("sort", "-metrics.loss"), ("limit", "2"), ("query", "branch:main")]).await;
    assert_eq!(numbers(&first), "5 4");
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = [("sort", "-metrics.loss"), ("query", "branch:main"), ("cursor", cursor)];
    assert_eq!(world.found(&rest).await, "3 2 1");
}
