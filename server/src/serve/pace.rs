//! How fast a request's body has to come.

use std::time::Duration;

use super::Timeouts;

/// A body of at most so many bytes is small: it has to be whole within a fixed time.
const SMALL_BYTES: u64 = 256 * 1024;
/// The least that must come, in bytes a second, on the average of a window.
const BYTES_PER_SECOND: u128 = 1024;

/// What has come of a body. Only time that the client was waited for counts: while the server is busy with what it has,
/// the client can't send.
#[derive(Debug)]
pub(super) struct Pace {
    idle: Duration,
    window: Duration,
    /// The time that is left for the whole of a small body.
    rest: Option<Duration>,
    waited_in_window: Duration,
    /// What the window still lacks, in bytes.
    lacking: u64,
}

impl Pace {
    /// Of a body of this length, where it is known.
    pub(super) fn new(timeouts: &Timeouts, length: Option<u64>) -> Self {
        let is_small = length.is_some_and(|length| length <= SMALL_BYTES);
        let rest = is_small.then_some(timeouts.small_body);
        let window = timeouts.body_window;
        Self { idle: timeouts.body_idle, window, rest, waited_in_window: Duration::ZERO, lacking: least(window) }
    }

    /// How long the client may be waited for from now on.
    pub(super) fn patience(&self) -> Duration {
        let in_window =
            if self.lacking == 0 { Duration::MAX } else { self.window.saturating_sub(self.waited_in_window) };
        self.idle.min(in_window).min(self.rest.unwrap_or(Duration::MAX))
    }

    /// So many bytes have come after waiting for so long.
    pub(super) fn has_come(&mut self, bytes: u64, waited: Duration) {
        self.rest = self.rest.map(|rest| rest.saturating_sub(waited));
        self.waited_in_window += waited;
        self.lacking = self.lacking.saturating_sub(bytes);
        if self.lacking == 0 && self.waited_in_window >= self.window {
            self.waited_in_window = Duration::ZERO;
            self.lacking = least(self.window);
        }
    }
}

/// What must come within a window, in bytes.
fn least(window: Duration) -> u64 {
    u64::try_from(window.as_millis() * BYTES_PER_SECOND / 1000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(length: Option<u64>) -> Pace {
        Pace::new(&Timeouts::default(), length)
    }

    #[test]
    fn a_large_body_may_take_any_time_at_its_rate() {
        let mut pace = pace(None);
        for _ in 0..10_000 {
            assert!(pace.patience() >= 10 * SECOND, "{pace:?}");
            pace.has_come(10 * 1024, 10 * SECOND);
        }
    }

    #[test]
    fn a_pause_is_too_long_after_thirty_seconds() {
        let mut pace = pace(Some(u64::MAX));
        assert_eq!(pace.patience(), 30 * SECOND);
        pace.has_come(u64::MAX, 29 * SECOND);
        assert_eq!(pace.patience(), 30 * SECOND);
    }

    #[test]
    fn a_byte_a_second_is_too_slow_after_a_minute() {
        let mut pace = pace(None);
        for passed in 0..60 {
            assert_eq!(pace.patience(), (30 * SECOND).min((60 - passed) * SECOND));
            pace.has_come(1, SECOND);
        }
        assert_eq!(pace.patience(), Duration::ZERO);
    }

    #[test]
    fn a_small_body_has_thirty_seconds_in_all() {
        let mut pace = pace(Some(256 * 1024));
        for passed in 0..30 {
            assert_eq!(pace.patience(), (30 - passed) * SECOND);
            pace.has_come(8 * 1024, SECOND);
        }
        assert_eq!(pace.patience(), Duration::ZERO);
    }
}
