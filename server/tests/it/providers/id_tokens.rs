//! ID tokens that are wrong in one way each: none is accepted. What is right is.

use jsonwebtoken::Algorithm;
use otrace_server::providers::{Callback, ProviderError, ProviderIdentity};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

use super::hostile_issuer::{Answer, Issuer};
use super::signing::{EC, ED, FOREIGN, NEXT, RSA, Signature, key_set, part, token};
use super::{client_of, only, redirect_url};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// A token in the making.
struct Draft {
    header: Value,
    claims: Value,
    signature: Signature,
    /// What is done to the finished token.
    finish: fn(String) -> String,
}

impl Draft {
    /// A token that is right.
    fn right(issuer: &str, nonce: &str) -> Self {
        let now = NOW.unix_timestamp();
        Self {
            header: json!({"alg": "ES256", "kid": "ec", "typ": "JWT"}),
            claims: json!({
                "iss": issuer, "sub": "42", "aud": "trace", "nonce": nonce, "iat": now, "exp": now + 300,
                "email": "ada@example.org", "email_verified": true, "name": "Ada",
            }),
            signature: Signature::By(&EC, Algorithm::ES256),
            finish: |token| token,
        }
    }

    fn claim(&mut self, name: &str, value: Value) {
        self.claims[name] = value;
    }

    fn head(&mut self, name: &str, value: Value) {
        self.header[name] = value;
    }

    fn drop_claim(&mut self, name: &str) {
        self.claims.as_object_mut().unwrap().remove(name);
    }

    fn token(&self) -> String {
        (self.finish)(token(&self.header, &self.claims, &self.signature))
    }
}

type Change = fn(&mut Draft);

/// Signs in at an issuer that gives a token changed like this.
async fn sign_in(issuer: &Issuer, trust_email: bool, change: Change) -> Result<ProviderIdentity, ProviderError> {
    let providers = client_of(&issuer.url, Some("secret"), trust_email);
    let begun = only(&providers).begin(&redirect_url(), false).await?;
    let mut draft = Draft::right(&issuer.name(), &begun.secrets.nonce);
    change(&mut draft);
    issuer.give(&draft.token());
    let callback = Callback { code: "code".into(), iss: None };
    only(&providers).finish(&redirect_url(), &begun.secrets, &callback, NOW).await
}

/// `NOW` and so many seconds.
fn at(seconds: i64) -> Value {
    json!(NOW.unix_timestamp() + seconds)
}

/// The public key's modulus, which everybody has: a verifier that takes it for a secret accepts the token.
fn public_modulus() -> Vec<u8> {
    RSA.public()["n"].as_str().unwrap().as_bytes().to_vec()
}

