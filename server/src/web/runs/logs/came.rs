//! When a line came, and on which of the two streams: where both are read as one. Pure.

use otrace_wire::LogStream;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::domain::log_times::Stretch;

/// Where a line comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// Whether it is of standard error.
    pub is_stderr: bool,
    /// When it came, in milliseconds since 1970.
    pub millis: i64,
    /// The same for machines.
    pub iso: String,
    /// The same as a clock shows it, in UTC: `16:17:34`.
    pub clock: String,
}

impl Came {
    /// The line that begins at a byte of these stretches, which are in order.
    pub fn of(stretches: &[Stretch], at: i64) -> Option<Self> {
        let after = stretches.partition_point(|stretch| stretch.at <= at);
        let stretch = stretches.get(after.checked_sub(1)?)?;
        let came_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(stretch.came_at) * 1000).ok()?;
        let iso = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        Some(Self {
            is_stderr: stretch.stream == LogStream::Stderr,
            millis: stretch.came_at / 1000,
            iso: came_at.format(&iso).unwrap_or_default(),
            clock: came_at.format(format_description!("[hour]:[minute]:[second]")).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_came_when_its_stretch_did() {
        let out = Stretch { stream: LogStream::Stdout, at: 100, start: 0, length: 20, came_at: 1_767_225_600_250_000 };
        let err = Stretch { stream: LogStream::Stderr, at: 120, start: 0, length: 5, came_at: 1_767_225_661_000_000 };
        let came = |at| Came::of(&[out, err], at).map(|came| (came.is_stderr, came.iso, came.clock));
        let first = (false, "2026-01-01T00:00:00.250Z".to_owned(), "00:00:00".to_owned());
        assert_eq!((came(100), came(119)), (Some(first.clone()), Some(first)));
        assert_eq!(came(120).map(|(is_stderr, _, clock)| (is_stderr, clock)), Some((true, "00:01:01".to_owned())));
        assert_eq!((came(99), Came::of(&[], 0)), (None, None));
    }
}
