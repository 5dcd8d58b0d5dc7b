//! Keys that were looked up within the last second, so that a busy client costs no query per request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use crate::store::api_keys::FoundKey;

/// A key that was revoked elsewhere still opens its project for this long.
const LIFETIME: Duration = Duration::seconds(1);
/// So many keys are remembered at most.
const CAPACITY: usize = 10_000;

/// Keys by the hash of what the client sent.
#[derive(Debug, Default)]
pub struct KeyCache {
    entries: Mutex<HashMap<[u8; 32], (OffsetDateTime, FoundKey)>>,
}

impl KeyCache {
    /// The key with this hash, if it was looked up within the last second.
    pub fn get(&self, hash: &[u8; 32], now: OffsetDateTime) -> Option<FoundKey> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(hash).filter(|(at, _)| (now - *at).abs() < LIFETIME).map(|(_, key)| key.clone())
    }

    /// Remembers a key that was looked up at `now`.
    pub fn insert(&self, hash: [u8; 32], now: OffsetDateTime, key: FoundKey) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= CAPACITY {
            entries.retain(|_, (at, _)| (now - *at).abs() < LIFETIME);
        }
        if entries.len() < CAPACITY {
            entries.insert(hash, (now, key));
        }
    }

    /// Forgets all keys, when those of some account are to open nothing.
    pub fn forget_all(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Forgets a key, so that this server refuses it from now on.
    pub fn forget(&self, hash: &[u8]) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).retain(|known, _| known != hash);
    }
}
