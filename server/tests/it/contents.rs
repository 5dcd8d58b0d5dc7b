//! Contents, streamed in by our own CLI and then named by hash in a run's details.

mod packed;
mod parts;
mod ranges;

use std::io;

use axum::body::{Body, Bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt, stream};
use otrace_server::domain::ProjectId;
use otrace_server::services;
use otrace_server::testing::{TestApp, TestProject, TestResponse};
use otrace_wire::Sha256Digest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

/// So large that it is written in more than one part.
const LARGE: usize = 20 * 1024 * 1024 + 7;

fn digest_of(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::new(Sha256::digest(bytes).into())
}

/// Bytes that are no text.
fn bytes(length: usize) -> Vec<u8> {
    (0..=u8::MAX).rev().cycle().take(length).collect()
}

/// A content that arrives in pieces of this size.
fn in_pieces(content: &[u8], size: usize) -> Body {
    let pieces: Vec<io::Result<Bytes>> = content.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::from_stream(stream::iter(pieces))
}

/// A content whose connection breaks after these bytes.
fn broken_after(content: &[u8]) -> Body {
    let mut pieces: Vec<io::Result<Bytes>> =
        content.chunks(1024 * 1024).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    pieces.push(Err(io::Error::other("the network is gone")));
    Body::from_stream(stream::iter(pieces))
}

async fn put(app: &TestApp, project: &TestProject, name: &str, body: impl Into<Body>) -> TestResponse {
    app.api_raw(&project.key, "PUT", &format!("/v1/contents/{name}"), body).await
}

async fn put_details(app: &TestApp, project: &TestProject, details: Value) -> TestResponse {
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await
}

async fn read(app: &TestApp, project: &TestProject) -> Value {
    app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json()["run"].clone()
}

/// The content that a project has under this digest, if any, which has the size that the database says.
async fn stored(app: &TestApp, project: &TestProject, digest: Sha256Digest) -> Option<Vec<u8>> {
    let size: Option<i64> = sqlx::query_scalar("SELECT size_bytes FROM blobs WHERE project_id = $1 AND sha256 = $2")
        .bind(project.id)
        .bind(digest.as_bytes().to_vec())
        .fetch_optional(&app.app.pool)
        .await
        .unwrap();
    let found = services::contents::read(&app.app, ProjectId(project.id), &digest, None).await.ok();
    assert_eq!(size.is_some(), found.is_some(), "{digest}: the row and what it names");
    let mut content = found?;
    let mut bytes = Vec::new();
    while let Some(chunk) = content.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(size.unwrap(), i64::try_from(bytes.len()).unwrap());
    Some(bytes)
}

#[tokio::test]
async fn a_content_is_stored_and_answered_with_its_hash_and_size() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    // Around what a part of an upload is.
    for size in [0, 1, 65_537, 8 * 1024 * 1024 - 1, 8 * 1024 * 1024, LARGE] {
        let content = bytes(size);
        let digest = digest_of(&content);
        let answer = put(&app, &project, &digest.hex(), in_pieces(&content, 100_003)).await.expect(200).json();
        assert_eq!(answer, json!({"ok": true, "hash": digest.to_string(), "size_bytes": size}));
        assert!(stored(&app, &project, digest).await.unwrap() == content, "{size}");
    }
}

#[tokio::test]
async fn a_digest_is_read_with_and_without_its_prefix_and_in_capitals() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let digest = digest_of(b"content");
    for name in [digest.hex(), digest.to_string(), digest.hex().to_uppercase()] {
        let answer = put(&app, &project, &name, "content").await.expect(200).json();
        assert_eq!(answer["hash"], digest.to_string());
    }
}

#[tokio::test]
async fn what_is_no_digest_is_refused_and_stores_nothing() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let hex = digest_of(b"content").hex();
    for name in [
        "x",
        &hex[..63],
        &format!("{hex}0"),
        &"g".repeat(64),
        &format!("sha512:{hex}"),
        &format!("{hex}%00"),
        "%00",
        "..%2f..%2fx",
    ] {
        let refused = put(&app, &project, name, "content").await.expect(400).json();
        assert_eq!((refused["ok"].as_bool(), refused["code"].as_str()), (Some(false), Some("invalid")), "{refused}");
        assert!(refused["error"].as_str().unwrap().contains("64 hex digits"), "{refused}");
    }
    let blobs: i64 = sqlx::query_scalar("SELECT count(*) FROM blobs").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(blobs, 0);
}

