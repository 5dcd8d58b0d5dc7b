//! Queries that can't be answered: each is told what is wrong, and none is the server's fault.

use super::World;

/// The refusal of these parameters.
async fn refusal(world: &World, parameters: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let answer = world.app.api(&world.project.key, "GET", &format!("/v1/runs?{query}"), None).await.expect(400).json();
    assert_eq!(answer["code"], "invalid");
    answer["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_bad_query_is_told_at_which_character() {
    let world = World::new().await;
    let error = refusal(&world, &[("query", "tag:a stauts:failed")]).await;
    assert!(error.starts_with("At character 7 of the query: \"stauts\" is no field"), "{error}");
    assert!(error.contains("did you mean status?") && error.contains("metrics.NAME"), "{error}");
    let error = refusal(&world, &[("query", "(tag:a")]).await;
    assert_eq!(error, "At character 1 of the query: this ( is not closed; write ) at its end.");
    refusal(&world, &[("query", "a ".repeat(3000).as_str())]).await;
    refusal(&world, &[("query", "\0")]).await;
}

#[tokio::test]
async fn other_parameters_are_told_what_they_take() {
    let world = World::new().await;
    for (parameter, part) in [
        (("status", "done"), "status must be one of"),
        (("sort", "size"), "Sort by created"),
        (("sort", "metrics."), "Sort by created"),
        (("sort", "created; DROP TABLE runs"), "Sort by created"),
        (("limit", "0"), "limit is a number from 1 to 200"),
        (("limit", "201"), "limit is a number from 1 to 200"),
        (("limit", "many"), "limit is a number from 1 to 200"),
        (("cursor", "x"), "Ask for the first page again"),
    ] {
        let error = refusal(&world, &[parameter]).await;
        assert!(error.contains(part), "{parameter:?}: {error}");
    }
    let first = world.page(&[("limit", "1"), ("sort", "title")]).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let error = refusal(&world, &[("cursor", cursor), ("sort", "-title")]).await;
    assert!(error.contains("Ask for the first page again"), "{error}");
}

#[tokio::test]
async fn hostile_values_are_only_values() {
    let world = World::new().await;
    for value in ["' OR '1'='1", "'; DELETE FROM runs; --", "$1", "%", "_", "\\", "\u{202e}", "NULL", "{a,b}", "👩‍🔬 a"]
    {
        let quoted = format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
        for query in ["tag:", "branch:", "author:", "metrics.x:", "config.x:"].map(|field| format!("{field}{quoted}")) {
            assert_eq!(world.query(&query).await, "", "{query}");
        }
        assert_eq!(world.query(&format!("metrics.{quoted} > 0")).await, "", "{value}");
        assert_eq!(world.found(&[("tag", value)]).await, "", "{value}");
        let sort = format!("metrics.{value}");
        assert_eq!(world.found(&[("sort", sort.as_str())]).await, "5 4 3 2 1", "{value}");
    }
    assert_eq!(world.found(&[("tag", "\0")]).await, "");
}
