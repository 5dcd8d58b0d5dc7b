//! Numbers, sizes, durations and times as people read them.
//!
//! Pure. Between a number and its unit stands U+00A0, so that no line breaks there.

use serde_json::Value;
use std::time::Duration;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use crate::domain::RunResult;

const NBSP: char = '\u{a0}';
/// A table program takes what begins so for a formula, as OWASP lists them; the last four are the full-width ones.
const FORMULA_BEGINS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
const SIGNIFICANT_DIGITS: usize = 6;
/// Whole numbers up to here are shown in full; a `f64` holds each of them exactly.
const LARGEST_IN_FULL: f64 = 1e15;

/// A moment, ready for a `<time>`: the script puts it into the reader's zone, until then it is UTC.
#[derive(Clone, Debug)]
pub struct Moment {
    /// For machines: RFC 3339.
    pub iso: String,
    /// `12 May 2026, 14:06 UTC`.
    pub exact: String,
    /// `3 min ago`.
    pub relative: String,
}

impl Moment {
    /// `at`, seen from `now`.
    pub fn new(at: OffsetDateTime, now: OffsetDateTime) -> Self {
        let at = at.to_offset(UtcOffset::UTC);
        let exact = format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
        Self {
            iso: at.format(&Rfc3339).unwrap_or_default(),
            exact: at.format(&exact).unwrap_or_default(),
            relative: relative(at, now),
        }
    }
}

/// How long ago `at` was: `just now`, `3 min ago`, `yesterday`, `2 weeks ago`, and the date from
/// three months on. `static/times.js` says the same as time goes by.
fn relative(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let seconds = (now - at).whole_seconds();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match days {
        _ if seconds < 45 => "just now".to_owned(),
        _ if minutes < 60 => format!("{}{NBSP}min ago", minutes.max(1)),
        _ if hours < 24 => format!("{hours}{NBSP}h ago"),
        1 => "yesterday".to_owned(),
        2..=13 => format!("{days} days ago"),
        14..=90 => format!("{} weeks ago", days / 7),
        _ => date(at),
    }
}

/// `12 May 2026`.
pub fn date(at: OffsetDateTime) -> String {
    let format = format_description!("[day padding:none] [month repr:short] [year]");
    at.to_offset(UtcOffset::UTC).format(&format).unwrap_or_default()
}

/// `0.4 s`, `41 s`, `38 min`, `1 h 12 m`, `3 d 4 h`.
pub fn duration(seconds: f64) -> String {
    let span = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let (whole, tenths) = (span.as_secs(), span.subsec_millis() / 100);
    match whole {
        0..10 => format!("{whole}.{tenths}{NBSP}s"),
        10..60 => format!("{whole}{NBSP}s"),
        60..3600 => format!("{}{NBSP}min", whole / 60),
        3600..86_400 => format!("{}{NBSP}h {}{NBSP}m", whole / 3600, whole % 3600 / 60),
        _ => format!("{}{NBSP}d {}{NBSP}h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// How long it is from `start` to `now`; what lies ahead is nothing.
pub fn elapsed(start: OffsetDateTime, now: OffsetDateTime) -> String {
    duration((now - start).as_seconds_f64().max(0.0))
}

/// A size in bytes, in steps of 1000: `512 B`, `1.2 KB`, `84 KB`, `5.3 MB`.
pub fn size(bytes: i64) -> String {
    let bytes = bytes.max(0).unsigned_abs();
    let mut step = 1_u64;
    for unit in ["B", "KB", "MB", "GB", "TB"] {
        let tenths = bytes.saturating_mul(10).saturating_add(step / 2) / step;
        if step == 1 && bytes < 1000 {
            return format!("{bytes}{NBSP}{unit}");
        }
        if step > 1 && tenths < 100 {
            return format!("{}.{}{NBSP}{unit}", tenths / 10, tenths % 10);
        }
        if step > 1 && tenths < 9995 {
            return format!("{}{NBSP}{unit}", (tenths + 5) / 10);
        }
        step *= 1000;
    }
    format!("{}{NBSP}PB", bytes / 1_000_000_000_000_000)
}

/// A whole number with its thousands apart: `1 291`.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(NBSP);
        }
        text.push(digit);
    }
    text
}

/// `1 run`, `49 runs`.
pub fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A number in six significant digits: `0.9803`, `1 291`, `3.2e-7`.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string().replace("inf", "Infinity");
    }
    if value.fract() == 0.0 && value.abs() < LARGEST_IN_FULL {
        return format!("{value:.0}").parse().map_or_else(|_| value.to_string(), count);
    }
    let scientific = format!("{value:.*e}", SIGNIFICANT_DIGITS - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or_default() {
        exponent @ -5..=5 => {
            let decimals = usize::try_from(5 - exponent).unwrap_or_default();
            trim_zeros(&format!("{value:.decimals$}")).to_owned()
        }
        _ => format!("{}e{exponent}", trim_zeros(mantissa)),
    }
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A result's value, short.
pub fn result(result: &RunResult) -> String {
    result.number.map_or_else(|| cell(&result.value), number)
}

/// A value of a table or a result as text; strings stand without quotes.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => super::terminal::clean(text),
        Value::Number(whole) if whole.is_i64() => whole.to_string(),
        Value::Number(real) => real.as_f64().map_or_else(|| real.to_string(), number),
        other => other.to_string(),
    }
}

