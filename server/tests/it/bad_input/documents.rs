//! Bodies that are no JSON, or no object, or hold what the database can't.

use std::io;

use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::{Value, json};

use super::{DETAILS, ENDPOINTS, EVIDENCE, RUNS, WORKSPACE, World, refusal};

#[tokio::test]
async fn what_is_no_json_object_is_refused_by_every_endpoint_and_changes_nothing() {
    let world = World::new().await;
    let junk: [&[u8]; 30] = [
        b"",
        b" ",
        b"\n\n",
        b"no JSON",
        b"null",
        b"true",
        b"7",
        b"NaN",
        b"\"text\"",
        b"{",
        b"}",
        b"{]",
        b"{\"intent\"",
        b"{\"intent\": \"x",
        b"{\"intent\": \"x\"",
        b"{'intent': 'x'}",
        b"{} {}",
        b"{}x",
        b"{\"a\": \"\\x\"}",
        b"{\"a\": \"\\u12g4\"}",
        b"{\"a\": \"\xff\"}",
        b"{\"a\": \0}",
        b"{\"a\": nul}",
        b"{\"a\": NaNa}",
        b"{\"a\": 1e}",
        b"{\"a\": 01}",
        b"\xff\xfe{\0}\0",
        b"\xef\xbb\xbf{}",
        b"\0",
        b"intent=x&setup=y&command=z",
    ];
    for (method, path) in ENDPOINTS {
        for body in junk {
            world.refuse(method, path, body).await;
        }
    }
}

#[tokio::test]
async fn an_array_is_refused_where_an_object_belongs() {
    let world = World::new().await;
    for (method, path) in ENDPOINTS {
        for body in ["[]", "[[]]", "[{}]", r#"["a", "b", "c", "d"]"#] {
            world.refuse(method, path, body.as_bytes()).await;
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused_and_changes_nothing() {
    let world = World::new().await;
    for (method, path) in ENDPOINTS {
        let before = world.fingerprint().await;
        let pieces = [
            Ok(Bytes::from_static(b"{\"results\": [], \"intent\": \"x\"")),
            Err(io::Error::other("the network is gone")),
        ];
        let body = Body::from_stream(stream::iter(pieces));
        let answer = world.app.api_raw(&world.project.key, method, path, body).await;
        refusal(&answer, path);
        assert_eq!(world.fingerprint().await, before, "{path}");
    }
}

#[tokio::test]
async fn deep_nesting_breaks_nothing() {
    let world = World::new().await;
    let (open, close) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
    for (method, path) in ENDPOINTS {
        world.refuse(method, path, open.as_bytes()).await;
        world.refuse(method, path, format!("{open}{close}").as_bytes()).await;
        world.refuse(method, path, "{\"a\":".repeat(200_000).as_bytes()).await;
        // What stands under an unknown key may be passed over.
        world.try_out(method, path, format!("{{\"unknown\": {open}{close}}}").as_bytes()).await;
    }
    let nested = format!("{open}{close}");
    for (method, path, body) in [
        (
            "PATCH",
            WORKSPACE,
            format!(r#"{{"workspace_name": "a", "working_directory": "/a", "metadata": {{"a": {nested}}}}}"#),
        ),
        ("POST", RUNS, format!(r#"{{"intent": {nested}}}"#)),
        ("PUT", DETAILS, format!(r#"{{"results": [{{"name": "a", "value": {nested}}}]}}"#)),
        ("PUT", DETAILS, format!(r#"{{"tables": [{{"rows": {nested}}}]}}"#)),
        ("PUT", DETAILS, format!(r#"{{"snapshot": {{"observed_artifacts": [{nested}]}}}}"#)),
    ] {
        world.refuse(method, path, body.as_bytes()).await;
    }
}

#[tokio::test]
async fn a_value_that_is_nested_as_deep_as_is_taken_reads_back() {
    let world = World::new().await;
    let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
    world.take("PUT", DETAILS, &format!(r#"{{"results": [{{"name": "deep", "value": {nested}}}]}}"#)).await;
    assert_eq!(world.read().await["results"][0]["value"].to_string(), nested);
    world.open("/projects/wake-word/runs/exp001").await.expect(200);
}

#[tokio::test]
async fn what_json_allows_and_postgres_does_not_is_cleaned() {
    let world = World::new().await;
    let body = r#"{"intent": "a\u0000b", "setup": "\ud800", "command": "\ud83d\ude00 \udfff", "title": "\u0000", "tags": ["\u0000", "\ud83d"],
        "working_directory": "/\u0000", "expected_artifact_paths": ["\u0000"], "parent": "\u0000", "recorder": "\u0000"}"#;
    let run = world.take("POST", RUNS, body).await["run"].clone();
    assert_eq!(run["intent"], "a\u{fffd}b");
    assert_eq!(run["setup"], "\u{fffd}");
    assert_eq!(run["command"], "😀 \u{fffd}");
    assert_eq!(run["title"], "\u{fffd}");
    assert_eq!(run["tags"], json!(["\u{fffd}", "\u{fffd}"]));
    assert_eq!(run["expected_artifact_paths"], json!(["\u{fffd}"]));

    let body = r#"{"workspace_name": "\u0000", "working_directory": "\ud800", "platform": "\u0000",
        "metadata": {"a\u0000": NaN, "b": [-Infinity, 1e400, "\udc00"], "c": 1e-400, "d": 123456789012345678901234567890}}"#;
    world.take("PATCH", WORKSPACE, body).await;
    let metadata: Value =
        sqlx::query_scalar("SELECT metadata FROM workspaces").fetch_one(&world.app.app.pool).await.unwrap();
    assert_eq!(metadata["a\u{fffd}"], "NaN");
    assert_eq!(metadata["b"], json!(["-Infinity", "Infinity", "\u{fffd}"]));

    let body = r#"{"evidence": [{"source_path": "\u0000", "type": "\ud800", "snippet": "a\u0000\udfff"}]}"#;
    world.take("POST", EVIDENCE, body).await;
    let evidence = world.read().await["snapshot"]["evidence"][0].clone();
    assert_eq!(evidence, json!({"source_path": "\u{fffd}", "type": "\u{fffd}", "snippet": "a\u{fffd}\u{fffd}"}));
}

#[tokio::test]
async fn what_is_named_as_a_content_is_and_is_none_keeps_its_value() {
    let world = World::new().await;
    // Longer than what of a content is kept in memory while a request is read.
    let text = "a sentence of a data set, ".repeat(2_000);
    for name in ["text_content", "content_base64"] {
        let details = json!({
            "tables": [{"source_path": "data.csv", "columns": [name], "rows": [{name: text}]}],
            "results": [{"name": "loss", "value": 1, "metadata": {name: text}}],
            "snapshot": {"observed_artifacts": [{name: text}], "missing_expected_paths": [{name: text}]},
        });
        world.take("PUT", DETAILS, &details.to_string()).await;
        let run = world.read().await;
        assert_eq!(run["tables"][0]["rows"][0][name], text);
        assert_eq!(run["results"][0]["metadata"][name], text);
        assert_eq!(run["snapshot"]["observed_artifacts"][0][name], text);
        assert_eq!(run["snapshot"]["missing_expected_paths"][0][name], text);
    }
    let workspace = json!({"workspace_name": "a", "working_directory": "/a", "metadata": {"text_content": text}});
    world.take("PATCH", WORKSPACE, &workspace.to_string()).await;
}
