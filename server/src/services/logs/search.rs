//! Looking for a text or a line in a log of any length: window by window, for as long as a request may take. Who asks
//! goes on from the place that the answer names.

use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter, memrchr};

use super::{RunLog, read};
use crate::app::AppState;
use crate::domain::{ProjectId, RunId};
use crate::error::Result;

/// So much is read at once, in bytes.
const WINDOW_BYTES: i64 = 1024 * 1024;
/// So much is read for one request, in bytes.
const READ_MAX_BYTES: i64 = 256 * 1024 * 1024;
/// So long a request may look.
const LOOK_MAX: Duration = Duration::from_millis(400);

/// What a look at a log came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It is there: from this byte to that one, which begin its line and the next as far as that is known.
    Found(i64, i64),
    /// Not so far: ask again from this byte on.
    NotYet(i64),
    /// Not between where one asked from and the end.
    Nowhere,
}

/// The first line from `from` on with a text in it, whatever the case of its letters from a to z; the last line that
/// ends before `from`, if it is looked for backwards.
pub async fn text(
    app: &AppState,
    (project_id, run_id): (ProjectId, RunId),
    log: &RunLog,
    text: &str,
    from: i64,
    is_backwards: bool,
) -> Result<Looked> {
    let text = text.to_ascii_lowercase();
    if text.is_empty() {
        return Ok(Looked::Nowhere);
    }
    let finder = Finder::new(text.as_bytes());
    // A text that lies across two windows lies in one that reaches as far beyond.
    let beyond = i64::try_from(text.len()).unwrap_or(WINDOW_BYTES) - 1;
    let (size, started) = (log.log.size_bytes, Instant::now());
    let begins = from.clamp(0, size);
    let mut at = begins;
    loop {
        let (start, end) =
            if is_backwards { ((at - WINDOW_BYTES).max(0), at) } else { (at, (at + WINDOW_BYTES).min(size)) };
        if start >= end {
            return Ok(Looked::Nowhere);
        }
        // Backwards nothing is found that reaches beyond where one asked from.
        let reach = if is_backwards { (end + beyond).min(begins) } else { (end + beyond).min(size) };
        let bytes = read(app, project_id, run_id, log, start..reach).await?;
        if bytes.is_empty() {
            return Ok(Looked::Nowhere);
        }
        let folded = bytes.to_ascii_lowercase();
        let found = if is_backwards { finder.find_iter(&folded).last() } else { finder.find(&folded) };
        if let Some(place) = found {
            let (line, next) = line_around(&bytes, place, text.len());
            return Ok(Looked::Found(start + length(line), start + length(next)));
        }
        at = if is_backwards { start } else { end };
        if (at - begins).abs() >= READ_MAX_BYTES || started.elapsed() >= LOOK_MAX {
            return Ok(Looked::NotYet(at));
        }
    }
}

/// The line of a number, counted from 1, where line `known.0` begins at byte `known.1`. Also tells the number of the
/// line in which the look ended, to go on from.
pub async fn line(
    app: &AppState,
    (project_id, run_id): (ProjectId, RunId),
    log: &RunLog,
    number: u64,
    known: (u64, i64),
) -> Result<(Looked, u64)> {
    let (mut at_line, mut at) = known;
    let (size, started) = (log.log.size_bytes, Instant::now());
    at = at.clamp(0, size);
    if number <= at_line {
        return Ok((Looked::Found(at, at), at_line));
    }
    let begins = at;
    while at < size {
        let bytes = read(app, project_id, run_id, log, at..(at + WINDOW_BYTES).min(size)).await?;
        if bytes.is_empty() {
            break;
        }
        for end in memchr_iter(b'\n', &bytes) {
            at_line += 1;
            if at_line == number {
                let start = at + length(end + 1);
                return Ok((if start < size { Looked::Found(start, start) } else { Looked::Nowhere }, at_line));
            }
        }
        at += length(bytes.len());
        if at - begins >= READ_MAX_BYTES || started.elapsed() >= LOOK_MAX {
            return Ok((Looked::NotYet(at), at_line));
        }
    }
    Ok((Looked::Nowhere, at_line))
}

/// Where the line with a place in it begins, and where the next one does; the ends of what is looked for where the
/// line reaches beyond what is there.
fn line_around(bytes: &[u8], place: usize, matched: usize) -> (usize, usize) {
    let before = bytes.get(..place).unwrap_or_default();
    let line = memrchr(b'\n', before).map_or(place, |end| end + 1);
    let after = (place + matched).min(bytes.len());
    let next = memchr(b'\n', &bytes[after..]).map_or(after, |end| after + end + 1);
    (line, next)
}

fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_by_its_line() {
        let bytes = b"one\ntwo three\nfour";
        assert_eq!(line_around(bytes, 8, 5), (4, 14));
        assert_eq!(line_around(bytes, 0, 3), (0, 4));
        assert_eq!(line_around(bytes, 14, 4), (14, 18));
    }
}