/// A text for a cell of a CSV file, with an apostrophe before it where a table program would take it for a formula.
pub fn no_formula(text: &str) -> String {
    if text.starts_with(FORMULA_BEGINS) { format!("'{text}") } else { text.to_owned() }
}

/// The first characters of a commit, a hash or another long id.
pub fn short(id: &str, characters: usize) -> String {
    id.chars().take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn durations_name_their_two_largest_units() {
        let read = |seconds| duration(seconds).replace(NBSP, " ");
        assert_eq!(read(0.42), "0.4 s");
        assert_eq!(read(41.9), "41 s");
        assert_eq!(read(2280.0), "38 min");
        assert_eq!(read(4344.0), "1 h 12 m");
        assert_eq!(read(273_600.0), "3 d 4 h");
        assert_eq!(read(-1.0), "0.0 s");
        assert_eq!(read(f64::NAN), "0.0 s");
    }

    #[test]
    fn sizes_have_one_decimal_below_ten() {
        let read = |bytes| size(bytes).replace(NBSP, " ");
        assert_eq!(read(0), "0 B");
        assert_eq!(read(999), "999 B");
        assert_eq!(read(1234), "1.2 KB");
        assert_eq!(read(84_000), "84 KB");
        assert_eq!(read(5_300_000), "5.3 MB");
        assert_eq!(read(999_960), "1.0 MB");
        assert_eq!(read(-5), "0 B");
    }

    #[test]
    fn thousands_stand_apart() {
        let read = |number| count(number).replace(NBSP, " ");
        assert_eq!(read(7), "7");
        assert_eq!(read(1291), "1 291");
        assert_eq!(read(-65_536), "-65 536");
        assert_eq!(read(1_000_000), "1 000 000");
    }

    #[test]
    fn numbers_have_six_significant_digits() {
        let read = |value| number(value).replace(NBSP, " ");
        assert_eq!(read(0.980_312_345), "0.980312");
        assert_eq!(read(0.9803), "0.9803");
        assert_eq!(read(88.5), "88.5");
        assert_eq!(read(1291.0), "1 291");
        assert_eq!(read(123_456.789), "123457");
        assert_eq!(read(3.2e-7), "3.2e-7");
        assert_eq!(read(1.5e300), "1.5e300");
        assert_eq!(read(0.0), "0");
        assert_eq!(read(f64::NAN), "NaN");
        assert_eq!(read(f64::NEG_INFINITY), "-Infinity");
    }

    #[test]
    fn a_moment_is_told_from_now() {
        let now = datetime!(2026-05-14 16:20 UTC);
        let read = |at| Moment::new(at, now).relative.replace(NBSP, " ");
        assert_eq!(read(datetime!(2026-05-14 16:19:40 UTC)), "just now");
        assert_eq!(read(datetime!(2026-05-14 16:21 UTC)), "just now");
        assert_eq!(read(datetime!(2026-05-14 16:17 UTC)), "3 min ago");
        assert_eq!(read(datetime!(2026-05-14 14:11 UTC)), "2 h ago");
        assert_eq!(read(datetime!(2026-05-13 14:11 UTC)), "yesterday");
        assert_eq!(read(datetime!(2026-05-08 14:11 UTC)), "6 days ago");
        assert_eq!(read(datetime!(2026-04-20 14:11 UTC)), "3 weeks ago");
        assert_eq!(read(datetime!(2025-05-12 14:06 UTC)), "12 May 2025");
        let moment = Moment::new(datetime!(2026-05-12 16:06 +2), now);
        assert_eq!(moment.exact, "12 May 2026, 14:06 UTC");
        assert_eq!(moment.iso, "2026-05-12T14:06:00Z");
    }

    #[test]
    fn no_text_is_a_formula() {
        for begin in FORMULA_BEGINS {
            assert_eq!(no_formula(&format!("{begin}1+1")), format!("'{begin}1+1"));
        }
        assert_eq!((no_formula("0.5 = half"), no_formula("")), ("0.5 = half".to_owned(), String::new()));
    }

    #[test]
    fn cells_show_what_json_holds() {
        assert_eq!(cell(&Value::Null), "");
        assert_eq!(cell(&Value::from("yes")), "yes");
        assert_eq!(cell(&Value::from(12)), "12");
        assert_eq!(cell(&Value::from(0.5)), "0.5");
        assert_eq!(cell(&Value::from(true)), "true");
    }
}
