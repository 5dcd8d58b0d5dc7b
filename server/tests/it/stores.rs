//! Contents in a bucket: the whole app on a server that speaks S3.

mod s3;

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use otrace_server::blobs::Blobs;
use otrace_server::domain::ProjectId;
use otrace_server::error::AppError;
use otrace_server::testing::{TestApp, TestProject, TestResponse};
use otrace_wire::Sha256Digest;
use s3::{BUCKET, Mood, S3};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::time::{interval, timeout};

/// A part of an upload.
const PART: usize = 8 * 1024 * 1024;

/// So large that it is written in three parts.
const LARGE: usize = 2 * PART + 7;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn digest_of(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::new(Sha256::digest(bytes).into())
}

/// Bytes that are no text, and nowhere the same for long.
fn bytes(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

/// A content that arrives in pieces of this size.
fn in_pieces(content: &[u8], size: usize) -> Body {
    let pieces: Vec<io::Result<Bytes>> = content.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::from_stream(stream::iter(pieces))
}

async fn put(app: &TestApp, project: &TestProject, digest: &Sha256Digest, body: impl Into<Body>) -> TestResponse {
    app.api_raw(&project.key, "PUT", &format!("/v1/contents/{}", digest.hex()), body).await
}

/// Stores a content and returns its digest.
async fn keep(app: &TestApp, project: &TestProject, content: &[u8]) -> Sha256Digest {
    let digest = digest_of(content);
    let answer = put(app, project, &digest, in_pieces(content, 100_003)).await.expect(200).json();
    assert_eq!(answer, json!({"ok": true, "hash": digest.to_string(), "size_bytes": content.len()}));
    digest
}

async fn read(blobs: &Blobs, project: &TestProject, digest: &Sha256Digest, size: usize) -> Vec<u8> {
    blobs.read_part(ProjectId(project.id), digest, 0..size as u64).await.unwrap()
}

/// Where a project's content is in the bucket, below the prefix.
fn key(project: &TestProject, digest: &Sha256Digest) -> String {
    let hex = digest.hex();
    format!("projects/{}/{}/{hex}", project.id, &hex[..2])
}

/// A run with this content as its artifact; returns where its bytes are.
async fn artifact(app: &TestApp, project: &TestProject, digest: &Sha256Digest) -> String {
    app.run(&project.key, "contents").await;
    let artifact = json!({"original_path": "model.bin", "size_bytes": 1, "hash": digest.to_string()});
    let details = Some(json!({"artifacts": [artifact]}));
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", details).await.expect(200);
    let run = app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json();
    let id = run["run"]["artifacts"][0]["id"].as_str().unwrap().to_owned();
    format!("/projects/{}/runs/exp001/artifacts/{id}/raw", project.slug)
}

#[track_caller]
fn expect_unavailable(answer: TestResponse) -> String {
    let answer = answer.expect(503);
    assert_eq!(answer.header("retry-after"), "5");
    let told = answer.json();
    assert_eq!((told["ok"].as_bool(), told["code"].as_str()), (Some(false), Some("unavailable")), "{told}");
    told["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn contents_of_every_size_go_into_the_bucket_and_come_back() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}/trace/prod")).await;
    let project = app.project("wake-word").await;
    let mut keys = Vec::new();
    for size in [0, 1, 65_537, PART - 1, PART, LARGE] {
        let content = bytes(size);
        let digest = keep(&app, &project, &content).await;
        assert!(read(&app.app.blobs, &project, &digest, size).await == content, "{size}");
        keys.push(format!("trace/prod/{}", key(&project, &digest)));
    }
    keys.sort();
    assert_eq!(s3.objects(), keys);
    assert_eq!(s3.leftovers(), [""; 0]);
    // The bucket is in the path, not in the host's name.
    let elsewhere = s3.requests().into_iter().filter(|asked| !asked.contains(" /contents/trace/prod/"));
    assert_eq!(elsewhere.collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn a_large_content_is_written_in_equal_parts() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let project = app.project("wake-word").await;
    keep(&app, &project, &bytes(LARGE)).await;
    let asked = s3.requests();
    let parts = asked.iter().filter(|asked| asked.starts_with("PUT ") && asked.contains("partNumber=")).count();
    assert_eq!(parts, 3, "{asked:?}");
    assert_eq!(asked.len(), 5, "and one to begin, one to complete: {asked:?}");
}

#[tokio::test]
async fn a_part_of_a_content_is_read_alone() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let project = app.project("wake-word").await;
    let content = bytes(LARGE);
    let digest = keep(&app, &project, &content).await;
    for (start, end) in [(0, 1), (1, 1000), (PART - 10, PART + 10), (LARGE - 1, LARGE), (LARGE, LARGE), (0, LARGE)] {
        let range = start as u64..end as u64;
        let part = app.app.blobs.read_part(ProjectId(project.id), &digest, range).await.unwrap();
        assert!(part == content[start..end], "{start}..{end}");
    }
}

