//! Contents that are read again where reading stopped, and the versions that both sides say.

use super::*;

#[tokio::test]
async fn a_broken_download_goes_on_where_it_stopped() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let content = bytes(LARGE);
    let digest = digest_of(&content);
    put(&app, &project, &digest.hex(), content.clone()).await.expect(200);
    let path = format!("/v1/contents/{}", digest.hex());
    let tag = format!("\"{}\"", digest.hex());

    let whole = app.api(&project.key, "GET", &path, None).await.expect(200);
    assert!(whole.body == content);
    assert_eq!((whole.header("etag"), whole.header("accept-ranges")), (tag.as_str(), "bytes"));

    let half = LARGE / 2;
    let headers = [("range", format!("bytes={half}-")), ("if-range", tag.clone())];
    let rest = app.api_with(&project.key, "GET", &path, &headers).await.expect(206);
    assert!(rest.body == content[half..]);
    assert_eq!(rest.header("content-range"), format!("bytes {half}-{}/{LARGE}", LARGE - 1));

    let headers = [("range", format!("bytes={half}-")), ("if-range", "\"another\"".to_owned())];
    assert!(app.api_with(&project.key, "GET", &path, &headers).await.expect(200).body == content);
    let headers = [("range", format!("bytes={LARGE}-"))];
    let beyond = app.api_with(&project.key, "GET", &path, &headers).await.expect(416);
    assert_eq!(beyond.header("content-range"), format!("bytes */{LARGE}"));
    let headers = [("if-none-match", tag)];
    assert!(app.api_with(&project.key, "GET", &path, &headers).await.expect(304).body.is_empty());
}

#[tokio::test]
async fn the_server_says_its_version_and_refuses_a_client_that_is_too_old() {
    let app = TestApp::new().await;
    let project = app.project("wake-word").await;
    let whoami = "/v1/auth/whoami";
    for version in ["0.2.0", "99.0.0", "something else"] {
        let headers = [("x-otrace-version", version.to_owned())];
        let answer = app.api_with(&project.key, "GET", whoami, &headers).await.expect(200);
        assert_eq!(answer.header("x-otrace-version"), env!("CARGO_PKG_VERSION"));
    }
    let headers = [("x-otrace-version", "0.1.9".to_owned())];
    let refused = app.api_with(&project.key, "GET", whoami, &headers).await.expect(426);
    assert_eq!(refused.header("x-otrace-version"), env!("CARGO_PKG_VERSION"));
    let refused = refused.json();
    assert_eq!(refused["code"], "client_too_old");
    assert!(refused["error"].as_str().unwrap().contains("0.1.9"), "{refused}");
    // The published clients say none.
    app.api(&project.key, "GET", whoami, None).await.expect(200);
}
