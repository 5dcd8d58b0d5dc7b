//! Keys that tests sign with, made anew for each run, and tokens of any shape.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::sign;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// What PKCS #8 puts before a key of this size; the crate that signs wants the key alone.
const PKCS8_BYTES: usize = 26;

/// A pair of keys of one kind.
pub struct Pair {
    /// What it is called.
    pub kid: &'static str,
    /// What it signs with by itself.
    pub algorithm: Algorithm,
    /// The private half.
    pub key: EncodingKey,
}

impl Pair {
    fn ec(kid: &'static str) -> Self {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self { kid, algorithm: Algorithm::ES256, key: EncodingKey::from_ec_der(made.as_ref()) }
    }

    fn ed(kid: &'static str) -> Self {
        let made = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        Self { kid, algorithm: Algorithm::EdDSA, key: EncodingKey::from_ed_der(made.as_ref()) }
    }

    fn rsa(kid: &'static str) -> Self {
        let made = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = made.as_der().unwrap();
        let der: &[u8] = der.as_ref();
        Self { kid, algorithm: Algorithm::RS256, key: EncodingKey::from_rsa_der(&der[PKCS8_BYTES..]) }
    }

    /// The public half, as issuers publish it: without an algorithm, which is the harder case.
    pub fn public(&self) -> Value {
        let mut key = serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        key.as_object_mut().unwrap().remove("alg");
        key["kid"] = json!(self.kid);
        key["use"] = json!("sig");
        key
    }
}

/// The issuer's keys.
pub static EC: LazyLock<Pair> = LazyLock::new(|| Pair::ec("ec"));
/// The issuer's second kind.
pub static RSA: LazyLock<Pair> = LazyLock::new(|| Pair::rsa("rsa"));
/// The issuer's third kind.
pub static ED: LazyLock<Pair> = LazyLock::new(|| Pair::ed("ed"));
/// Somebody else's, with the name of the issuer's.
pub static FOREIGN: LazyLock<Pair> = LazyLock::new(|| Pair::ec("ec"));
/// The issuer's next one, which it does not show yet.
pub static NEXT: LazyLock<Pair> = LazyLock::new(|| Pair::ec("next"));

/// What the issuer publishes.
pub fn key_set() -> Value {
    json!({"keys": [EC.public(), RSA.public(), ED.public()]})
}

/// How a token is signed.
pub enum Signature {
    /// By a key.
    By(&'static LazyLock<Pair>, Algorithm),
    /// By a secret.
    Secret(Vec<u8>),
    /// Not at all.
    None,
}

/// A token with this header, these claims and this signature, whether they fit or not.
pub fn token(header: &Value, claims: &Value, signature: &Signature) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = match signature {
        Signature::By(pair, algorithm) => sign(message.as_bytes(), &pair.key, *algorithm).unwrap(),
        Signature::Secret(secret) => {
            sign(message.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256).unwrap()
        }
        Signature::None => String::new(),
    };
    format!("{message}.{signature}")
}

/// One part of a token.
pub fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
