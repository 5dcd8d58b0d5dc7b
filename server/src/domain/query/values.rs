//! Numbers, durations and times as people write them in a query.

use std::ops::Bound;

use time::{Duration, OffsetDateTime};

use super::ast::{Moment, Span};
use super::reader::{Result, Word};
use crate::domain::timestamp;

/// What a word says: a point, or a stretch up to `end`, such as a day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<T> {
    pub from: T,
    pub end: Option<T>,
}

impl<T> From<T> for Stretch<T> {
    fn from(from: T) -> Self {
        Self { from, end: None }
    }
}

/// The span between two ends: from a day on is from its beginning, after a day is from its end.
pub(super) fn span<T>(
    from: Bound<Word>,
    to: Bound<Word>,
    read: impl Fn(&Word) -> Result<Stretch<T>>,
) -> Result<Span<T>> {
    let from = match from {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Included(word) => Bound::Included(read(&word)?.from),
        Bound::Excluded(word) => match read(&word)? {
            Stretch { end: Some(end), .. } => Bound::Included(end),
            Stretch { from, end: None } => Bound::Excluded(from),
        },
    };
    let to = match to {
        Bound::Unbounded => Bound::Unbounded,
        Bound::Excluded(word) => Bound::Excluded(read(&word)?.from),
        Bound::Included(word) => match read(&word)? {
            Stretch { end: Some(end), .. } => Bound::Excluded(end),
            Stretch { from, end: None } => Bound::Included(from),
        },
    };
    Ok(Span { from, to })
}

/// A number; NaN is none that could be compared.
pub(super) fn number(word: &Word) -> Result<Stretch<f64>> {
    let number = word.text.parse::<f64>().ok().filter(|number| !number.is_nan());
    let number = number.ok_or_else(|| word.fault(format!("\"{}\" is no number", word.shown())));
    number.map(Stretch::from)
}

/// A whole number, such as an exit code.
pub(super) fn whole(word: &Word) -> Result<Stretch<f64>> {
    let number = word.text.parse::<i32>().map(f64::from);
    let number = number.map_err(|_| word.fault(format!("\"{}\" is no whole number", word.shown())));
    number.map(Stretch::from)
}

/// How long something took: `90` or `90s`, `1.5h`, `1h30m`.
pub(super) fn duration(word: &Word) -> Result<Stretch<f64>> {
    let seconds = word.text.parse().ok().or_else(|| seconds_of(&word.text));
    let seconds = seconds.filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    let message = || format!("\"{}\" is no duration; write one as 90s, 15m, 1h30m or 2d", word.shown());
    seconds.map(Stretch::from).ok_or_else(|| word.fault(message()))
}

fn seconds_of(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let amount = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (digits, after) = rest.split_at(amount);
        let unit = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        seconds += digits.parse::<f64>().ok()? * f64::from(unit_seconds(unit)?);
        rest = after;
    }
    (!text.is_empty()).then_some(seconds)
}

fn unit_seconds(unit: &str) -> Option<u32> {
    match unit {
        "s" => Some(1),
        "m" | "min" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        "w" => Some(7 * 86_400),
        _ => None,
    }
}

/// A time: RFC 3339, a day, or how long ago it was.
pub(super) fn moment(word: &Word) -> Result<Stretch<Moment>> {
    if let Some(seconds) = ago(&word.text) {
        return Ok(Moment::Ago(seconds).into());
    }
    let time = timestamp::parse(&word.text).map_err(|_| {
        let text = word.shown();
        word.fault(format!("\"{text}\" is no time; write 2026-06-01, 2026-06-01T12:00:00Z, or 7d for 7 days ago"))
    })?;
    let is_day = !word.text.contains([':', 'T', 't']);
    let end = time.checked_add(Duration::DAY).filter(|_| is_day).map(Moment::At);
    Ok(Stretch { from: Moment::At(time), end })
}

/// How many seconds ago `7d` was, if it is written so.
pub(super) fn ago(text: &str) -> Option<u32> {
    let (amount, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    amount.parse::<u32>().ok()?.checked_mul(unit_seconds(unit)?)
}

/// A time as [`moment`] reads it.
pub(super) fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&time::format_description::well_known::Rfc3339).unwrap_or_default()
}