#[tokio::test]
async fn an_artifact_downloads_byte_for_byte() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}/trace")).await;
    let project = app.project("wake-word").await;
    let content = bytes(LARGE);
    let digest = keep(&app, &project, &content).await;
    let raw = artifact(&app, &project, &digest).await;
    let answer = app.get(&project.cookie, &raw).await.expect(200);
    assert_eq!(answer.header("content-length"), LARGE.to_string());
    assert!(answer.body == content);
}

#[tokio::test]
async fn a_content_of_another_hash_is_refused_and_leaves_nothing() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let project = app.project("wake-word").await;
    let announced = digest_of(b"what was announced");
    for size in [0, 100, PART, LARGE] {
        let content = bytes(size);
        let refused = put(&app, &project, &announced, in_pieces(&content, 64 * 1024)).await.expect(400).json();
        assert!(refused["error"].as_str().unwrap().contains(&digest_of(&content).to_string()), "{refused}");
        assert_eq!((s3.objects(), s3.leftovers()), (vec![], vec![]), "{size}");
    }
}

#[tokio::test]
async fn a_content_that_breaks_off_leaves_nothing() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let project = app.project("wake-word").await;
    let content = bytes(LARGE);
    let digest = digest_of(&content);
    let broken = [Ok(Bytes::from(content.clone())), Err(io::Error::other("the network is gone"))];
    put(&app, &project, &digest, Body::from_stream(stream::iter(broken))).await.expect(400);
    assert_eq!((s3.objects(), s3.leftovers()), (vec![], vec![]));
    keep(&app, &project, &content).await;
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_parts_in_the_bucket() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let project = app.project("wake-word").await;
    let content = bytes(LARGE);
    let digest = digest_of(&content);

    let (told, has_read_a_part) = oneshot::channel();
    let part = Bytes::copy_from_slice(&content[..PART]);
    let then_nothing = stream::once(async move {
        let _ = told.send(());
        std::future::pending::<io::Result<Bytes>>().await
    });
    let body = Body::from_stream(stream::iter([Ok(part)]).chain(then_nothing));
    tokio::select! {
        answer = put(&app, &project, &digest, body) => panic!("answered with {}", answer.status),
        read = has_read_a_part => read.unwrap(),
    }
    let given_back = async {
        let mut ticks = interval(Duration::from_millis(10));
        while !s3.leftovers().is_empty() {
            ticks.tick().await;
        }
    };
    timeout(PATIENCE, given_back).await.expect("the bucket is told that nobody will complete the upload");
    assert_eq!(s3.objects(), [""; 0]);
    keep(&app, &project, &content).await;
}

#[tokio::test]
async fn a_content_that_the_bucket_lost_is_not_found() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let project = app.project("wake-word").await;
    let digest = keep(&app, &project, &bytes(1000)).await;
    let raw = artifact(&app, &project, &digest).await;
    app.get(&project.cookie, &raw).await.expect(200);
    s3.lose(&key(&project, &digest));
    app.get(&project.cookie, &raw).await.expect(404);
    let read = app.app.blobs.read_part(ProjectId(project.id), &digest, 0..10).await;
    assert!(matches!(read, Err(AppError::NotFound("Content"))), "{read:?}");
    app.get("", "/health/ready").await.expect(200);
}

