//! What is too long, too many, or has no end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt, stream};
use otrace_server::app::AppState;
use otrace_server::domain::ProjectId;
use otrace_server::{routes, services};
use otrace_wire::Sha256Digest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use super::{DETAILS, ENDPOINTS, EVIDENCE, RUN, RUNS, WORKSPACE, World, refusal};

const MIB: u64 = 1024 * 1024;
/// What an endless body brings at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Text that no compression makes shorter.
fn noise(length: usize) -> String {
    let blocks = (0..length.div_ceil(43)).map(|number| STANDARD.encode(Sha256::digest(number.to_be_bytes())));
    blocks.flat_map(|block| block.trim_end_matches('=').chars().collect::<Vec<_>>()).take(length).collect()
}

/// A body without an end, and how many bytes of it were asked for.
fn endless(opening: &'static str, of: &str) -> (Body, Arc<AtomicU64>) {
    let asked_for = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&asked_for);
    let opening = stream::iter([Bytes::from_static(opening.as_bytes())]);
    let pieces = opening.chain(stream::repeat(Bytes::from(of.repeat(PIECE_BYTES / of.len()))));
    let counted = pieces.map(move |piece| {
        seen.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok::<_, Infallible>(piece)
    });
    (Body::from_stream(counted), asked_for)
}

#[tokio::test]
async fn what_is_too_long_or_too_many_is_refused_and_the_most_is_taken() {
    let world = World::new().await;
    let run = |key: &str, value: Value| {
        let mut body = json!({"intent": "i", "setup": "s", "command": "c"});
        body[key] = value;
        body.to_string()
    };
    let mib = "x".repeat(1024 * 1024);
    for key in ["tags", "expected_artifact_paths", "expected_log_paths"] {
        world.refuse("POST", RUNS, run(key, json!(vec!["x"; 1001])).as_bytes()).await;
        world.refuse("POST", RUNS, run(key, json!(["x".repeat(4097)])).as_bytes()).await;
        world.take("POST", RUNS, &run(key, json!(vec!["x"; 1000]))).await;
        world.take("POST", RUNS, &run(key, json!(["x".repeat(4096)]))).await;
    }
    for key in ["intent", "setup", "command"] {
        world.refuse("POST", RUNS, run(key, json!(format!("{mib}x"))).as_bytes()).await;
        world.take("POST", RUNS, &run(key, json!(mib))).await;
    }
    let file = json!({"kind": "dependency", "path": "a", "hash": "0".repeat(64), "size_bytes": 1});
    for body in [
        json!({"artifacts": vec![json!({}); 10_001]}),
        json!({"logs": vec![json!({}); 1001]}),
        json!({"snapshot": {"files": vec![file; 1001]}}),
    ] {
        world.refuse("PUT", DETAILS, body.to_string().as_bytes()).await;
    }
}

#[tokio::test]
async fn long_names_are_kept_or_refused() {
    let world = World::new().await;
    for length in [1_500, 2_600, 4_000, 20_000, 1_000_000] {
        // No index can hold an entry of any length, and these don't get shorter by compression.
        let text = noise(length);
        for (method, path, body) in [
            ("PATCH", WORKSPACE, json!({"workspace_name": text, "working_directory": "/a"})),
            ("PATCH", WORKSPACE, json!({"workspace_name": "kws", "working_directory": text})),
            ("PATCH", WORKSPACE, json!({"workspace_name": text, "working_directory": text})),
            (
                "PATCH",
                WORKSPACE,
                json!({"workspace_name": "kws", "working_directory": "/a", "platform": text, "metadata": {"a": text}}),
            ),
            (
                "POST",
                RUNS,
                json!({"intent": "i", "setup": "s", "command": "c", "title": text, "working_directory": text, "recorder": text, "parent": text}),
            ),
            ("PUT", DETAILS, json!({"results": [{"name": text, "value": 1}]})),
            (
                "PUT",
                DETAILS,
                json!({"results": [{"name": "a", "value": text, "kind": text, "source_path": text, "column": text}]}),
            ),
            (
                "PUT",
                DETAILS,
                json!({"tables": [{"source_path": text, "title": text, "columns": [text], "rows": [{"a": text}]}]}),
            ),
            (
                "PUT",
                DETAILS,
                json!({"artifacts": [{"original_path": text, "stored_path": text, "type": text, "hash": text, "content_type": text}]}),
            ),
            ("PUT", DETAILS, json!({"logs": [{"stream": text, "path": text}]})),
            ("PUT", DETAILS, json!({"snapshot": {"git_commit": text, "hostname": text, "dependency_files": [text]}})),
            ("POST", EVIDENCE, json!({"evidence": [{"source_path": text, "type": text, "snippet": text}]})),
        ] {
            world.try_out(method, path, body.to_string().as_bytes()).await;
            world.read().await;
        }
    }
}

#[tokio::test]
async fn a_refusal_stays_short_however_long_is_what_it_refuses() {
    let world = World::new().await;
    let long = "x".repeat(100_000);
    for (method, path, body) in [
        ("PATCH", WORKSPACE, json!({"workspace_name": "a", "working_directory": "/a", "project_id": long})),
        ("PATCH", WORKSPACE, json!({"workspace_name": "a", "working_directory": "/a", "metadata": long})),
        ("POST", RUNS, json!({"id": long})),
        ("POST", RUNS, json!({"tags": long})),
        ("PATCH", RUN, json!({"status": long})),
        ("PATCH", RUN, json!({"exit_code": long})),
        ("PATCH", RUN, json!({"started_at": long})),
        ("PUT", DETAILS, json!({"artifacts": long})),
        ("PUT", DETAILS, json!({"logs": [{"hash": long}]})),
        ("POST", EVIDENCE, json!({"evidence": long})),
    ] {
        world.refuse(method, path, body.to_string().as_bytes()).await;
    }
}

