//! Tokens that somebody could try, each a good one but for one thing: none is accepted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use otrace_server::domain::{ApiKeyId, ArtifactId, ProjectId};
use serde_json::{Value, json};

use super::{ISSUER, KID, KeyFile, NOW, forge, forge_text, good, is_accepted, run_token, secret, some_run};

/// What a JSON object becomes with one key set, or without it.
fn changed(object: &Value, key: &str, value: Option<Value>) -> Value {
    let mut changed = object.as_object().unwrap().clone();
    match value {
        Some(value) => changed.insert(key.to_owned(), value),
        None => changed.remove(key),
    };
    Value::Object(changed)
}

/// What is tried, and the tokens.
type Corpus = Vec<(String, String)>;

fn assert_none_accepted(corpus: &[(String, String)], at_least: usize) {
    assert!(corpus.len() >= at_least, "{}", corpus.len());
    let file = KeyFile::known();
    let tokens = file.open();
    let claims = some_run();
    let (header, payload) = good(claims);
    // Without the one thing that is wrong, it would be accepted.
    assert_eq!(tokens.check_run_token(&forge(&header, &payload), NOW), Some(claims));
    for (what, token) in corpus {
        assert!(!is_accepted(&tokens, token, NOW), "{what} is accepted: {token:.300}");
    }
}

