//! The buckets that this server takes from between two looks at PostgreSQL.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;

use super::limit::{Bucket, Limit};
use crate::store::rate_limits::Take;

/// So many subjects are remembered at most.
const CAPACITY: usize = 100_000;
/// Requests of different subjects seldom wait for each other.
const SHARDS: usize = 16;

type Key = [u8; 32];

/// A part of the buckets.
#[derive(Debug, Default)]
struct Shard {
    buckets: HashMap<Key, Bucket>,
    /// Whether it is full of what PostgreSQL must be told first: looking for room is vain until then.
    is_cramped: bool,
}

/// Buckets by their keys.
#[derive(Debug, Default)]
pub(super) struct Memory {
    shards: [Mutex<Shard>; SHARDS],
}

impl Memory {
    /// Takes a token, or tells in how many seconds there is one.
    pub fn count(&self, key: Key, limit: &Limit, now: OffsetDateTime) -> Result<(), u64> {
        let mut shard = self.shard_of(&key);
        if shard.buckets.contains_key(&key) || shard.make_room() {
            return shard.buckets.entry(key).or_insert_with(|| Bucket::full(*limit, now)).take(now);
        }
        // Without a place to count in it is let through: a subject that is new here has a whole burst.
        Ok(())
    }

    /// In how many seconds a token is there, where it is known that none is.
    pub fn wait_seconds(&self, key: &Key, now: OffsetDateTime) -> Option<u64> {
        self.shard_of(key).buckets.get_mut(key)?.wait_seconds(now)
    }

    /// Remembers what PostgreSQL said of a bucket at `now`.
    pub fn remember(&self, key: Key, limit: &Limit, tokens: f64, now: OffsetDateTime) {
        let mut shard = self.shard_of(&key);
        if shard.buckets.contains_key(&key) || shard.make_room() {
            shard.buckets.entry(key).or_insert_with(|| Bucket::full(*limit, now)).learn(tokens, now);
        }
    }

    /// Remembers what PostgreSQL said of buckets that are still there.
    pub fn learn(&self, left: &[(Key, f64)], now: OffsetDateTime) {
        for (key, tokens) in left {
            if let Some(bucket) = self.shard_of(key).buckets.get_mut(key) {
                bucket.learn(*tokens, now);
            }
        }
    }

    /// Everything that was taken since this was last asked, and forgets buckets that are full.
    pub fn tell(&self, now: OffsetDateTime) -> Vec<Take> {
        let mut untold = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.is_cramped = false;
            shard.buckets.retain(|_, bucket| !bucket.is_idle(now));
            untold.extend(shard.buckets.iter_mut().filter_map(|(key, bucket)| bucket.tell(*key)));
        }
        untold
    }

    /// These could not be told, and will be the next time.
    pub fn tell_again(&self, takes: &[Take]) {
        for take in takes {
            if let Some(bucket) = self.shard_of(&take.key).buckets.get_mut(&take.key) {
                bucket.tell_again(take.used);
            }
        }
    }

    fn shard_of(&self, key: &Key) -> MutexGuard<'_, Shard> {
        // The key is a hash: any byte of it is as good as random.
        lock(&self.shards[usize::from(key[0]) % SHARDS])
    }
}

impl Shard {
    /// Whether there is room for one more. Where there is none, forgets what PostgreSQL knows as well.
    fn make_room(&mut self) -> bool {
        if self.buckets.len() >= CAPACITY / SHARDS && !self.is_cramped {
            self.buckets.retain(|_, bucket| bucket.is_untold());
            self.is_cramped = self.buckets.len() >= CAPACITY / SHARDS;
        }
        self.buckets.len() < CAPACITY / SHARDS
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);
    const LIMIT: Limit = Limit { name: "test", burst: 2, refill_seconds: 10.0 };

    fn subjects(memory: &Memory) -> usize {
        memory.shards.iter().map(|shard| lock(shard).buckets.len()).sum()
    }

    #[test]
    fn a_burst_is_let_through_and_then_one_as_each_token_comes_back() {
        let memory = Memory::default();
        let key = LIMIT.key("ada");
        let count = |seconds| memory.count(key, &LIMIT, NOW + Duration::seconds(seconds));
        assert_eq!([count(0), count(0), count(0)], [Ok(()), Ok(()), Err(10)]);
        assert_eq!([count(4), count(9)], [Err(6), Err(1)]);
        assert_eq!([count(10), count(10)], [Ok(()), Err(10)]);
        // Never more than the burst, however long nothing was done; and no clock that goes back gives any.
        assert_eq!([count(9000), count(9000), count(9000), count(0)], [Ok(()), Ok(()), Err(10), Err(10)]);
    }

    #[test]
    fn what_is_told_is_told_once_and_again_if_it_was_lost() {
        let memory = Memory::default();
        let key = LIMIT.key("ada");
        memory.count(key, &LIMIT, NOW).unwrap();
        memory.count(key, &LIMIT, NOW).unwrap();
        let told = memory.tell(NOW);
        assert_eq!((told.len(), told[0].key, told[0].used), (1, key, 2));
        assert!(memory.tell(NOW).is_empty());
        memory.tell_again(&told);
        assert_eq!(memory.tell(NOW)[0].used, 2);
    }

    #[test]
    fn what_is_taken_while_postgres_is_asked_is_not_lost() {
        let memory = Memory::default();
        let key = LIMIT.key("ada");
        memory.count(key, &LIMIT, NOW).unwrap();
        assert_eq!(memory.tell(NOW).len(), 1);
        memory.count(key, &LIMIT, NOW).unwrap();
        memory.learn(&[(key, 1.0)], NOW);
        assert_eq!(memory.count(key, &LIMIT, NOW), Err(10));
        assert_eq!(memory.tell(NOW)[0].used, 1);
    }

    #[test]
    fn a_bucket_below_nothing_takes_longer() {
        let memory = Memory::default();
        let key = LIMIT.key("ada");
        memory.remember(key, &LIMIT, -3.0, NOW);
        assert_eq!(memory.wait_seconds(&key, NOW), Some(40));
        assert_eq!(memory.count(key, &LIMIT, NOW), Err(40));
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let memory = Memory::default();
        memory.count(LIMIT.key("ada"), &LIMIT, NOW).unwrap();
        memory.tell(NOW + Duration::seconds(9));
        assert_eq!(subjects(&memory), 1);
        memory.tell(NOW + Duration::seconds(10));
        assert_eq!(subjects(&memory), 0);
    }

    #[test]
    fn any_number_of_subjects_leaves_the_memory_bounded() {
        let memory = Memory::default();
        for number in 0..CAPACITY + CAPACITY / 2 {
            memory.count(LIMIT.key(&number.to_string()), &LIMIT, NOW).unwrap();
        }
        assert!(subjects(&memory) <= CAPACITY);
        // Once they are told there is room for others again.
        assert!(memory.tell(NOW).len() > CAPACITY / 2);
        let key = LIMIT.key("ada");
        assert_eq!([(); 3].map(|()| memory.count(key, &LIMIT, NOW)), [Ok(()), Ok(()), Err(10)]);
        assert!(subjects(&memory) <= CAPACITY);
    }
}
