//! What is limited, and how much of it is let through. Pure.

use std::time::Duration;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::store::rate_limits::Take;

/// A millionth of a token: more than arithmetic with fractions is wrong by.
const ROUNDING: f64 = 1e-6;

/// How often something may be done: `burst` times at once, then as often as tokens come back.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Its name, which keeps it apart from others with the same subject.
    pub name: &'static str,
    /// So many tokens are there when nothing was done for a while.
    pub burst: u32,
    /// The seconds in which one token comes back.
    pub refill_seconds: f64,
}

/// Trying a password, by address.
pub const SIGN_IN_ADDRESS: Limit = Limit { name: "sign_in_address", burst: 10, refill_seconds: 60.0 };
/// Trying a password, by account: 20 an hour.
pub const SIGN_IN_ACCOUNT: Limit = Limit { name: "sign_in_account", burst: 10, refill_seconds: 180.0 };
/// Making an account, by address: 3 an hour.
pub const SIGN_UP_ADDRESS: Limit = Limit { name: "sign_up_address", burst: 3, refill_seconds: 1200.0 };
/// Asking for a link to set a new password, by address: 3 an hour.
pub const RESET_ADDRESS: Limit = Limit { name: "reset_address", burst: 3, refill_seconds: 1200.0 };
/// Asking for such a link, by the e-mail address that it goes to: 1 an hour.
pub const RESET_EMAIL: Limit = Limit { name: "reset_email", burst: 3, refill_seconds: 3600.0 };
/// Opening a link that holds a secret, or entering a code that was mailed, by address.
pub const LINK_TRY: Limit = Limit { name: "link_try", burst: 10, refill_seconds: 60.0 };
/// Coming with a key that opens nothing, by address: 30 a minute.
pub const BAD_KEY_ADDRESS: Limit = Limit { name: "bad_key_address", burst: 30, refill_seconds: 2.0 };
/// Asking for a code to sign the command line in with, by address.
pub const DEVICE_CODE_ADDRESS: Limit = Limit { name: "device_code_address", burst: 10, refill_seconds: 30.0 };
/// Entering such a code, by account.
pub const USER_CODE_TRY: Limit = Limit { name: "user_code_try", burst: 10, refill_seconds: 60.0 };
/// Asking whether such a code was approved, by address: many machines may wait behind one.
pub const DEVICE_POLL_ADDRESS: Limit = Limit { name: "device_poll_address", burst: 60, refill_seconds: 0.25 };
/// Asking whether such a code was approved, by the machine's own secret.
pub const DEVICE_POLL: Limit = Limit { name: "device_poll", burst: 5, refill_seconds: 1.0 };
/// Starting or ending a sign-in through a provider, by address.
pub const PROVIDER_ADDRESS: Limit = Limit { name: "provider_address", burst: 20, refill_seconds: 15.0 };
/// Having a webhook tried, or its address looked up, by project: 10 a minute.
pub const WEBHOOK_CALL: Limit = Limit { name: "webhook_call", burst: 20, refill_seconds: 6.0 };

impl Limit {
    /// `rate` times a second, and what comes in `burst_seconds` at once. No limit where the rate is 0.
    pub(super) fn per_second(name: &'static str, rate: u32, burst_seconds: u32) -> Option<Self> {
        let refill_seconds = 1.0 / f64::from(rate);
        (rate > 0).then(|| Self { name, burst: rate.saturating_mul(burst_seconds), refill_seconds })
    }

    /// What a subject's bucket is known by.
    pub(super) fn key(&self, subject: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.name).chain_update([0_u8]).chain_update(subject).finalize().into()
    }

    /// Tokens of this limit to be taken from PostgreSQL.
    pub(super) fn take(&self, key: [u8; 32], used: u32) -> Take {
        Take { key, name: self.name, burst: self.burst, refill_seconds: self.refill_seconds, used }
    }
}

/// The seconds until as many tokens came back as are missing; `None` where none is. `left` is what was left after taking.
pub(super) fn wait_seconds(left: f64, refill_seconds: f64) -> Option<u64> {
    if left >= -ROUNDING {
        return None;
    }
    let seconds = ((-left - ROUNDING) * refill_seconds).ceil().max(1.0);
    Some(Duration::try_from_secs_f64(seconds).map_or(u64::MAX, |wait| wait.as_secs()))
}

/// A subject's tokens, as this server knows them.
#[derive(Debug)]
pub(super) struct Bucket {
    limit: Limit,
    tokens: f64,
    at: OffsetDateTime,
    /// Those taken here since all servers were last told.
    used: u32,
}

impl Bucket {
    /// One from which nothing was taken.
    pub fn full(limit: Limit, now: OffsetDateTime) -> Self {
        Self { limit, tokens: f64::from(limit.burst), at: now, used: 0 }
    }

    /// Takes a token, or tells in how many seconds there is one.
    pub fn take(&mut self, now: OffsetDateTime) -> Result<(), u64> {
        if let Some(wait) = self.wait_seconds(now) {
            return Err(wait);
        }
        self.tokens -= 1.0;
        self.used = self.used.saturating_add(1);
        Ok(())
    }

    /// In how many seconds a token is there, where none is.
    pub fn wait_seconds(&mut self, now: OffsetDateTime) -> Option<u64> {
        self.refill(now);
        wait_seconds(self.tokens - 1.0, self.limit.refill_seconds)
    }

    /// Believes what PostgreSQL said at `now`, less what was taken here since it was asked.
    pub fn learn(&mut self, tokens: f64, now: OffsetDateTime) {
        self.tokens = tokens - f64::from(self.used);
        self.at = now;
    }

    /// What has to be told to all servers, as told from now on.
    pub fn tell(&mut self, key: [u8; 32]) -> Option<Take> {
        let used = std::mem::take(&mut self.used);
        (used > 0).then(|| self.limit.take(key, used))
    }

    /// Adds to what has to be told: telling it failed.
    pub fn tell_again(&mut self, used: u32) {
        self.used = self.used.saturating_add(used);
    }

    /// Whether something has to be told.
    pub fn is_untold(&self) -> bool {
        self.used > 0
    }

    /// Whether it is worth nothing to know: full, and all was told.
    pub fn is_idle(&mut self, now: OffsetDateTime) -> bool {
        self.refill(now);
        self.used == 0 && self.tokens >= f64::from(self.limit.burst) - ROUNDING
    }

    fn refill(&mut self, now: OffsetDateTime) {
        if now <= self.at {
            return;
        }
        let came_back = (now - self.at).as_seconds_f64() / self.limit.refill_seconds;
        self.tokens = (self.tokens + came_back).min(f64::from(self.limit.burst));
        self.at = now;
    }
}