#[test]
fn no_header_but_ours_is_accepted() {
    let (header, claims) = good(some_run());
    let mut corpus = Corpus::new();
    for algorithm in
        ["none", "None", "NONE", "hs256", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "", "HS256,none"]
    {
        let header = changed(&header, "alg", Some(json!(algorithm)));
        corpus.push((format!("alg {algorithm}"), forge(&header, &claims)));
        let unsigned = forge(&header, &claims);
        let message = unsigned.rsplit_once('.').unwrap().0;
        corpus.push((format!("alg {algorithm}, unsigned"), format!("{message}.")));
    }
    for kid in [
        json!(""),
        json!("../../../../dev/null"),
        json!("/dev/null"),
        json!("file:///proc/self/environ"),
        json!("x' UNION SELECT 'secret' --"),
        json!("another-key"),
        json!(KID.to_uppercase()),
        json!(format!("{KID} ")),
        json!(format!("{KID}\0")),
        json!([KID]),
        json!({"kid": KID}),
        json!(0),
        Value::Null,
    ] {
        let token = forge(&changed(&header, "kid", Some(kid.clone())), &claims);
        corpus.push((format!("kid {kid}"), token));
    }
    for typ in [json!("JWT"), json!("RUN+JWT"), json!("application/run+jwt"), json!("download+jwt"), Value::Null] {
        let token = forge(&changed(&header, "typ", Some(typ.clone())), &claims);
        corpus.push((format!("typ {typ}"), token));
    }
    for key in ["alg", "kid", "typ"] {
        corpus.push((format!("no {key}"), forge(&changed(&header, key, None), &claims)));
    }
    let own_key = json!({"kty": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(secret())});
    for (key, value) in [
        ("jwk", own_key),
        ("jku", json!("https://attacker.example/keys")),
        ("x5u", json!("https://attacker.example/chain")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("abc")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("cty", json!("JWT")),
        ("zip", json!("DEF")),
        ("anything", json!(1)),
    ] {
        corpus.push((format!("{key} {value}"), forge(&changed(&header, key, Some(value.clone())), &claims)));
    }
    assert_none_accepted(&corpus, 50);
}

#[test]
fn no_algorithm_but_ours_is_accepted_however_well_it_is_signed() {
    let (header, claims) = good(some_run());
    let mut corpus = Corpus::new();
    for (name, algorithm) in [("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
        let honest = changed(&header, "alg", Some(json!(name))).to_string();
        corpus.push((name.to_owned(), forge_text(&honest, &claims.to_string(), &secret(), algorithm)));
        let token = forge_text(&header.to_string(), &claims.to_string(), &secret(), algorithm);
        corpus.push((format!("{name} called HS256"), token));
    }
    for (what, foreign) in [
        ("a foreign key", vec![7; 32]),
        ("no key", Vec::new()),
        ("the key's name", KID.as_bytes().to_vec()),
        ("the key as text", URL_SAFE_NO_PAD.encode(secret()).into_bytes()),
        ("half of the key", secret()[..16].to_vec()),
    ] {
        let token = forge_text(&header.to_string(), &claims.to_string(), &foreign, Algorithm::HS256);
        corpus.push((what.to_owned(), token));
    }
    assert_none_accepted(&corpus, 9);
}

#[test]
fn every_claim_is_required_with_its_type() {
    let (header, claims) = good(some_run());
    let mut corpus = Corpus::new();
    for claim in ["iss", "aud", "sub", "grant", "iat", "nbf", "exp"] {
        corpus.push((format!("no {claim}"), forge(&header, &changed(&claims, claim, None))));
        for wrong in [Value::Null, json!(true), json!([]), json!({}), json!("")] {
            let token = forge(&header, &changed(&claims, claim, Some(wrong.clone())));
            corpus.push((format!("{claim} {wrong}"), token));
        }
    }
    for (what, claims) in [
        ("a claim twice", claims.to_string().replacen('{', r#"{"iss":"https://other.example.org","#, 1)),
        ("a list", format!("[{claims}]")),
        ("no object", "null".to_owned()),
        ("no JSON", "claims".to_owned()),
        ("nothing", String::new()),
    ] {
        corpus.push((what.to_owned(), forge_text(&header.to_string(), &claims, &secret(), Algorithm::HS256)));
    }
    assert_none_accepted(&corpus, 45);
}

#[test]
fn no_claim_but_ours_is_accepted() {
    let (header, claims) = good(some_run());
    let now = NOW.unix_timestamp();
    let month = 30 * 24 * 3600;
    let mut corpus = Corpus::new();
    for (claim, wrong) in [
        ("iss", json!("https://trace.example.org/")),
        ("iss", json!("http://trace.example.org")),
        ("iss", json!("https://TRACE.example.org")),
        ("iss", json!([ISSUER])),
        ("aud", json!("otrace-download")),
        ("aud", json!("otrace-run ")),
        ("aud", json!(["otrace-run"])),
        ("aud", json!(["otrace-run", "otrace-download"])),
        ("sub", json!("not an id")),
        ("sub", json!(1)),
        ("grant", json!({"project": ProjectId::new()})),
        ("grant", json!({"key": ApiKeyId::new()})),
        ("grant", json!({"project": ProjectId::new(), "key": ApiKeyId::new(), "admin": true})),
        ("grant", json!({"project": ["*"], "key": ApiKeyId::new()})),
        ("exp", json!(now - 6)),
        ("exp", json!(-1)),
        ("exp", json!(0)),
        ("exp", json!(now + month + 1)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(u64::MAX)),
        ("exp", json!((now + month).to_string())),
        ("exp", json!(1.0e300)),
        ("nbf", json!(now + 6)),
        ("nbf", json!(now.to_string())),
        ("nbf", json!(-1.5)),
        ("iat", json!(now + 6)),
        ("iat", json!(now - month)),
        ("iat", json!(now.to_string())),
        ("role", json!("admin")),
        ("jti", json!("1")),
    ] {
        corpus.push((format!("{claim} {wrong}"), forge(&header, &changed(&claims, claim, Some(wrong.clone())))));
    }
    let mut expired = changed(&claims, "exp", Some(json!(now - 6)));
    for claim in ["iat", "nbf"] {
        expired = changed(&expired, claim, Some(json!(now - 6 - month)));
    }
    corpus.push(("expired by 6 s".to_owned(), forge(&header, &expired)));
    assert_none_accepted(&corpus, 30);
}

#[test]
fn a_token_with_one_character_changed_lost_or_added_is_refused() {
    let file = KeyFile::known();
    let tokens = file.open();
    let token = run_token(&tokens, some_run(), NOW);
    for at in 0..token.len() {
        let (before, after) = token.split_at(at);
        for altered in ['A', 'B', '.', '=', '-', '+', ' ', 'é'] {
            let replaced = format!("{before}{altered}{}", &after[1..]);
            assert!(replaced == token || !is_accepted(&tokens, &replaced, NOW), "{replaced}");
            assert!(!is_accepted(&tokens, &format!("{before}{altered}{after}"), NOW), "{altered} at {at}");
        }
        assert!(!is_accepted(&tokens, before, NOW), "cut at {at}");
        assert!(!is_accepted(&tokens, &format!("{before}{}", &after[1..]), NOW), "without {at}");
    }
    assert!(is_accepted(&tokens, &token, NOW));
}

#[test]
fn parts_of_two_tokens_make_none() {
    let file = KeyFile::known();
    let tokens = file.open();
    let ticket = tokens.download_ticket(ArtifactId::new(), ProjectId::new(), NOW).unwrap();
    let (one, other) = (run_token(&tokens, some_run(), NOW), run_token(&tokens, some_run(), NOW));
    let lists: Vec<Vec<&str>> = [&one, &other, &ticket].iter().map(|token| token.split('.').collect()).collect();
    for header in &lists {
        for claims in &lists {
            for signature in &lists {
                let token = [header[0], claims[1], signature[2]].join(".");
                let is_whole = [&one, &other, &ticket].contains(&&token);
                assert_eq!(is_accepted(&tokens, &token, NOW), is_whole, "{token}");
            }
        }
    }
}

#[test]
fn other_text_is_no_token_however_long_it_is() {
    let token = forge(&good(some_run()).0, &good(some_run()).1);
    let (header, claims) = good(some_run());
    let padded = changed(&header, "padding", Some(json!("x".repeat(1 << 20))));
    let corpus = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "a.b.c".to_owned(),
        "é.é.é".to_owned(),
        "trc_0123456789".to_owned(),
        format!("Bearer {token}"),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{token}="),
        format!("{token}."),
        format!("{token}.{token}"),
        token.replace('.', ","),
        "x".repeat(1 << 20),
        ".".repeat(1 << 20),
        format!("{}.{}.{}", "e".repeat(1 << 19), "e".repeat(1 << 19), "e".repeat(43)),
        "[".repeat(1 << 20),
        forge(&padded, &claims),
    ];
    let corpus: Corpus = corpus.into_iter().enumerate().map(|(index, text)| (format!("text {index}"), text)).collect();
    assert_none_accepted(&corpus, 15);
}