#[tokio::test]
async fn a_content_of_another_hash_is_refused_and_not_kept() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "contents").await;
    let announced = digest_of(b"what was announced");
    for content in [bytes(0), bytes(100), bytes(LARGE)] {
        let refused = put(&app, &project, &announced.hex(), in_pieces(&content, 64 * 1024)).await.expect(400).json();
        assert_eq!((refused["ok"].as_bool(), refused["code"].as_str()), (Some(false), Some("invalid")), "{refused}");
        assert!(refused["error"].as_str().unwrap().contains(&digest_of(&content).to_string()), "{refused}");
        assert_eq!(stored(&app, &project, announced).await, None);
        assert_eq!(stored(&app, &project, digest_of(&content)).await, None);
    }
    put_details(&app, &project, json!({"logs": [{"stream": "stdout", "hash": announced.to_string()}]}))
        .await
        .expect(409);
}

#[tokio::test]
async fn a_content_that_is_sent_again_is_the_same_content() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    for content in [Vec::new(), bytes(1000), bytes(LARGE)] {
        let digest = digest_of(&content);
        let first = put(&app, &project, &digest.hex(), content.clone()).await.expect(200).json();
        let second = put(&app, &project, &digest.hex(), in_pieces(&content, 1_000_003)).await.expect(200).json();
        assert_eq!(first, second);

        // What is sent again and is something else, or not all of it, changes nothing.
        put(&app, &project, &digest.hex(), "something else").await.expect(400);
        put(&app, &project, &digest.hex(), broken_after(&content[..content.len() / 2])).await.expect(400);
        assert!(stored(&app, &project, digest).await.unwrap() == content);
    }
    let blobs: i64 = sqlx::query_scalar("SELECT count(*) FROM blobs").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(blobs, 5, "three contents, and the two different parts of the large one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_send_the_same_content_at_once_are_all_answered() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let content = bytes(9 * 1024 * 1024);
    let digest = digest_of(&content);
    let hex = digest.hex();
    let sent = (0..8).map(|index| put(&app, &project, &hex, in_pieces(&content, 64 * 1024 + index)));
    for answer in futures_util::future::join_all(sent).await {
        assert_eq!(answer.expect(200).json()["hash"], digest.to_string());
    }
    assert!(stored(&app, &project, digest).await.unwrap() == content);
}

#[tokio::test]
async fn a_content_that_breaks_off_leaves_nothing() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "contents").await;
    for size in [1, 1000, LARGE] {
        let content = bytes(size);
        let digest = digest_of(&content);
        // All of it arrives, and its end does not: the client may have had more to say.
        for sent in [&content[..0], &content[..size / 2], &content[..]] {
            let refused = put(&app, &project, &digest.hex(), broken_after(sent)).await.expect(400).json();
            assert_eq!(
                (refused["ok"].as_bool(), refused["code"].as_str()),
                (Some(false), Some("invalid")),
                "{refused}"
            );
            assert_eq!(stored(&app, &project, digest).await, None, "{} of {size} bytes", sent.len());
        }
        put_details(&app, &project, json!({"logs": [{"stream": "stdout", "hash": digest.to_string()}]}))
            .await
            .expect(409);
        put(&app, &project, &digest.hex(), content).await.expect(200);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_and_may_come_again() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let content = bytes(LARGE);
    let digest = digest_of(&content);
    let hex = digest.hex();

    let (told, has_read_half) = oneshot::channel();
    let half = Bytes::copy_from_slice(&content[..LARGE / 2]);
    let then_nothing = stream::once(async move {
        let _ = told.send(());
        std::future::pending::<io::Result<Bytes>>().await
    });
    let body = Body::from_stream(stream::iter([Ok(half)]).chain(then_nothing));
    tokio::select! {
        answer = put(&app, &project, &hex, body) => panic!("answered with {}", answer.status),
        read = has_read_half => read.unwrap(),
    }
    assert_eq!(stored(&app, &project, digest).await, None);

    put(&app, &project, &hex, content.clone()).await.expect(200);
    assert!(stored(&app, &project, digest).await.unwrap() == content);
}