#[tokio::test]
async fn while_the_store_is_away_the_server_says_so_and_heals() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let project = app.project("wake-word").await;
    let stored = keep(&app, &project, b"stored before").await;
    let raw = artifact(&app, &project, &stored).await;
    app.get("", "/health/ready").await.expect(200);

    s3.be(Mood::Away);
    for content in [bytes(100), bytes(LARGE)] {
        let told = expect_unavailable(put(&app, &project, &digest_of(&content), content).await);
        assert!(told.contains("out of reach"), "{told}");
    }
    assert_eq!(app.get(&project.cookie, &raw).await.expect(503).header("retry-after"), "5");
    app.get("", "/health/ready").await.expect(503);
    app.get("", "/health/live").await.expect(200);

    s3.be(Mood::Well);
    app.get("", "/health/ready").await.expect(200);
    assert_eq!(app.get(&project.cookie, &raw).await.expect(200).body, b"stored before");
    for content in [bytes(100), bytes(LARGE)] {
        keep(&app, &project, &content).await;
    }
    assert_eq!(s3.leftovers(), [""; 0]);
}

#[tokio::test]
async fn a_store_that_nothing_listens_for_is_out_of_reach() {
    let nowhere = s3::storage(&format!("s3://{BUCKET}"), "http://127.0.0.1:1", s3::SECRET_KEY);
    let app = s3::app(nowhere).await;
    let project = app.project("wake-word").await;
    let told = expect_unavailable(put(&app, &project, &digest_of(b"content"), "content").await);
    assert!(told.contains("out of reach"), "{told}");
    app.get("", "/health/ready").await.expect(503);
}

#[tokio::test]
async fn a_store_that_is_busy_for_a_moment_is_asked_again() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let project = app.project("wake-word").await;
    for content in [bytes(100), bytes(LARGE)] {
        s3.be(Mood::Busy(2));
        let digest = keep(&app, &project, &content).await;
        s3.be(Mood::Busy(2));
        assert!(read(&app.app.blobs, &project, &digest, content.len()).await == content);
    }
    s3.be(Mood::Busy(u32::MAX));
    expect_unavailable(put(&app, &project, &digest_of(b"content"), "content").await);
}

#[tokio::test]
async fn wrong_credentials_are_named_and_not_shown() {
    let s3 = S3::start().await;
    let storage = s3.storage_with_secret(&format!("s3://{BUCKET}"), "not the secret");
    let app = s3::app(storage).await;
    let project = app.project("wake-word").await;
    for content in [bytes(100), bytes(LARGE)] {
        let told = expect_unavailable(put(&app, &project, &digest_of(&content), content).await);
        assert!(told.contains("credentials") && !told.contains("secret"), "{told}");
    }
    let checked = app.app.blobs.check().await.unwrap_err();
    assert!(checked.message().contains("credentials"), "{checked}");
    app.get("", "/health/ready").await.expect(503);
    assert_eq!(s3.objects(), [""; 0]);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_makes_the_server_not_ready() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}/trace")).await;
    app.get("", "/health/ready").await.expect(200);
    s3.lose_bucket();
    app.get("", "/health/ready").await.expect(503);
}

#[tokio::test]
async fn two_servers_share_a_bucket() {
    let s3 = S3::start().await;
    let url = format!("s3://{BUCKET}/shared");
    let (one, other) = (s3.app(&url).await, s3.app(&url).await);
    let (mine, theirs) = (one.project("mine").await, other.project("theirs").await);
    let content = bytes(1000);
    let digest = keep(&one, &mine, &content).await;

    // Another server of the same installation reads what this one wrote.
    assert!(read(&other.app.blobs, &mine, &digest, content.len()).await == content);
    // Another project of the other's has nothing of it, though it knows the hash.
    put(&other, &theirs, &digest, "a guess").await.expect(400);
    keep(&other, &theirs, &content).await;
    let mut keys = [key(&mine, &digest), key(&theirs, &digest)].map(|key| format!("shared/{key}"));
    keys.sort();
    assert_eq!(s3.objects(), keys);

    // Both send the same at once.
    let (content, digest) = (bytes(LARGE), digest_of(&bytes(LARGE)));
    let (first, second) = tokio::join!(
        put(&one, &mine, &digest, in_pieces(&content, 64 * 1024)),
        put(&one, &mine, &digest, in_pieces(&content, 65 * 1024)),
    );
    assert_eq!((first.expect(200).json(), s3.leftovers()), (second.expect(200).json(), vec![]));
    assert!(read(&other.app.blobs, &mine, &digest, LARGE).await == content);
}
