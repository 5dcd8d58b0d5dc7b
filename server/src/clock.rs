//! The only place that reads the time: everything else asks [`Clock`], so that tests can set it.

use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// Tells the time, in UTC, to the microsecond, which is what PostgreSQL keeps.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that only moves when it is told to.
    Frozen(Arc<Mutex<OffsetDateTime>>),
}

impl Clock {
    /// A clock that stands at `now` until [`advance`](Self::advance) is called.
    pub fn frozen_at(now: OffsetDateTime) -> Self {
        Self::Frozen(Arc::new(Mutex::new(now)))
    }

    /// The time now.
    pub fn now(&self) -> OffsetDateTime {
        let now = match self {
            #[expect(clippy::disallowed_methods, reason = "this is the clock that the lint sends everyone to")]
            Self::System => OffsetDateTime::now_utc(),
            Self::Frozen(now) => *now.lock().unwrap_or_else(PoisonError::into_inner),
        };
        now.replace_nanosecond(now.microsecond() * 1000).unwrap_or(now)
    }

    /// Moves a frozen clock; the machine's clock stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Self::Frozen(now) = self {
            *now.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }
    }
}