#[rustfmt::skip]
const WRONG_CLAIMS: &[(&str, Change)] = &[
    ("no iss",                     |t| t.drop_claim("iss")),
    ("no sub",                     |t| t.drop_claim("sub")),
    ("no aud",                     |t| t.drop_claim("aud")),
    ("no exp",                     |t| t.drop_claim("exp")),
    ("no iat",                     |t| t.drop_claim("iat")),
    ("no nonce",                   |t| t.drop_claim("nonce")),
    ("iss null",                   |t| t.claim("iss", Value::Null)),
    ("sub null",                   |t| t.claim("sub", Value::Null)),
    ("aud null",                   |t| t.claim("aud", Value::Null)),
    ("exp null",                   |t| t.claim("exp", Value::Null)),
    ("iat null",                   |t| t.claim("iat", Value::Null)),
    ("nonce null",                 |t| t.claim("nonce", Value::Null)),
    ("iss a list",                 |t| { let iss = t.claims["iss"].clone(); t.claim("iss", json!([iss])); }),
    ("iss a number",               |t| t.claim("iss", json!(1))),
    ("iss with a slash",           |t| { let iss = t.claims["iss"].as_str().unwrap().to_owned(); t.claim("iss", json!(iss + "/")); }),
    ("iss in capitals",            |t| { let iss = t.claims["iss"].as_str().unwrap().to_uppercase(); t.claim("iss", json!(iss)); }),
    ("iss of another issuer",      |t| t.claim("iss", json!("https://accounts.google.com"))),
    ("sub a number",               |t| t.claim("sub", json!(42))),
    ("sub empty",                  |t| t.claim("sub", json!(""))),
    ("sub too long",               |t| t.claim("sub", json!("x".repeat(256)))),
    ("aud of another client",      |t| t.claim("aud", json!("other"))),
    ("aud almost ours",            |t| t.claim("aud", json!("Trace"))),
    ("aud an empty list",          |t| t.claim("aud", json!([]))),
    ("aud a number",               |t| t.claim("aud", json!(1))),
    ("aud an object",              |t| t.claim("aud", json!({"trace": true}))),
    ("aud with what is no text",   |t| t.claim("aud", json!(["trace", 1]))),
    ("several aud and no azp",     |t| t.claim("aud", json!(["trace", "other"]))),
    ("several aud, azp foreign",   |t| { t.claim("aud", json!(["trace", "other"])); t.claim("azp", json!("other")); }),
    ("azp foreign",                |t| t.claim("azp", json!("other"))),
    ("azp a list",                 |t| t.claim("azp", json!(["trace"]))),
    ("expired 61 seconds ago",     |t| t.claim("exp", at(-61))),
    ("exp text",                   |t| t.claim("exp", json!("4102444800"))),
    ("exp beyond all numbers",     |t| t.claim("exp", json!(1e300))),
    ("exp negative",               |t| t.claim("exp", json!(-1))),
    ("iat eleven minutes ago",     |t| t.claim("iat", at(-661))),
    ("iat to come",                |t| t.claim("iat", at(61))),
    ("iat text",                   |t| t.claim("iat", json!("1"))),
    ("nbf to come",                |t| t.claim("nbf", at(61))),
    ("nbf text",                   |t| t.claim("nbf", json!("0"))),
    ("nonce of another attempt",   |t| t.claim("nonce", json!("another"))),
    ("nonce empty",                |t| t.claim("nonce", json!(""))),
    ("nonce a list",               |t| { let nonce = t.claims["nonce"].clone(); t.claim("nonce", json!([nonce])); }),
    ("claims a list",              |t| t.claims = json!([])),
];

#[rustfmt::skip]
const WRONG_SIGNATURES: &[(&str, Change)] = &[
    ("another key with the same name", |t| t.signature = Signature::By(&FOREIGN, Algorithm::ES256)),
    ("alg none",                   |t| { t.head("alg", json!("none")); t.signature = Signature::None; }),
    ("alg nOnE",                   |t| { t.head("alg", json!("nOnE")); t.signature = Signature::None; }),
    ("alg none, signed",           |t| t.head("alg", json!("none"))),
    ("no alg",                     |t| { t.header.as_object_mut().unwrap().remove("alg"); }),
    ("alg empty",                  |t| t.head("alg", json!(""))),
    ("HS256 with the public key",  |t| { t.header = json!({"alg": "HS256", "kid": "rsa"}); t.signature = Signature::Secret(public_modulus()); }),
    ("HS256 with the whole key",   |t| { t.header = json!({"alg": "HS256", "kid": "rsa"}); t.signature = Signature::Secret(RSA.public().to_string().into_bytes()); }),
    ("HS256 with the client's secret", |t| { t.header = json!({"alg": "HS256"}); t.signature = Signature::Secret(b"secret".to_vec()); }),
    ("HS256 with nothing",         |t| { t.header = json!({"alg": "HS256", "kid": "ec"}); t.signature = Signature::Secret(Vec::new()); }),
    ("RS512, which is not allowed", |t| { t.header = json!({"alg": "RS512", "kid": "rsa"}); t.signature = Signature::By(&RSA, Algorithm::RS512); }),
    ("RS256 said, PS256 done",     |t| { t.header = json!({"alg": "RS256", "kid": "rsa"}); t.signature = Signature::By(&RSA, Algorithm::PS256); }),
    ("RS256 with the name of an EC key", |t| { t.header = json!({"alg": "RS256", "kid": "ec"}); t.signature = Signature::By(&RSA, Algorithm::RS256); }),
    ("ES256 with the name of an RSA key", |t| t.head("kid", json!("rsa"))),
    ("a key that nobody knows",    |t| t.head("kid", json!("../../ec"))),
    ("a key's name that is a number", |t| t.head("kid", json!(1))),
    ("its own key within",         |t| { t.head("jwk", FOREIGN.public()); t.signature = Signature::By(&FOREIGN, Algorithm::ES256); }),
    ("its own keys elsewhere",     |t| { t.head("jku", json!("http://127.0.0.1:1/keys")); t.signature = Signature::By(&FOREIGN, Algorithm::ES256); }),
    ("an access token",            |t| t.head("typ", json!("at+jwt"))),
    ("a logout token",             |t| t.head("typ", json!("logout+jwt"))),
    ("an extension",               |t| { t.head("crit", json!(["b64"])); t.head("b64", json!(false)); }),
    ("no signature",               |t| t.signature = Signature::None),
    ("half a signature",           |t| t.finish = |token| token[..token.len() - 20].to_owned()),
    ("other claims",               |t| t.finish = |token| { let parts: Vec<_> = token.split('.').collect(); format!("{}.{}.{}", parts[0], part(&json!({"sub": "1"})), parts[2]) }),
    ("two parts",                  |t| t.finish = |token| token.rsplit_once('.').unwrap().0.to_owned()),
    ("four parts",                 |t| t.finish = |token| token + ".x"),
    ("padded parts",               |t| t.finish = |token| token + "=="),
    ("nothing",                    |t| t.finish = |_| String::new()),
    ("a word",                     |t| t.finish = |_| "null".to_owned()),
];

