//! The ID token: whether the issuer made it, for us, for this attempt, just now.
//!
//! Pure but for the signature: the time is a parameter, since the crate would ask the machine's clock.

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde_json::{Map, Value};
use time::OffsetDateTime;

/// What signatures may be made with. Never what a token asks for: `none`, or a secret that is the public key.
const ALGORITHMS: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
/// How far the clocks may be apart, in seconds.
const LEEWAY: i64 = 60;
/// How old a token may be, in seconds: a person comes back from the provider at once.
const AGE_MAX: i64 = 600;
/// OpenID Connect's limit for `sub`.
const SUBJECT_BYTES_MAX: usize = 255;

/// What a token says.
pub type Claims = Map<String, Value>;

/// What a token must say.
#[derive(Debug)]
pub struct Expected<'a> {
    /// Who made it, exactly.
    pub issuer: &'a str,
    /// Whom it is for.
    pub client_id: &'a str,
    /// What this attempt asked to be repeated.
    pub nonce: &'a str,
    /// When it is read.
    pub now: OffsetDateTime,
}

/// The header of a token that may be an ID token, to find its key by.
pub fn header(token: &str) -> Result<Header, String> {
    let header = decode_header(token).map_err(|error| format!("the ID token can't be read: {error}"))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(format!("the ID token is signed with {:?}", header.alg));
    }
    if header.crit.is_some() {
        return Err("the ID token has an extension that must be understood".into());
    }
    // Other kinds of tokens that an issuer signs with the same key say so here: `at+jwt`, `logout+jwt`.
    if header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(format!("the token is no ID token but {:?}", header.typ));
    }
    Ok(header)
}

/// What a token says, if `key` signed it and it says what is expected.
pub fn verify(token: &str, header: &Header, key: &DecodingKey, expected: &Expected<'_>) -> Result<Claims, String> {
    let mut rules = Validation::new(header.alg);
    rules.set_issuer(&[expected.issuer]);
    rules.set_audience(&[expected.client_id]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.validate_exp = false;
    rules.validate_nbf = false;
    let token = decode::<Claims>(token, key, &rules).map_err(|error| format!("the ID token is not valid: {error}"))?;
    check(&token.claims, expected).map_err(|reason| format!("the ID token {reason}"))?;
    Ok(token.claims)
}

/// What the crate leaves out, and what it is lenient about.
fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), &'static str> {
    if text(claims, "iss") != Some(expected.issuer) {
        return Err("is of another issuer");
    }
    if subject(claims).is_none() {
        return Err("has no usable `sub`");
    }
    check_audience(claims, expected.client_id)?;
    if text(claims, "nonce") != Some(expected.nonce) {
        return Err("is of another attempt: its `nonce` is different");
    }
    check_times(claims, expected.now.unix_timestamp())
}

fn check_audience(claims: &Claims, client_id: &str) -> Result<(), &'static str> {
    let audiences = match claims.get("aud") {
        Some(Value::Array(audiences)) => audiences.as_slice(),
        Some(audience) => std::slice::from_ref(audience),
        None => &[],
    };
    if !audiences.iter().all(Value::is_string) || !audiences.iter().any(|audience| audience == client_id) {
        return Err("is for another client");
    }
    match claims.get("azp") {
        Some(party) if party != client_id => Err("was given to another client: its `azp` is different"),
        None if audiences.len() > 1 => Err("is for several clients and does not say who asked: it has no `azp`"),
        _ => Ok(()),
    }
}

fn check_times(claims: &Claims, now: i64) -> Result<(), &'static str> {
    let seconds = |name: &str| claims.get(name).and_then(Value::as_i64);
    let Some(expires) = seconds("exp") else { return Err("has no usable `exp`") };
    if expires < now - LEEWAY {
        return Err("has expired");
    }
    let Some(issued) = seconds("iat") else { return Err("has no usable `iat`") };
    if issued < now - AGE_MAX - LEEWAY {
        return Err("is too old");
    }
    if issued > now + LEEWAY {
        return Err("was issued in the future");
    }
    match claims.get("nbf").map(Value::as_i64) {
        Some(None) => Err("has no usable `nbf`"),
        Some(Some(begins)) if begins > now + LEEWAY => Err("is not valid yet"),
        _ => Ok(()),
    }
}

/// A claim that is text.
pub fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// Who it is about.
pub fn subject(claims: &Claims) -> Option<&str> {
    text(claims, "sub").filter(|subject| (1..=SUBJECT_BYTES_MAX).contains(&subject.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn checked(changes: &Value) -> Result<(), &'static str> {
        let now = NOW.unix_timestamp();
        let mut claims = json!({
            "iss": "https://issuer.example", "sub": "1", "aud": "trace", "nonce": "n", "exp": now + 300, "iat": now,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let expected = Expected { issuer: "https://issuer.example", client_id: "trace", nonce: "n", now: NOW };
        check(claims.as_object().unwrap(), &expected)
    }

    #[test]
    fn clocks_may_be_a_minute_apart() {
        let now = NOW.unix_timestamp();
        for good in [
            json!({}),
            json!({"exp": now - 60}),
            json!({"iat": now + 60}),
            json!({"iat": now - 660}),
            json!({"nbf": now + 60}),
        ] {
            assert_eq!(checked(&good), Ok(()), "{good}");
        }
        for bad in [
            json!({"exp": now - 61}),
            json!({"iat": now + 61}),
            json!({"iat": now - 661}),
            json!({"nbf": now + 61}),
            json!({"exp": i64::MIN}),
            json!({"iat": i64::MIN}),
            json!({"iat": i64::MAX}),
            json!({"exp": u64::MAX}),
            json!({"exp": 1e300}),
            json!({"nbf": null}),
        ] {
            assert!(checked(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn several_audiences_need_the_party_that_asked() {
        assert_eq!(checked(&json!({"aud": ["trace"]})), Ok(()));
        assert_eq!(checked(&json!({"aud": ["trace", "other"], "azp": "trace"})), Ok(()));
        assert!(checked(&json!({"aud": ["trace", "other"]})).is_err());
        assert!(checked(&json!({"aud": ["trace", "other"], "azp": "other"})).is_err());
        assert!(checked(&json!({"aud": "trace", "azp": "other"})).is_err());
        assert!(checked(&json!({"aud": "trace", "azp": null})).is_err());
        assert!(checked(&json!({"aud": ["trace", 1]})).is_err());
    }
}