#[tokio::test]
async fn an_ordinary_body_without_an_end_is_refused_and_not_read_on() {
    let world = World::new().await;
    for (method, path) in ENDPOINTS.into_iter().filter(|(_, path)| *path != DETAILS) {
        for opening in ["", r#"{"intent": ""#] {
            let before = world.fingerprint().await;
            let (body, asked_for) = endless(opening, if opening.is_empty() { " " } else { "x" });
            let answer = world.app.api_raw(&world.project.key, method, path, body).await.expect(413);
            let json = refusal(&answer, path);
            assert_eq!(json["code"], "too_large", "{json}");
            assert!(!json["hint"].as_str().unwrap().is_empty(), "{json}");
            let asked_for = asked_for.load(Ordering::Relaxed);
            assert!(asked_for <= 8 * MIB + 2 * PIECE_BYTES as u64, "{path}: {asked_for}");
            assert_eq!(world.fingerprint().await, before, "{path}");
        }
    }
}

#[tokio::test]
async fn details_without_an_end_are_refused_at_the_configured_limit() {
    let world = World::new().await;
    let app = &world.app.app;
    let mut config = app.config.clone();
    config.http.max_body_bytes = 3 * MIB;
    let (live, tokens) = (app.live.clone(), app.tokens.clone());
    let small = AppState::new(config, app.clock.clone(), app.pool.clone(), app.blobs.clone(), live, tokens).unwrap();
    let router = routes::router(small);

    let before = world.fingerprint().await;
    for (opening, of) in
        [(r#"{"artifacts": [{"content_base64": ""#, "QUJD"), (r#"{"logs": [{"text_content": ""#, "epoch "), ("", " ")]
    {
        let (body, asked_for) = endless(opening, of);
        let request =
            Request::put(DETAILS).header("authorization", format!("Bearer {}", world.project.key)).body(body).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), 413, "{opening}");
        let json: Value = serde_json::from_slice(&to_bytes(response.into_body(), 64 * 1024).await.unwrap()).unwrap();
        assert_eq!((json["ok"].as_bool(), json["code"].as_str()), (Some(false), Some("too_large")), "{json}");
        assert!(json["error"].as_str().unwrap().contains(&(3 * MIB).to_string()), "{json}");
        assert!(json["hint"].as_str().unwrap().contains("OTRACE_MAX_BODY_BYTES"), "{json}");
        let asked_for = asked_for.load(Ordering::Relaxed);
        assert!(asked_for <= 3 * MIB + 2 * PIECE_BYTES as u64, "{opening}: {asked_for}");
    }
    assert_eq!(world.fingerprint().await, before);
}

#[tokio::test]
async fn details_that_would_fill_the_memory_are_refused_before_the_limit_of_a_body() {
    let world = World::new().await;
    assert_eq!(world.app.app.config.http.max_body_bytes, 256 * MIB);
    let before = world.fingerprint().await;
    let (body, asked_for) = endless(r#"{"snapshot": {"platform": ""#, "x");
    let answer = world.app.api_raw(&world.project.key, "PUT", DETAILS, body).await.expect(413);
    refusal(&answer, DETAILS);
    let asked_for = asked_for.load(Ordering::Relaxed);
    assert!(asked_for <= 65 * MIB, "{asked_for}");
    assert_eq!(world.fingerprint().await, before);
}

/// The most memory that this process ever had, in KiB; `None` where it is not this test's alone, as under nextest.
fn peak_memory_kib() -> Option<u64> {
    std::env::var_os("NEXTEST")?;
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

#[tokio::test]
async fn a_content_of_60_mb_inline_takes_little_memory() {
    const PIECES: usize = 960;
    let world = World::new().await;
    let before = peak_memory_kib();
    let opening = Bytes::from_static(br#"{"artifacts": [{"original_path": "best.pt", "content_base64": ""#);
    let piece = Bytes::from("QUJD".repeat(PIECE_BYTES / 4));
    let closing = Bytes::from_static(br#""}]}"#);
    let pieces = std::iter::once(opening).chain(std::iter::repeat_n(piece, PIECES)).chain(std::iter::once(closing));
    let body = Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
    world.app.api_raw(&world.project.key, "PUT", DETAILS, body).await.expect(200);
    if let (Some(before), Some(after)) = (before, peak_memory_kib()) {
        assert!(after - before < 64 * 1024, "{} KiB more", after - before);
    }

    let mut expected = Sha256::new();
    for _ in 0..PIECES {
        expected.update("ABC".repeat(PIECE_BYTES / 4));
    }
    let expected = Sha256Digest::new(expected.finalize().into());
    let artifact = world.read().await["artifacts"][0].clone();
    assert_eq!(artifact["size_bytes"], PIECES * PIECE_BYTES / 4 * 3);
    assert_eq!(artifact["hash"], expected.to_string());
    let project = ProjectId(world.project.id);
    let mut content = services::contents::read(&world.app.app, project, &expected, None).await.unwrap();
    let mut stored = Sha256::new();
    while let Some(chunk) = content.next().await {
        stored.update(chunk.unwrap());
    }
    assert_eq!(Sha256Digest::new(stored.finalize().into()), expected);
}
