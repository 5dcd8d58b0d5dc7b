//! Small contents, many at a time, and the question which of them are lacking.

use super::*;
use otrace_wire::contents::packed;

fn frames(contents: &[&[u8]]) -> Vec<u8> {
    let frame = |content: &&[u8]| {
        let head = packed::head(&digest_of(content), u32::try_from(content.len()).unwrap());
        [head.as_slice(), content].concat()
    };
    contents.iter().flat_map(frame).collect()
}

async fn send(app: &TestApp, project: &TestProject, body: Vec<u8>) -> TestResponse {
    app.api_raw(&project.key, "POST", "/v1/contents", body).await
}

/// The hashes that the project says it lacks of these contents.
pub async fn lacking(app: &TestApp, project: &TestProject, contents: &[&[u8]]) -> Vec<String> {
    let offered: Vec<Value> = contents
        .iter()
        .map(|content| json!({"hash": digest_of(content).to_string(), "size_bytes": content.len()}))
        .collect();
    let body = Some(json!({ "contents": offered }));
    let answer = app.api(&project.key, "POST", "/v1/contents/lacking", body).await.expect(200).json();
    let lacking = answer["lacking"].as_array().unwrap();
    lacking.iter().map(|content| content["hash"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn small_contents_that_come_together_are_each_there() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let text = "epoch 1 loss 0.5\n".repeat(1000);
    let contents: [&[u8]; 4] = [b"", b"one", text.as_bytes(), &bytes(packed::CONTENT_MAX)];
    assert_eq!(lacking(&app, &project, &contents).await.len(), 4);
    let answer = send(&app, &project, frames(&contents)).await.expect(200).json();
    assert_eq!(answer, json!({"ok": true, "stored": 4}));
    for content in contents {
        assert!(stored(&app, &project, digest_of(content)).await.unwrap() == content, "{} bytes", content.len());
    }
    let objects: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT object_id) FROM blobs").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(objects, 1, "they are written together");
    assert_eq!(lacking(&app, &project, &contents).await, [""; 0]);
}

#[tokio::test]
async fn only_what_is_lacking_is_named_and_only_to_the_project_that_lacks_it() {
    let app = TestApp::new().await;
    let (mine, theirs) = (app.project("mine").await, app.project("theirs").await);
    send(&app, &mine, frames(&[b"a", b"b"])).await.expect(200);
    let all: [&[u8]; 3] = [b"a", b"c", b"b"];
    assert_eq!(lacking(&app, &mine, &all).await, [digest_of(b"c").to_string()]);
    assert_eq!(lacking(&app, &theirs, &all).await.len(), 3);
    let many = json!({"contents": vec![json!({"hash": digest_of(b"a").to_string(), "size_bytes": 1}); 1001]});
    app.api(&mine.key, "POST", "/v1/contents/lacking", Some(many)).await.expect(400);
}

#[tokio::test]
async fn what_is_sent_again_or_twice_at_once_is_stored_once() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let body = frames(&[b"a", b"b", b"a"]);
    let (first, second) = tokio::join!(send(&app, &project, body.clone()), send(&app, &project, body.clone()));
    first.expect(200);
    second.expect(200);
    send(&app, &project, frames(&[b"b", b"c"])).await.expect(200);
    let blobs: i64 = sqlx::query_scalar("SELECT count(*) FROM blobs").fetch_one(&app.app.pool).await.unwrap();
    assert_eq!(blobs, 3);
    for content in [b"a", b"b", b"c"] {
        assert_eq!(stored(&app, &project, digest_of(content)).await.unwrap(), content);
    }
}

#[tokio::test]
async fn one_that_is_not_what_it_says_or_is_cut_refuses_all_of_them() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let mut wrong = frames(&[b"a", b"b"]);
    *wrong.last_mut().unwrap() = b'x';
    let cut = frames(&[b"a", b"bcd"]);
    let too_long = frames(&[b"a", &bytes(packed::CONTENT_MAX + 1)]);
    for body in [wrong, cut[..cut.len() - 1].to_vec(), cut[..40].to_vec(), too_long] {
        let refused = send(&app, &project, body).await.expect(400).json();
        assert_eq!(refused["code"], "invalid", "{refused}");
        assert_eq!(stored(&app, &project, digest_of(b"a")).await, None);
    }
    send(&app, &project, vec![0; packed::BODY_MAX + 1]).await.expect(413);
    send(&app, &project, Vec::new()).await.expect(200);
}
