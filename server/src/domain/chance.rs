//! Chance, where many would otherwise do the same at the same moment.

use std::time::Duration;

/// A number from 0 to 1. Without random numbers it is 0, and nothing is spread.
pub fn fraction() -> f64 {
    getrandom::u32().map_or(0.0, |number| f64::from(number) / f64::from(u32::MAX))
}

/// Some time up to so long.
pub fn up_to(most: Duration) -> Duration {
    most.mul_f64(fraction())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spread_and_none_is_longer_than_asked_for() {
        let most = Duration::from_mins(1);
        let times: Vec<Duration> = (0..100).map(|_| up_to(most)).collect();
        assert!(times.iter().all(|time| *time <= most), "{times:?}");
        assert!(times.iter().any(|time| *time != times[0]), "{times:?}");
    }
}
