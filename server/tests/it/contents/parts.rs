//! Large contents that come part by part.

use super::packed::lacking;
use super::*;

const PART: usize = 8 * 1024 * 1024;

/// A content of two parts and a bit, no two alike.
fn large() -> Vec<u8> {
    (0..2 * PART + 1000).map(|at| (at / 1000).to_le_bytes()[at % 3]).collect()
}

fn named(parts: &[&[u8]], size: usize) -> Value {
    let parts: Vec<String> = parts.iter().map(|part| digest_of(part).to_string()).collect();
    json!({"size_bytes": size, "parts": parts})
}

async fn put_parts(app: &TestApp, project: &TestProject, whole: Sha256Digest, parts: Value) -> TestResponse {
    app.api(&project.key, "PUT", &format!("/v1/contents/{}/parts", whole.hex()), Some(parts)).await
}

#[tokio::test]
async fn parts_that_are_all_there_become_the_content() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let content = large();
    let parts: Vec<&[u8]> = content.chunks(PART).collect();
    for part in &parts {
        put(&app, &project, &digest_of(part).hex(), part.to_vec()).await.expect(200);
    }
    let whole = digest_of(&content);
    assert_eq!(stored(&app, &project, whole).await, None);
    for _ in 0..2 {
        let answer = put_parts(&app, &project, whole, named(&parts, content.len())).await.expect(200).json();
        assert_eq!(answer, json!({"ok": true, "is_stored": true}));
        assert!(stored(&app, &project, whole).await.unwrap() == content);
    }
    assert_eq!(lacking(&app, &project, &[content.as_slice()]).await, [""; 0]);
}

#[tokio::test]
async fn any_range_reads_across_parts_and_compressed_frames() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let content = large();
    let digest = digest_of(&content);
    put(&app, &project, &digest.hex(), content.clone()).await.expect(200);
    let edges = [0, 1, 256 * 1024, PART - 1, PART, PART + 1, 2 * PART, content.len() - 1, content.len()];
    for start in edges {
        for end in edges.into_iter().filter(|end| *end >= start) {
            let range = start as u64..end as u64;
            let project = ProjectId(project.id);
            let read = services::contents::read_part(&app.app, project, &digest, range).await.unwrap();
            assert!(read == content[start..end], "{start}..{end}");
        }
    }
    let compressed: bool =
        sqlx::query_scalar("SELECT bool_or(frames IS NOT NULL) FROM blobs").fetch_one(&app.app.pool).await.unwrap();
    assert!(compressed, "what shrinks is stored compressed");
}

#[tokio::test]
async fn a_content_without_one_of_its_parts_is_refused_and_says_which() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let content = large();
    let parts: Vec<&[u8]> = content.chunks(PART).collect();
    for part in &parts[..2] {
        put(&app, &project, &digest_of(part).hex(), part.to_vec()).await.expect(200);
    }
    let whole = digest_of(&content);
    let refused = put_parts(&app, &project, whole, named(&parts, content.len())).await.expect(409).json();
    assert!(refused["error"].as_str().unwrap().contains(&digest_of(parts[2]).to_string()), "{refused}");
    assert_eq!(
        lacking(&app, &project, &parts).await,
        [digest_of(parts[2]).to_string()],
        "the others need not go again"
    );
    assert_eq!(stored(&app, &project, whole).await, None);
}

#[tokio::test]
async fn parts_that_make_up_something_else_are_refused() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let content = large();
    let parts: Vec<&[u8]> = content.chunks(PART).collect();
    for part in &parts {
        put(&app, &project, &digest_of(part).hex(), part.to_vec()).await.expect(200);
    }
    let whole = digest_of(&content);
    let swapped = [parts[1], parts[0], parts[2]];
    let refused = put_parts(&app, &project, whole, named(&swapped, content.len())).await.expect(400).json();
    assert!(refused["error"].as_str().unwrap().contains("hash is"), "{refused}");
    for (parts, size) in [
        (&parts[..2], content.len()),
        (&parts[..1], PART),
        (&parts[..], content.len() + PART),
        (&parts[..], content.len() - 1),
        (&[][..], 0),
    ] {
        put_parts(&app, &project, whole, named(parts, size)).await.expect(400);
    }
    // Another project's parts are not this one's.
    let other = app.project("other").await;
    put_parts(&app, &other, whole, named(&parts, content.len())).await.expect(409);
    assert_eq!(stored(&app, &project, whole).await, None);
    assert_eq!(stored(&app, &other, whole).await, None);
}

#[tokio::test]
async fn parts_of_another_length_are_refused_though_they_make_up_the_content() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let content = &large()[..12 * 1024 * 1024];
    let parts = [&content[..5 * 1024 * 1024], &content[5 * 1024 * 1024..]];
    for part in parts {
        put(&app, &project, &digest_of(part).hex(), part.to_vec()).await.expect(200);
    }
    let whole = digest_of(content);
    let refused = put_parts(&app, &project, whole, named(&parts, content.len())).await.expect(400).json();
    assert!(refused["error"].as_str().unwrap().contains("not as long"), "{refused}");
    assert_eq!(stored(&app, &project, whole).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_who_complete_one_content_at_once_make_it_once() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let content = large();
    let parts: Vec<&[u8]> = content.chunks(PART).collect();
    for part in &parts {
        put(&app, &project, &digest_of(part).hex(), part.to_vec()).await.expect(200);
    }
    let whole = digest_of(&content);
    let asked = (0..50).map(|_| put_parts(&app, &project, whole, named(&parts, content.len())));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(answer.expect(200).json()["is_stored"], true);
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM blob_parts").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(rows, 3);
}

#[tokio::test]
async fn contents_of_the_first_versions_are_still_read() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let content = b"written by an older server";
    let digest = digest_of(content);
    put(&app, &project, &digest.hex(), content.to_vec()).await.expect(200);
    // Where such a server put it: under its hash.
    let objects = app.contents_folder().join("projects").join(project.id.to_string());
    let object = std::fs::read_dir(objects.join("objects")).unwrap().next().unwrap().unwrap().path();
    let old = objects.join(&digest.hex()[..2]);
    std::fs::create_dir_all(&old).unwrap();
    std::fs::rename(object, old.join(digest.hex())).unwrap();
    sqlx::query("UPDATE blobs SET place = 'named', object_id = NULL, object_start = NULL")
        .execute(&app.app.pool)
        .await
        .unwrap();
    assert_eq!(stored(&app, &project, digest).await.unwrap(), content);
}
