//! Contents that clients put into the bucket themselves, at addresses that the server signs.

use otrace_server::config::StorageConfig;
use otrace_server::testing::{TestApp, TestProject};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::s3::{self, BUCKET, S3, SECRET_KEY};
use super::{PART, bytes, digest_of, holds_only, keep, named, read};

/// Large enough to be sent alone, small enough for one object.
const SIZE: usize = 1_000_000;

/// The app where clients put contents into the bucket themselves.
async fn direct_app(s3: &S3) -> TestApp {
    let storage = s3::storage(&format!("s3://{BUCKET}/trace"), &s3.endpoint(), SECRET_KEY);
    s3::app(StorageConfig { direct_uploads: true, ..storage }).await
}

fn offer(content: &[u8]) -> Value {
    json!({"contents": [{"hash": digest_of(content).to_string(), "size_bytes": content.len()}]})
}

/// Where a client is to put a content that the project lacks, if not through the server.
async fn address_for(app: &TestApp, project: &TestProject, content: &[u8]) -> Option<String> {
    let answer = app.api(&project.key, "POST", "/v1/contents/lacking", Some(offer(content))).await.expect(200).json();
    assert_eq!(answer["lacking"][0]["hash"], digest_of(content).to_string(), "{answer}");
    answer["lacking"][0]["put_to"].as_str().map(str::to_owned)
}

/// Puts a content into the bucket, as a client does.
async fn put_there(address: &str, content: &[u8]) -> StatusCode {
    let client = Client::builder().no_proxy().build().unwrap();
    client.put(address).body(content.to_vec()).send().await.unwrap().status()
}

/// Says that a content is there; the hashes of what the server wants all the same.
async fn arrived(app: &TestApp, project: &TestProject, content: &[u8]) -> Value {
    let answer = app.api(&project.key, "POST", "/v1/contents/arrived", Some(offer(content))).await.expect(200).json();
    answer["lacking"].as_array().unwrap().iter().map(|lacking| lacking["hash"].clone()).collect()
}

async fn in_the_bucket(app: &TestApp, project: &TestProject) -> Vec<String> {
    named(app, project).await.into_iter().map(|key| format!("trace/{key}")).collect()
}

#[tokio::test]
async fn a_client_puts_a_content_into_the_bucket_itself() {
    let s3 = S3::start().await;
    let app = direct_app(&s3).await;
    let project = app.project("direct").await;
    for content in [bytes(SIZE), bytes(PART)] {
        let address = address_for(&app, &project, &content).await.expect("an address in the bucket");
        assert_eq!(put_there(&address, &content).await, StatusCode::OK);
        assert_eq!(arrived(&app, &project, &content).await, json!([]));
        assert!(read(&app, &project, &digest_of(&content), content.len()).await == content);
    }
    assert_eq!(s3.objects(), in_the_bucket(&app, &project).await, "and nothing that only arrived");
}

#[tokio::test]
async fn a_content_that_did_not_arrive_or_is_another_is_wanted_again() {
    let s3 = S3::start().await;
    let app = direct_app(&s3).await;
    let project = app.project("direct").await;
    let content = bytes(SIZE);
    let wanted = json!([digest_of(&content).to_string()]);
    assert_eq!(arrived(&app, &project, &content).await, wanted);
    for other in [&content[..SIZE - 1], &bytes(SIZE + 1), &vec![0; SIZE]] {
        let address = address_for(&app, &project, &content).await.expect("an address in the bucket");
        assert_eq!(put_there(&address, other).await, StatusCode::OK);
        assert_eq!(arrived(&app, &project, &content).await, wanted);
        holds_only(async || s3.objects(), &[]).await;
    }
    keep(&app, &project, &content).await;
    assert_eq!(s3.objects(), in_the_bucket(&app, &project).await);
}

#[tokio::test]
async fn a_content_of_another_size_than_announced_is_wanted_again_though_its_hash_is_right() {
    let s3 = S3::start().await;
    let app = direct_app(&s3).await;
    let project = app.project("direct").await;
    let content = bytes(SIZE);
    let address = address_for(&app, &project, &content).await.expect("an address in the bucket");
    assert_eq!(put_there(&address, &content).await, StatusCode::OK);
    let hash = digest_of(&content).to_string();
    let announced = json!({"contents": [{"hash": hash, "size_bytes": SIZE + 1}]});
    let answer = app.api(&project.key, "POST", "/v1/contents/arrived", Some(announced)).await.expect(200).json();
    assert_eq!(answer["lacking"][0]["hash"], hash);
    keep(&app, &project, &content).await;
    assert_eq!(read(&app, &project, &digest_of(&content), SIZE).await, content);
}

#[tokio::test]
async fn what_comes_to_an_address_afterwards_changes_nothing() {
    let s3 = S3::start().await;
    let app = direct_app(&s3).await;
    let project = app.project("direct").await;
    let content = bytes(SIZE);
    let address = address_for(&app, &project, &content).await.expect("an address in the bucket");
    put_there(&address, &content).await;
    assert_eq!(arrived(&app, &project, &content).await, json!([]));
    assert_eq!(put_there(&address, b"something else").await, StatusCode::OK);
    assert!(read(&app, &project, &digest_of(&content), SIZE).await == content);
}

#[tokio::test]
async fn an_address_is_good_for_one_content_and_for_nothing_else() {
    let s3 = S3::start().await;
    let app = direct_app(&s3).await;
    let project = app.project("direct").await;
    let (content, other) = (bytes(SIZE), bytes(SIZE + 1));
    let address = address_for(&app, &project, &content).await.expect("an address in the bucket");
    assert!(!address.contains(SECRET_KEY) && !address.contains("the%20secret"), "{address}");
    let elsewhere = address.replace(&digest_of(&content).hex(), &digest_of(&other).hex());
    assert_eq!(put_there(&elsewhere, &other).await, StatusCode::FORBIDDEN);
    let read = Client::builder().no_proxy().build().unwrap().get(&address).send().await.unwrap();
    assert_eq!(read.status(), StatusCode::FORBIDDEN);
    assert_eq!(s3.objects(), [""; 0]);
}

#[tokio::test]
async fn clients_are_sent_to_the_bucket_only_where_the_server_says_so() {
    let s3 = S3::start().await;
    let app = s3.app(&format!("s3://{BUCKET}")).await;
    let project = app.project("through-the-server").await;
    assert_eq!(address_for(&app, &project, &bytes(SIZE)).await, None);

    let app = direct_app(&s3).await;
    let project = app.project("direct").await;
    for content in [bytes(100), bytes(PART + 1)] {
        assert_eq!(address_for(&app, &project, &content).await, None, "{} bytes", content.len());
    }
}