#[tokio::test]
async fn no_id_token_that_is_wrong_in_any_way_is_accepted() {
    let issuer = Issuer::start().await;
    for (what, change) in WRONG_CLAIMS.iter().chain(WRONG_SIGNATURES) {
        let got = sign_in(&issuer, true, *change).await;
        assert!(matches!(got, Err(ProviderError::Refused(_))), "{what}: {got:?}");
    }
    assert_eq!(issuer.times_asked("/me"), 0);
}

#[tokio::test]
async fn tokens_without_an_id_token_are_refused() {
    let issuer = Issuer::start().await;
    let providers = client_of(&issuer.url, None, false);
    let begun = only(&providers).begin(&redirect_url(), false).await.unwrap();
    let callback = Callback { code: "code".into(), iss: None };
    for tokens in [
        json!({"access_token": "access", "token_type": "Bearer"}),
        json!({"access_token": "access", "token_type": "Bearer", "id_token": null}),
        json!({"error": "invalid_grant"}),
        json!([]),
    ] {
        issuer.say("/token", Answer::Json(tokens));
        let got = only(&providers).finish(&redirect_url(), &begun.secrets, &callback, NOW).await;
        assert!(matches!(got, Err(ProviderError::Refused(_))), "{got:?}");
    }
}

#[rustfmt::skip]
const RIGHT: &[(&str, Change)] = &[
    ("as it is",                   |_| {}),
    ("RS256",                      |t| { t.header = json!({"alg": "RS256", "kid": "rsa"}); t.signature = Signature::By(&RSA, Algorithm::RS256); }),
    ("PS256",                      |t| { t.header = json!({"alg": "PS256", "kid": "rsa"}); t.signature = Signature::By(&RSA, Algorithm::PS256); }),
    ("EdDSA",                      |t| { t.header = json!({"alg": "EdDSA", "kid": "ed"}); t.signature = Signature::By(&ED, Algorithm::EdDSA); }),
    ("the only key of its kind, unnamed", |t| t.header = json!({"alg": "ES256"})),
    ("expired within the leeway",  |t| t.claim("exp", at(-60))),
    ("ten minutes old",            |t| t.claim("iat", at(-600))),
    ("one audience in a list",     |t| t.claim("aud", json!(["trace"]))),
    ("several, and azp",           |t| { t.claim("aud", json!(["other", "trace"])); t.claim("azp", json!("trace")); }),
    ("nbf past",                   |t| t.claim("nbf", at(-1))),
];

#[tokio::test]
async fn an_id_token_that_is_right_is_accepted() {
    let issuer = Issuer::start().await;
    for (what, change) in RIGHT {
        let ada = sign_in(&issuer, false, *change).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((ada.issuer, ada.subject.as_str()), (issuer.name(), "42"), "{what}");
        assert_eq!((ada.email.as_deref(), ada.is_email_verified), (Some("ada@example.org"), true), "{what}");
        assert_eq!(ada.name.as_deref(), Some("Ada"), "{what}");
    }
}

