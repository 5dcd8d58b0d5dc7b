//! An issuer's public keys, and which of them a token may be signed with.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::ProviderError;
use super::http::Http;

const LIFETIME: Duration = Duration::from_hours(1);
/// Anybody can send a token with an unknown key: no more often are the keys asked for again because of that.
const ASK_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// An issuer's keys, remembered for an hour, or until a token names one that is not among them.
#[derive(Debug, Default)]
pub struct KeyCache {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Option<(Instant, Arc<[Jwk]>)>,
    asked_again_at: Option<Instant>,
}

/// The keys as they are sent. One that can't be read is one that is not used.
#[derive(Debug, Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl KeyCache {
    /// The key that a token with this header must be signed with.
    pub async fn find(&self, http: &Http, address: &Url, header: &Header) -> Result<DecodingKey, ProviderError> {
        let keys = match self.fresh() {
            Some(keys) => keys,
            None => self.fetch(http, address).await?,
        };
        if let Some(key) = choose(&keys, header) {
            return Ok(key);
        }
        if self.may_ask_again() {
            let keys = self.fetch(http, address).await?;
            if let Some(key) = choose(&keys, header) {
                return Ok(key);
            }
        }
        Err(ProviderError::Refused(format!("{address} has no key {:?} for {:?}", header.kid, header.alg)))
    }

    fn fresh(&self) -> Option<Arc<[Jwk]>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.keys.as_ref().filter(|(at, _)| at.elapsed() < LIFETIME).map(|(_, keys)| Arc::clone(keys))
    }

    /// Whether the keys may be asked for before their time. Says yes once a minute.
    fn may_ask_again(&self) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let may = known.asked_again_at.is_none_or(|at| at.elapsed() >= ASK_AGAIN_AFTER);
        if may {
            known.asked_again_at = Some(Instant::now());
        }
        may
    }

    async fn fetch(&self, http: &Http, address: &Url) -> Result<Arc<[Jwk]>, ProviderError> {
        let KeySet { keys } = http.get_json(address, None).await?;
        let keys: Arc<[Jwk]> = keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.keys = Some((Instant::now(), Arc::clone(&keys)));
        Ok(keys)
    }
}

/// The one key that the header means. Where several could be meant, none is.
fn choose(keys: &[Jwk], header: &Header) -> Option<DecodingKey> {
    let mut meant = keys.iter().filter(|key| {
        let is_named = header.kid.is_none() || header.kid == key.common.key_id;
        is_named && fits(key, header.alg)
    });
    match (meant.next(), meant.next()) {
        (Some(key), None) => DecodingKey::from_jwk(key).ok(),
        _ => None,
    }
}

/// Whether a key checks signatures of this algorithm. A secret never does: it would be the public key, used as one.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let is_kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), Algorithm::RS256 | Algorithm::PS256) => true,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    let common = &key.common;
    is_kind
        && common.key_algorithm.is_none_or(|stated| stated == KeyAlgorithm::from(algorithm))
        && common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify))
}
