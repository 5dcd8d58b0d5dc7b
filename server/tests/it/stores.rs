//! Contents in a bucket: the whole app on a server that speaks S3, and in `azure` and `google` on theirs.

mod azure;
mod azurite;
mod backups;
mod direct;
mod google;
mod google_door;
mod promises;
pub(super) mod s3;
mod sweeps;

use std::io;
use std::ops::Range;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use otrace_server::domain::ProjectId;
use otrace_server::error::Result;
use otrace_server::services;
use otrace_server::testing::{TestApp, TestProject, TestResponse};
use otrace_wire::Sha256Digest;
use s3::{BUCKET, Mood, S3};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::time::{interval, timeout};
use uuid::Uuid;

/// The most that goes into one object, and the length of a part of what is larger.
const PART: usize = 8 * 1024 * 1024;

/// So large that it is stored in three parts.
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

/// A part of a content that the project has.
async fn read_part(app: &TestApp, project: &TestProject, digest: &Sha256Digest, part: Range<usize>) -> Result<Vec<u8>> {
    let part = part.start as u64..part.end as u64;
    services::contents::read_part(&app.app, ProjectId(project.id), digest, part).await
}

/// A content that the project has, of this size.
async fn read(app: &TestApp, project: &TestProject, digest: &Sha256Digest, size: usize) -> Vec<u8> {
    read_part(app, project, digest, 0..size).await.unwrap()
}

/// The keys of the objects that hold a project's contents, in order, below the prefix.
async fn named(app: &TestApp, project: &TestProject) -> Vec<String> {
    let select = "SELECT DISTINCT object_id FROM blobs WHERE project_id = $1 AND object_id IS NOT NULL";
    let objects: Vec<Uuid> = sqlx::query_scalar(select).bind(project.id).fetch_all(&app.app.pool).await.unwrap();
    let mut keys: Vec<_> = objects.iter().map(|object| format!("projects/{}/objects/{object}", project.id)).collect();
    keys.sort();
    keys
}

/// Waits until the store holds these objects and no others: what no content needs is removed after the answer.
async fn holds_only(kept: impl AsyncFn() -> Vec<String>, expected: &[String]) {
    let agrees = async {
        let mut ticks = interval(Duration::from_millis(10));
        while kept().await != expected {
            ticks.tick().await;
        }
    };
    if timeout(PATIENCE, agrees).await.is_err() {
        assert_eq!(kept().await, expected);
    }
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
    promises::contents_of_every_size_come_back(&app, "trace/prod/", async || s3.objects()).await;
    assert_eq!(s3.leftovers(), [""; 0]);
    // The bucket is in the path, not in the host's name.
    let is_elsewhere = |asked: &String| !asked.contains(" /contents/trace/prod/") && asked != "POST /contents?delete";
    let elsewhere = s3.requests().into_iter().filter(is_elsewhere);
    assert_eq!(elsewhere.collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn a_large_content_takes_one_request_for_each_part() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let project = app.project("wake-word").await;
    keep(&app, &project, &bytes(LARGE)).await;
    let asked = s3.requests();
    assert_eq!(asked.len(), 3, "{asked:?}");
    let writes = asked.iter().filter(|asked| asked.starts_with("PUT /contents/projects/") && !asked.contains('?'));
    assert_eq!(writes.count(), 3, "{asked:?}");
}

#[tokio::test]
async fn a_part_of_a_content_is_read_alone() {
    let s3 = S3::start().await;
    promises::a_part_is_read_alone(&s3.app(&format!("s3://{BUCKET}")).await).await;
}

#[tokio::test]
async fn an_artifact_downloads_byte_for_byte() {
    let s3 = S3::start().await;
    promises::an_artifact_downloads(&s3.app(&format!("s3://{BUCKET}/trace")).await).await;
}

#[tokio::test]
async fn a_content_that_is_refused_leaves_nothing() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    promises::what_is_refused_leaves_nothing(&app, async || [s3.objects(), s3.leftovers()].concat()).await;
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_parts_in_the_bucket() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let project = app.project("wake-word").await;
    let content = bytes(LARGE);
    let digest = digest_of(&content);

    let (told, has_written_a_part) = oneshot::channel();
    let parts = Bytes::copy_from_slice(&content[..2 * PART]);
    // The first part is written once the second is there, and then the third is asked for.
    let then_nothing = stream::once(async move {
        let _ = told.send(());
        std::future::pending::<io::Result<Bytes>>().await
    });
    let body = Body::from_stream(stream::iter([Ok(parts)]).chain(then_nothing));
    tokio::select! {
        answer = put(&app, &project, &digest, body) => panic!("answered with {}", answer.status),
        written = has_written_a_part => written.unwrap(),
    }
    assert_eq!(s3.requests().iter().filter(|asked| asked.starts_with("PUT ")).count(), 1);
    holds_only(async || s3.objects(), &[]).await;
    keep(&app, &project, &content).await;
}

#[tokio::test]
async fn a_content_that_the_bucket_lost_is_not_found() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    promises::a_lost_content_is_not_found(&app, async |key: &str| s3.lose(key)).await;
}

#[tokio::test]
async fn while_the_store_is_away_the_server_says_so_and_heals() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let be_away = |away| s3.be(if away { Mood::Away } else { Mood::Well });
    promises::the_server_says_that_the_store_is_away_and_heals(&app, be_away).await;
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
        assert!(read(&app, &project, &digest, content.len()).await == content);
    }
    s3.be(Mood::Busy(u32::MAX));
    expect_unavailable(put(&app, &project, &digest_of(b"content"), "content").await);
}

#[tokio::test]
async fn wrong_credentials_are_named_and_not_shown() {
    let s3 = S3::start().await;
    let app = s3::app(s3.storage_with_secret(&format!("s3://{BUCKET}"), "not the secret")).await;
    promises::wrong_credentials_are_named_and_not_shown(&app, "secret").await;
    assert_eq!(s3.objects(), [""; 0]);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_makes_the_server_not_ready() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}/trace")).await;
    app.get("", "/health/ready").await.expect(200);
    s3.lose_bucket();
    // Within a second nobody looks again.
    app.app.clock.advance(time::Duration::seconds(1));
    app.get("", "/health/ready").await.expect(503);
}

#[tokio::test]
async fn two_servers_share_a_bucket_and_keep_out_of_each_others_way() {
    let s3 = S3::start().await;
    let url = format!("s3://{BUCKET}/shared");
    let (one, other) = (s3.app(&url).await, s3.app(&url).await);
    let (mine, theirs) = (one.project("mine").await, other.project("theirs").await);
    let content = bytes(1000);
    let digest = keep(&one, &mine, &content).await;
    // Another project has nothing of it, though it knows the hash.
    put(&other, &theirs, &digest, "a guess").await.expect(400);
    keep(&other, &theirs, &content).await;
    let mut keys = [named(&one, &mine).await, named(&other, &theirs).await].concat();
    keys.sort();
    let keys: Vec<_> = keys.into_iter().map(|key| format!("shared/{key}")).collect();
    assert_eq!((keys.len(), s3.objects()), (2, keys));
}

#[tokio::test]
async fn the_same_content_may_come_twice_at_once() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    promises::the_same_content_may_come_twice_at_once(&app, async || s3.objects()).await;
    assert_eq!(s3.leftovers(), [""; 0]);
}