#[tokio::test]
async fn an_address_is_verified_only_if_the_issuer_says_true() {
    let issuer = Issuer::start().await;
    let changes: [(Change, bool); 5] = [
        (|t| t.claim("email_verified", json!(false)), false),
        (|t| t.claim("email_verified", json!("true")), false),
        (|t| t.claim("email_verified", json!(1)), false),
        (|t| t.claim("email_verified", Value::Null), false),
        (|t| t.drop_claim("email_verified"), true),
    ];
    for (change, if_trusted) in changes {
        assert!(!sign_in(&issuer, false, change).await.unwrap().is_email_verified);
        assert_eq!(sign_in(&issuer, true, change).await.unwrap().is_email_verified, if_trusted);
    }
}

#[tokio::test]
async fn what_the_issuer_tells_besides_the_token_must_be_about_the_same_person() {
    let issuer = Issuer::start().await;
    let without_email: Change = |t| t.drop_claim("email");
    issuer.say("/me", Answer::Json(json!({"sub": "42", "email": "ada@example.org", "email_verified": true})));
    let ada = sign_in(&issuer, false, without_email).await.unwrap();
    assert_eq!((ada.email.as_deref(), ada.is_email_verified), (Some("ada@example.org"), true));

    for other in [json!({"sub": "43", "email": "bob@example.org"}), json!({"email": "bob@example.org"})] {
        issuer.say("/me", Answer::Json(other));
        assert!(matches!(sign_in(&issuer, false, without_email).await, Err(ProviderError::Refused(_))));
    }
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_not_taken() {
    let issuer = Issuer::start().await;
    for (iss, is_told, is_taken) in [
        (None, false, true),
        (Some(issuer.name()), false, true),
        (Some(issuer.name()), true, true),
        (None, true, false),
        (Some(issuer.name() + "/"), true, false),
        (Some("https://evil.example".to_owned()), false, false),
    ] {
        let mut document = issuer.document();
        document["authorization_response_iss_parameter_supported"] = json!(is_told);
        issuer.say("/.well-known/openid-configuration", Answer::Json(document));
        let providers = client_of(&issuer.url, None, false);
        let begun = only(&providers).begin(&redirect_url(), false).await.unwrap();
        issuer.give(&Draft::right(&issuer.name(), &begun.secrets.nonce).token());
        let before = issuer.times_asked("/token");
        let callback = Callback { code: "code".into(), iss: iss.clone() };
        let got = only(&providers).finish(&redirect_url(), &begun.secrets, &callback, NOW).await;
        assert_eq!(got.is_ok(), is_taken, "{iss:?} {is_told} {got:?}");
        // The code goes to nobody before it is clear whose it is.
        assert_eq!(issuer.times_asked("/token") - before, usize::from(is_taken));
    }
}

#[tokio::test]
async fn new_keys_are_found_and_unknown_ones_are_asked_for_once_a_minute() {
    let issuer = Issuer::start().await;
    let providers = client_of(&issuer.url, None, false);
    let begun = only(&providers).begin(&redirect_url(), false).await.unwrap();
    let callback = Callback { code: "code".into(), iss: None };
    let back = redirect_url();
    let finish = || only(&providers).finish(&back, &begun.secrets, &callback, NOW);
    let right = || Draft::right(&issuer.name(), &begun.secrets.nonce);
    issuer.give(&right().token());
    finish().await.unwrap();
    finish().await.unwrap();
    assert_eq!(issuer.times_asked("/keys"), 1);

    let mut keys = key_set();
    keys["keys"].as_array_mut().unwrap().push(NEXT.public());
    issuer.say("/keys", Answer::Json(keys));
    let mut next = right();
    next.head("kid", json!("next"));
    next.signature = Signature::By(&NEXT, Algorithm::ES256);
    issuer.give(&next.token());
    finish().await.unwrap();
    assert_eq!(issuer.times_asked("/keys"), 2);

    let mut unknown = right();
    unknown.head("kid", json!("unknown"));
    issuer.give(&unknown.token());
    for _ in 0..3 {
        finish().await.unwrap_err();
    }
    assert_eq!(issuer.times_asked("/keys"), 2);
    assert_eq!(issuer.times_asked("/.well-known/openid-configuration"), 1);
}
