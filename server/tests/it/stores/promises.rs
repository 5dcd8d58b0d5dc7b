//! What every store of contents has to keep, whatever language it speaks.

use std::io;

use axum::body::{Body, Bytes};
use futures_util::stream;
use otrace_server::error::AppError;
use otrace_server::testing::TestApp;

use super::{
    LARGE, PART, artifact, bytes, digest_of, expect_unavailable, holds_only, in_pieces, keep, named, put, read,
    read_part,
};

/// Contents below, at and above the size of a part come back byte for byte, and what is in the store for them lies
/// below the prefix; `kept` tells what is in the store.
pub async fn contents_of_every_size_come_back(app: &TestApp, prefix: &str, kept: impl AsyncFn() -> Vec<String>) {
    let project = app.project("every-size").await;
    for size in [0, 1, 65_537, PART - 1, PART, LARGE] {
        let content = bytes(size);
        let digest = keep(app, &project, &content).await;
        assert!(read(app, &project, &digest, size).await == content, "{size}");
    }
    let keys: Vec<_> = named(app, &project).await.into_iter().map(|key| format!("{prefix}{key}")).collect();
    assert!(keys.len() >= 5, "{keys:?}");
    holds_only(kept, &keys).await;
}

/// A part of a content is read without the rest.
pub async fn a_part_is_read_alone(app: &TestApp) {
    let project = app.project("part").await;
    let content = bytes(LARGE);
    let digest = keep(app, &project, &content).await;
    for (start, end) in [(0, 1), (1, 1000), (PART - 10, PART + 10), (LARGE - 1, LARGE), (LARGE, LARGE), (0, LARGE)] {
        let part = read_part(app, &project, &digest, start..end).await.unwrap();
        assert!(part == content[start..end], "{start}..{end}");
    }
}

/// A person downloads an artifact, byte for byte.
pub async fn an_artifact_downloads(app: &TestApp) {
    let project = app.project("artifact").await;
    let content = bytes(LARGE);
    let digest = keep(app, &project, &content).await;
    let raw = artifact(app, &project, &digest).await;
    let answer = app.get(&project.cookie, &raw).await.expect(200);
    assert_eq!(answer.header("content-length"), LARGE.to_string());
    assert!(answer.body == content);
}

/// What is not what it was announced as, and what breaks off, is refused; `kept` tells what is in the store then.
pub async fn what_is_refused_leaves_nothing(app: &TestApp, kept: impl AsyncFn() -> Vec<String>) {
    let project = app.project("refused").await;
    let announced = digest_of(b"what was announced");
    for size in [0, 100, PART, LARGE] {
        let content = bytes(size);
        let refused = put(app, &project, &announced, in_pieces(&content, 64 * 1024)).await.expect(400).json();
        assert!(refused["error"].as_str().unwrap().contains(&digest_of(&content).to_string()), "{refused}");
        holds_only(&kept, &[]).await;
    }
    let content = bytes(LARGE);
    let broken = [Ok(Bytes::from(content.clone())), Err(io::Error::other("the network is gone"))];
    put(app, &project, &digest_of(&content), Body::from_stream(stream::iter(broken))).await.expect(400);
    holds_only(kept, &[]).await;
    keep(app, &project, &content).await;
}

/// A content that the store lost is not found, and the rest goes on; `lose` takes the object at a key away.
pub async fn a_lost_content_is_not_found(app: &TestApp, lose: impl AsyncFn(&str)) {
    let project = app.project("lost").await;
    let digest = keep(app, &project, &bytes(1000)).await;
    let raw = artifact(app, &project, &digest).await;
    app.get(&project.cookie, &raw).await.expect(200);
    for key in named(app, &project).await {
        lose(&key).await;
    }
    app.get(&project.cookie, &raw).await.expect(404);
    let read = read_part(app, &project, &digest, 0..10).await;
    assert!(matches!(read, Err(AppError::NotFound("Content"))), "{read:?}");
    app.get("", "/health/ready").await.expect(200);
}

/// While the store is away the server says so, and it heals by itself; `be_away` takes the store away or brings it
/// back.
pub async fn the_server_says_that_the_store_is_away_and_heals(app: &TestApp, be_away: impl Fn(bool)) {
    let project = app.project("away").await;
    let stored = keep(app, &project, b"stored before").await;
    let raw = artifact(app, &project, &stored).await;
    app.get("", "/health/ready").await.expect(200);

    be_away(true);
    for content in [bytes(100), bytes(LARGE)] {
        let told = expect_unavailable(put(app, &project, &digest_of(&content), content).await);
        assert!(told.contains("out of reach"), "{told}");
    }
    assert_eq!(app.get(&project.cookie, &raw).await.expect(503).header("retry-after"), "5");
    // Within a second nobody looks again.
    app.app.clock.advance(time::Duration::seconds(1));
    app.get("", "/health/ready").await.expect(503);
    app.get("", "/health/live").await.expect(200);

    be_away(false);
    app.get("", "/health/ready").await.expect(200);
    assert_eq!(app.get(&project.cookie, &raw).await.expect(200).body, b"stored before");
    for content in [bytes(100), bytes(LARGE)] {
        keep(app, &project, &content).await;
    }
}

/// Where the store refuses the server's credentials, that is what is told, and no secret with it.
pub async fn wrong_credentials_are_named_and_not_shown(app: &TestApp, secret: &str) {
    let project = app.project("credentials").await;
    for content in [bytes(100), bytes(LARGE)] {
        let told = expect_unavailable(put(app, &project, &digest_of(&content), content).await);
        assert!(told.contains("credentials") && !told.contains(secret), "{told}");
    }
    let checked = app.app.blobs.check().await.unwrap_err();
    assert!(checked.message().contains("credentials"), "{checked}");
    app.get("", "/health/ready").await.expect(503);
}

/// Two clients send the same content at once: it is there afterwards, once, and both are told so; `kept` tells what is
/// in the store.
pub async fn the_same_content_may_come_twice_at_once(app: &TestApp, kept: impl AsyncFn() -> Vec<String>) {
    let project = app.project("twice").await;
    let content = bytes(LARGE);
    let digest = digest_of(&content);
    let (first, second) = tokio::join!(
        put(app, &project, &digest, in_pieces(&content, 64 * 1024)),
        put(app, &project, &digest, in_pieces(&content, 65 * 1024)),
    );
    assert_eq!(first.expect(200).json(), second.expect(200).json());
    assert!(read(app, &project, &digest, LARGE).await == content);
    holds_only(kept, &named(app, &project).await).await;
}
