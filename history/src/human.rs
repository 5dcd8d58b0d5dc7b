//! Times, lengths of time, sizes and values as people read them.

use std::time::Duration;

use otrace_wire::Run;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A moment, to the minute: `2026-06-01 12:00`, in UTC.
pub fn moment(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", time.hour(), time.minute())
}

/// A moment as programs read it: RFC 3339 in UTC.
pub fn rfc3339(time: OffsetDateTime) -> String {
    // Formatting fails only for years beyond 9999.
    time.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

/// How long something took: `3.2 s`, `4 min 05 s`, `2 h 03 min`, `3 d 04 h`.
pub fn duration(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match whole {
        0..MINUTE => format!("{seconds:.1} s"),
        MINUTE..HOUR => format!("{} min {:02} s", whole / MINUTE, whole % MINUTE),
        HOUR..DAY => format!("{} h {:02} min", whole / HOUR, whole % HOUR / MINUTE),
        _ => format!("{} d {:02} h", whole / DAY, whole % DAY / HOUR),
    }
}

/// A number of bytes as people read it: `12.3 GB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    // In tenths, of which the last unit may have any number.
    let mut tenths = u128::from(count) * 10;
    while tenths >= 9_995 && unit + 1 < UNITS.len() {
        tenths = (tenths + 500) / 1000;
        unit += 1;
    }
    if unit == 0 { format!("{count} bytes") } else { format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]) }
}

/// A difference between two numbers. Six digits tell enough, and hide what is only the arithmetic's.
pub fn difference(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e6).contains(&magnitude) {
        return format!("{number:+.3e}");
    }
    let text = format!("{number:+.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A JSON value: texts as they are, others as JSON writes them.
pub fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// How a run ended: `completed`, `failed (exit code 3)`, `failed (SIGKILL)`.
pub fn status(run: &Run) -> String {
    let status = run.status.as_str().replace('_', " ");
    match (&run.signal, run.exit_code) {
        (Some(signal), _) => format!("{status} ({signal})"),
        (None, Some(code)) if code != 0 => format!("{status} (exit code {code})"),
        _ => status,
    }
}

/// The first line of a text, without the white space around it.
pub fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default().trim()
}

/// How many there are of something: `1 file`, `3 files`.
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A commit as people write it.
pub fn short_commit(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lengths_of_time_are_told_in_the_units_that_suit_them() {
        let told = [0.04, 3.21, 59.9, 60.0, 245.0, 3600.0, 7380.0, 90_000.0].map(duration);
        let expected = ["0.0 s", "3.2 s", "59.9 s", "1 min 00 s", "4 min 05 s", "1 h 00 min", "2 h 03 min", "1 d 01 h"];
        assert_eq!(told, expected);
        assert_eq!(duration(-1.0), "-1.0 s", "a clock that was set back harms nobody");
    }

    #[test]
    fn moments_are_told_in_utc() {
        let time = OffsetDateTime::parse("2026-06-01T02:03:59+05:00", &Rfc3339).expect("a time");
        assert_eq!((moment(time), rfc3339(time)), ("2026-05-31 21:03".to_owned(), "2026-05-31T21:03:59Z".to_owned()));
    }

    #[test]
    fn bytes_are_told_in_the_unit_that_suits_them() {
        let told = [0, 999, 1000, 1_500, 20_971_520, 999_999_999, 10_000_000_000, 5_000_000_000_000_000].map(bytes);
        let expected = ["0 bytes", "999 bytes", "1.0 kB", "1.5 kB", "21.0 MB", "1.0 GB", "10.0 GB", "5000.0 TB"];
        assert_eq!(told, expected);
    }

    #[test]
    fn differences_are_told_in_few_digits() {
        let told = [0.9 - 0.8, -12.0, 0.0, 1.5e-7, 2_000_000.0, 0.25].map(difference);
        assert_eq!(told, ["+0.1", "-12", "+0", "+1.500e-7", "+2.000e6", "+0.25"]);
    }

    #[test]
    fn values_and_texts_are_shown_plainly() {
        assert_eq!([json!("adam"), json!(0.9), json!(null)].map(|shown| value(&shown)), ["adam", "0.9", "null"]);
        assert_eq!(first_line("\n  Does it?  \nIt does."), "Does it?");
        assert_eq!((short_commit("4b825dc642cb6eb9"), short_commit("4b8")), ("4b825dc6", "4b8"));
    }
}
