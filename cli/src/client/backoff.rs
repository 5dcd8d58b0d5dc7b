//! How long to wait before a request that failed is sent once more.
//!
//! The waits grow, and each is drawn by lot, so that many machines that lost one server don't all
//! come back to it at one moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};
use uuid::Uuid;

use crate::error::{Error, Result};

/// The longest first wait.
const FIRST: Duration = Duration::from_millis(200);
/// The longest of all waits.
const LONGEST: Duration = Duration::from_secs(30);
/// So that no wait is free.
const SHORTEST: Duration = Duration::from_millis(1);
/// How long a reader waits for one answer.
const READER: Duration = Duration::from_secs(4);

/// How long a client may wait in all, whichever requests need it. Its clones share it.
#[derive(Clone, Debug, Default)]
pub struct Patience {
    /// Nothing, if it has not been given any.
    left: Option<Arc<Mutex<Duration>>>,
    /// Whether it is for a server that is there: one that can't be reached is not tried again.
    is_little: bool,
}

impl Patience {
    /// So much of it.
    pub fn of(total: Duration) -> Self {
        Self { left: Some(Arc::new(Mutex::new(total))), is_little: false }
    }

    /// As much as somebody has who waits for an answer to read.
    pub fn of_a_reader() -> Self {
        Self { is_little: true, ..Self::of(READER) }
    }

    /// Whether it has been given any.
    pub const fn is_given(&self) -> bool {
        self.left.is_some()
    }

    /// Whether a request with this outcome is tried again, as far as that goes.
    pub fn is_for(&self, outcome: &reqwest::Result<Response>) -> bool {
        let is_away = outcome.as_ref().is_err_and(|error| error.is_connect() || error.is_timeout());
        is_passing(outcome) && !(self.is_little && is_away)
    }

    /// Uses some up; nothing, if there is not enough left.
    fn spend(&self, wait: Duration) -> Option<Duration> {
        let mut left = self.left.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.checked_sub(wait)?;
        Some(wait)
    }
}

/// The waits of one request.
pub struct Backoff<'a> {
    patience: &'a Patience,
    tries: u32,
}

impl<'a> Backoff<'a> {
    /// Before its first failure.
    pub fn new(patience: &'a Patience) -> Self {
        Self { patience, tries: 0 }
    }

    /// How long to wait after an answer that broke off, of which nobody knows what it would have said; nothing, if it did
    /// not, or it is time to give up.
    pub fn after_a_cut<T>(&mut self, read: &Result<T>) -> Option<Duration> {
        let is_cut_off = read.as_ref().is_err_and(Error::is_cut_off);
        is_cut_off.then(|| self.next_wait()).flatten()
    }

    /// How long to wait now; nothing, if it is time to give up.
    pub fn next_wait(&mut self) -> Option<Duration> {
        let wait = self.patience.spend(pause(self.tries))?;
        self.tries += 1;
        Some(wait)
    }
}

/// A wait after so many failures: anything up to a limit that doubles with each.
pub fn pause(failures: u32) -> Duration {
    let [.., a, b, c, d] = Uuid::now_v7().into_bytes();
    let lot = f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX);
    limit(failures).mul_f64(lot).max(SHORTEST)
}

fn limit(failures: u32) -> Duration {
    FIRST.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST)
}

/// Whether the same request may well succeed in a moment.
fn is_passing(outcome: &reqwest::Result<Response>) -> bool {
    let Ok(response) = outcome else { return true };
    match response.status() {
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_EARLY
        | StatusCode::INTERNAL_SERVER_ERROR
        | StatusCode::BAD_GATEWAY
        | StatusCode::GATEWAY_TIMEOUT => true,
        // With the header it says itself how long to wait.
        StatusCode::SERVICE_UNAVAILABLE => !response.headers().contains_key(RETRY_AFTER),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit() {
        assert_eq!([0, 1, 2].map(|failures| limit(failures).as_millis()), [200, 400, 800]);
        assert_eq!((limit(8), limit(u32::MAX)), (LONGEST, LONGEST));
        assert!((0..100).all(|_| pause(3) <= limit(3)));
        let drawn: BTreeSet<_> = (0..100).map(|_| pause(20)).collect();
        assert!(drawn.len() > 1, "they are drawn by lot");
    }

    #[test]
    fn patience_ends_and_is_shared() {
        assert_eq!(Backoff::new(&Patience::default()).next_wait(), None);
        let patience = Patience::of(Duration::from_secs(1));
        let other = patience.clone();
        let mut backoff = Backoff::new(&patience);
        let mut waited = Duration::ZERO;
        while let Some(wait) = backoff.next_wait() {
            waited += wait;
        }
        assert!(waited <= Duration::from_secs(1));
        assert_eq!(other.spend(Duration::from_secs(1)), None);
    }
}
