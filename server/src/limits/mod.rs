//! Limits that all servers keep together: buckets of tokens, in PostgreSQL.
//!
//! One statement (`store::rate_limits::take`) takes tokens, and it is used in two ways. What is rare and
//! dear, such as trying a password, asks PostgreSQL before the work ([`Limits::take`]). What comes
//! hundreds of times a second is counted in memory ([`Limits::count`]) and told to PostgreSQL once a
//! second, for all busy subjects at once, which tells what all servers together have left. No subject is
//! written down in the clear.

mod limit;
mod memory;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::LimitsConfig;
use crate::error::{AppError, Result};
use crate::store;
use crate::store::rate_limits::Take;

use limit::wait_seconds;
use memory::Memory;

pub use limit::{
    BAD_KEY_ADDRESS, DEVICE_CODE_ADDRESS, DEVICE_POLL, DEVICE_POLL_ADDRESS, LINK_TRY, Limit, PROVIDER_ADDRESS,
    RESET_ADDRESS, RESET_EMAIL, SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS, SIGN_UP_ADDRESS, USER_CODE_TRY, WEBHOOK_CALL,
};

const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// So many subjects go in one statement.
const BATCH: usize = 5000;
/// How often full buckets are looked for, which reads the whole table.
const CLEAR_EVERY: time::Duration = time::Duration::minutes(10);
/// So many are removed at once.
const CLEARED_MAX: i64 = 100_000;
/// A busy key may do at once what it may do in so many seconds.
const WRITES_BURST_SECONDS: u32 = 5;
const READS_BURST_SECONDS: u32 = 6;

/// Keeps the limits. Its clones are one.
#[derive(Clone, Debug)]
pub struct Limits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: PgPool,
    clock: Clock,
    memory: Memory,
    writes: Option<Limit>,
    reads: Option<Limit>,
    /// When full buckets were last looked for. Held while settling, so that it is done once at a time.
    cleared_at: Mutex<Option<OffsetDateTime>>,
    closing: CancellationToken,
}

impl Limits {
    /// Keeps the limits, and settles each second until [`close`](Self::close).
    pub fn start(pool: PgPool, clock: Clock, config: &LimitsConfig) -> Self {
        let limits = Self::new(pool, clock, config);
        let closing = limits.0.closing.clone();
        tokio::spawn(closing.run_until_cancelled_owned(settle_each_second(limits.clone())));
        limits
    }

    /// Keeps the limits, and settles only when it is told to.
    pub fn new(pool: PgPool, clock: Clock, config: &LimitsConfig) -> Self {
        Self(Arc::new(Shared {
            pool,
            clock,
            memory: Memory::default(),
            writes: Limit::per_second("api_writes", config.api_writes_per_second, WRITES_BURST_SECONDS),
            reads: Limit::per_second("api_reads", config.api_reads_per_second, READS_BURST_SECONDS),
            cleared_at: Mutex::default(),
            closing: CancellationToken::new(),
        }))
    }

    /// Ends the settling, so that the server can stop.
    pub fn close(&self) {
        self.0.closing.cancel();
    }

    /// Takes a token before some rare and dear work, or refuses. All servers know of it at once.
    pub async fn take(&self, limit: &Limit, subject: &str) -> Result<()> {
        self.take_all(&[(limit, subject.to_owned())]).await
    }

    /// Takes a token of each, or refuses and takes none.
    pub async fn take_all(&self, limits: &[(&Limit, String)]) -> Result<()> {
        let now = self.0.clock.now();
        let mut takes: BTreeMap<[u8; 32], (&Limit, Take)> = BTreeMap::new();
        for (limit, subject) in limits {
            let key = limit.key(subject);
            takes.entry(key).and_modify(|(_, take)| take.used += 1).or_insert_with(|| (*limit, limit.take(key, 1)));
        }
        // Who was refused is refused here until a token may be back: a flood of tries costs the database nothing.
        let known = takes.keys().filter_map(|key| self.0.memory.wait_seconds(key, now)).max();
        if let Some(retry_after_seconds) = known {
            return Err(AppError::RateLimited { retry_after_seconds });
        }
        let mut transaction = self.0.pool.begin().await?;
        let wanted: Vec<Take> = takes.values().map(|(_, take)| take.clone()).collect();
        let left = store::rate_limits::take(&mut transaction, &wanted, now).await?;
        let mut longest = None;
        for (key, tokens) in left {
            let Some((limit, take)) = takes.get(&key) else { continue };
            if let Some(wait) = wait_seconds(tokens, limit.refill_seconds) {
                longest = longest.max(Some(wait));
                self.0.memory.remember(key, limit, tokens + f64::from(take.used), now);
            }
        }
        match longest {
            None => Ok(transaction.commit().await?),
            Some(retry_after_seconds) => {
                transaction.rollback().await?;
                Err(AppError::RateLimited { retry_after_seconds })
            }
        }
    }

    /// Takes a token without asking PostgreSQL, or refuses. Other servers know of it within about a second.
    pub fn count(&self, limit: &Limit, subject: &str) -> Result<()> {
        let counted = self.0.memory.count(limit.key(subject), limit, self.0.clock.now());
        counted.map_err(|retry_after_seconds| AppError::RateLimited { retry_after_seconds })
    }

    /// Counts a request of the API that changes something, by its key.
    pub fn count_write(&self, subject: &str) -> Result<()> {
        self.0.writes.as_ref().map_or(Ok(()), |limit| self.count(limit, subject))
    }

    /// Counts a request of the API that reads, by its key.
    pub fn count_read(&self, subject: &str) -> Result<()> {
        self.0.reads.as_ref().map_or(Ok(()), |limit| self.count(limit, subject))
    }

    /// Settles what was counted in memory with PostgreSQL: done each second.
    pub async fn settle(&self) -> Result<()> {
        let mut cleared_at = self.0.cleared_at.lock().await;
        let now = self.0.clock.now();
        let untold = self.0.memory.tell(now);
        let mut batches = untold.chunks(BATCH);
        while let Some(batch) = batches.next() {
            match self.tell(batch, now).await {
                Ok(left) => self.0.memory.learn(&left, now),
                Err(error) => {
                    self.0.memory.tell_again(batch);
                    batches.for_each(|batch| self.0.memory.tell_again(batch));
                    return Err(error);
                }
            }
        }
        if cleared_at.is_none_or(|at| now - at >= CLEAR_EVERY) {
            store::rate_limits::delete_full(&mut *self.0.pool.acquire().await?, now, CLEARED_MAX).await?;
            *cleared_at = Some(now);
        }
        Ok(())
    }

    async fn tell(&self, takes: &[Take], now: OffsetDateTime) -> Result<Vec<([u8; 32], f64)>> {
        Ok(store::rate_limits::take(&mut *self.0.pool.acquire().await?, takes, now).await?)
    }
}

/// Settles for ever. While the database is away, this server counts on its own and tells it later.
async fn settle_each_second(limits: Limits) {
    let mut second = interval(SETTLE_EVERY);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_settled = true;
    while !limits.0.pool.is_closed() {
        second.tick().await;
        let settled = limits.settle().await;
        if let Err(error) = &settled
            && was_settled
            && !limits.0.pool.is_closed()
        {
            tracing::warn!(?error, "the limits of requests are not shared with other servers now; trying again");
        }
        was_settled = settled.is_ok();
    }
}
