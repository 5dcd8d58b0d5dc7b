//! What time it is, as it is written on the wire. The only place that asks.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Now, as RFC 3339 in UTC.
#[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
pub fn now() -> String {
    // Formatting fails only for years beyond 9999; an empty time is then as good as any.
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}

/// Now, in microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
pub fn unix_micros() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000).unwrap_or_default()
}

/// Now, in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
#[expect(clippy::cast_precision_loss, reason = "it tells microseconds, and nobody asks for less")]
pub fn unix_seconds() -> f64 {
    OffsetDateTime::now_utc().unix_timestamp_nanos() as f64 / 1e9
}
