//! Times that clients tell.

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

use super::text::Invalid;

/// A time as a client told it: RFC 3339, or the same without its zone (then UTC) or without its time.
pub fn parse(text: &str) -> Result<OffsetDateTime, Invalid> {
    let text = text.trim().replacen(' ', "T", 1);
    let local = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]]");
    let day = format_description!("[year]-[month]-[day]");
    let time = OffsetDateTime::parse(&text, &Rfc3339)
        .or_else(|_| PrimitiveDateTime::parse(&text, local).map(PrimitiveDateTime::assume_utc))
        .or_else(|_| Date::parse(&text, day).map(|date| date.midnight().assume_utc()))
        .map_err(|_| Invalid("Write times as RFC 3339, such as 2026-06-01T12:00:00Z."))?;
    checked(time)
}

/// A time that a run may have, in UTC. Only those of the years 1970 to 2199 are; PostgreSQL could not keep all others.
pub fn checked(time: OffsetDateTime) -> Result<OffsetDateTime, Invalid> {
    let in_utc = time.checked_to_offset(UtcOffset::UTC).filter(|time| (1970..2200).contains(&time.year()));
    in_utc.ok_or(Invalid("Write times between 1970 and 2199."))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_are_read_as_clients_write_them() {
        for (text, time) in [
            ("2026-06-01T12:00:00Z", datetime!(2026-06-01 12:00 UTC)),
            ("2026-06-01T14:00:00+02:00", datetime!(2026-06-01 12:00 UTC)),
            ("2026-06-01 12:00:00", datetime!(2026-06-01 12:00 UTC)),
            ("2026-06-01T12:00:00.250", datetime!(2026-06-01 12:00:00.25 UTC)),
            ("2026-06-01", datetime!(2026-06-01 0:00 UTC)),
        ] {
            assert_eq!(parse(text), Ok(time), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_of_a_run_is_refused() {
        for text in ["", "yesterday", "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "2026-13-01"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