#[tokio::test]
async fn a_client_that_goes_away_while_its_content_is_written_down_takes_no_bytes_with_it() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let content = bytes(1000);
    let digest = digest_of(&content);
    let mut lock = app.app.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE blobs IN SHARE MODE").execute(&mut *lock).await.unwrap();
    let the_row_waits = async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'blobs'::regclass AND NOT granted";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&app.app.pool).await.unwrap() == 0 {}
    };
    let hex = digest.hex();
    tokio::select! {
        answer = put(&app, &project, &hex, content.clone()) => panic!("answered with {}", answer.status),
        () = the_row_waits => {}
    }
    lock.commit().await.unwrap();
    // The row comes all the same, and what it names is there.
    let the_row = "SELECT count(*) FROM blobs WHERE sha256 = $1";
    while sqlx::query_scalar::<_, i64>(the_row).bind(digest.as_bytes()).fetch_one(&app.app.pool).await.unwrap() == 0 {}
    assert_eq!(stored(&app, &project, digest).await.unwrap(), content);
    assert_eq!(put(&app, &project, &hex, content.clone()).await.expect(200).json()["size_bytes"], 1000);
}

#[tokio::test]
async fn what_details_name_by_hash_reads_back_byte_for_byte() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "contents").await;
    let model = bytes(LARGE);
    let printed = [b"epoch 1\r\n\x1b[31mloss\x1b[0m 0.5\n".as_slice(), &bytes(300)].concat();
    let diff = b"diff --git a/train.py b/train.py\n-lr = 1\n+lr = 2\n".as_slice();
    let requirements = "torch==2.9\n# Gr\u{fc}\u{df}e\n".as_bytes();
    for content in [model.as_slice(), printed.as_slice(), diff, requirements] {
        put(&app, &project, &digest_of(content).hex(), content.to_vec()).await.expect(200);
    }
    let hash = |content: &[u8]| digest_of(content).to_string();
    let details = json!({
        "artifacts": [{"original_path": "out/model.bin", "type": "checkpoint", "size_bytes": 1, "hash": hash(&model)}],
        "logs": [{"stream": "stdout", "hash": hash(&printed)}],
        "snapshot": {"git_commit": "abc123", "files": [
            {"kind": "dirty_diff", "path": "dirty.diff", "hash": hash(diff), "size_bytes": 1},
            {"kind": "dependency", "path": "requirements.txt", "hash": hash(requirements), "size_bytes": 1},
        ]},
    });
    put_details(&app, &project, details).await.expect(200);

    let run = read(&app, &project).await;
    let artifact = &run["artifacts"][0];
    assert_eq!(
        (artifact["size_bytes"].as_u64(), artifact["hash"].as_str()),
        (Some(LARGE as u64), Some(hash(&model).as_str()))
    );
    assert_eq!(
        (run["logs"][0]["size_bytes"].as_u64(), &run["logs"][0]["hash"]),
        (Some(printed.len() as u64), &json!(hash(&printed)))
    );
    assert_eq!(run["logs"][0]["text_content"], String::from_utf8_lossy(&printed).into_owned());
    let files = &run["snapshot"]["files"];
    assert_eq!((&files[0]["kind"], &files[0]["size_bytes"]), (&json!("dirty_diff"), &json!(diff.len())));
    assert_eq!((&files[1]["path"], &files[1]["hash"]), (&json!("requirements.txt"), &json!(hash(requirements))));

    let id = artifact["id"].as_str().unwrap();
    let download = app.api(&project.key, "GET", &format!("/v1/artifacts/{id}/download"), None).await.expect(200).json();
    assert!(STANDARD.decode(download["artifact"]["content_base64"].as_str().unwrap()).unwrap() == model);
    for (path, content) in [
        (format!("artifacts/{id}/raw"), model.as_slice()),
        ("logs/0/raw".to_owned(), printed.as_slice()),
        ("code/0/raw".to_owned(), diff),
        ("code/1/raw".to_owned(), requirements),
    ] {
        let answer =
            app.get(&project.cookie, &format!("/projects/{}/runs/exp001/{path}", project.slug)).await.expect(200);
        assert!(answer.body == content, "{path}");
        assert_eq!(answer.header("content-length"), content.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn an_empty_content_is_a_content() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    app.run(&project.key, "contents").await;
    let empty = digest_of(b"");
    put(&app, &project, &empty.hex(), Body::empty()).await.expect(200);
    let details = json!({
        "artifacts": [{"original_path": "empty.bin", "hash": empty.to_string()}],
        "logs": [{"stream": "stderr", "hash": empty.to_string()}],
        "snapshot": {"files": [{"kind": "staged_diff", "path": "staged.diff", "hash": empty.to_string(), "size_bytes": 0}]},
    });
    put_details(&app, &project, details).await.expect(200);

    let run = read(&app, &project).await;
    assert_eq!(
        (run["artifacts"][0]["size_bytes"].as_i64(), run["artifacts"][0]["text_content"].as_str()),
        (Some(0), Some(""))
    );
    assert_eq!((run["logs"][0]["size_bytes"].as_i64(), run["logs"][0]["text_content"].as_str()), (Some(0), Some("")));
    let id = run["artifacts"][0]["id"].as_str().unwrap();
    let download = app.api(&project.key, "GET", &format!("/v1/artifacts/{id}/download"), None).await.expect(200).json();
    assert_eq!(download["artifact"]["content_base64"], "");
    for path in ["logs/0/raw", "code/0/raw", &format!("artifacts/{id}/raw")] {
        let answer =
            app.get(&project.cookie, &format!("/projects/{}/runs/exp001/{path}", project.slug)).await.expect(200);
        assert!(answer.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_hash_does_not_open_the_content_of_another_project() {
    let app = TestApp::new().await;
    let (mine, theirs) = (app.project("mine").await, app.project("theirs").await);
    app.run(&mine.key, "contents").await;
    let secret = digest_of(b"their secret");
    put(&app, &theirs, &secret.hex(), "their secret").await.expect(200);

    // Knowing the hash is no proof of having the content.
    put(&app, &mine, &secret.hex(), "a guess").await.expect(400);
    put(&app, &mine, &secret.hex(), Body::empty()).await.expect(400);
    assert_eq!(stored(&app, &mine, secret).await, None);

    let file = json!({"kind": "dependency", "path": "a", "hash": secret.to_string(), "size_bytes": 12});
    for details in
        [json!({"logs": [{"stream": "stdout", "hash": secret.to_string()}]}), json!({"snapshot": {"files": [file]}})]
    {
        let refused = put_details(&app, &mine, details).await.expect(409).json();
        assert_eq!((refused["ok"].as_bool(), refused["code"].as_str()), (Some(false), Some("conflict")), "{refused}");
    }

    let artifact =
        json!({"original_path": "a.txt", "size_bytes": 12, "hash": secret.to_string(), "content_type": "text/plain"});
    put_details(&app, &mine, json!({"artifacts": [artifact]})).await.expect(200);
    let artifact = read(&app, &mine).await["artifacts"][0].clone();
    assert_eq!(artifact["text_content"], Value::Null);
    let id = artifact["id"].as_str().unwrap();
    let download = app.api(&mine.key, "GET", &format!("/v1/artifacts/{id}/download"), None).await.expect(200);
    assert!(!download.text().contains("their secret"));
    assert_eq!(download.json()["artifact"]["content_base64"], Value::Null);
    app.get(&mine.cookie, &format!("/projects/mine/runs/exp001/artifacts/{id}/raw")).await.expect(404);

    // Who sends it has it: from then on it is theirs too, apart from the other's.
    put(&app, &mine, &secret.hex(), "their secret").await.expect(200);
    assert_eq!(stored(&app, &mine, secret).await.unwrap(), b"their secret");
    put_details(&app, &mine, json!({"logs": [{"stream": "stdout", "hash": secret.to_string()}]})).await.expect(200);
}

#[tokio::test]
async fn a_content_needs_a_key() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let path = format!("/v1/contents/{}", digest_of(b"content").hex());
    for key in ["", "trc_junk"] {
        app.api_raw(key, "PUT", &path, "content").await.expect(401);
    }
    assert_eq!(stored(&app, &project, digest_of(b"content")).await, None);
}
