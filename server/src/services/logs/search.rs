//! Looking for a text or a line in a log of any length: window by window, for as long as a request may take. Who asks
//! goes on from the place that the answer names.

use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter, memrchr};

use super::{Part, Text};
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
    log: &Text,
    sought: &str,
    from: i64,
    is_backwards: bool,
) -> Result<Looked> {
    let sought = sought.to_ascii_lowercase();
    if sought.is_empty() {
        return Ok(Looked::Nowhere);
    }
    let finder = Finder::new(sought.as_bytes());
    // A text that lies across two windows lies in one that reaches as far beyond.
    let beyond = i64::try_from(sought.len()).unwrap_or(WINDOW_BYTES) - 1;
    let (size, started) = (log.size_bytes(), Instant::now());
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
        let part = log.read(app, project_id, run_id, start..reach).await?;
        if part.bytes.is_empty() {
            return Ok(Looked::Nowhere);
        }
        let folded = part.bytes.to_ascii_lowercase();
        let found = if is_backwards { finder.find_iter(&folded).last() } else { finder.find(&folded) };
        if let Some(place) = found {
            let (line, next) = line_around(&part, place, sought.len());
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
    log: &Text,
    number: u64,
    known: (u64, i64),
) -> Result<(Looked, u64)> {
    let (mut at_line, mut at) = known;
    let (size, started) = (log.size_bytes(), Instant::now());
    at = at.clamp(0, size);
    if number <= at_line {
        return Ok((Looked::Found(at, at), at_line));
    }
    let begins = at;
    while at < size {
        let part = log.read(app, project_id, run_id, at..(at + WINDOW_BYTES).min(size)).await?;
        if part.bytes.is_empty() {
            break;
        }
        for start in line_starts(&part) {
            at_line += 1;
            if at_line == number {
                let start = at + length(start);
                return Ok((if start < size { Looked::Found(start, start) } else { Looked::Nowhere }, at_line));
            }
        }
        at += length(part.bytes.len());
        if at - begins >= READ_MAX_BYTES || started.elapsed() >= LOOK_MAX {
            return Ok((Looked::NotYet(at), at_line));
        }
    }
    Ok((Looked::Nowhere, at_line))
}

/// Where a line begins, but for the first, and where one would that follows the last.
fn line_starts(part: &Part) -> Vec<usize> {
    let mut starts: Vec<usize> = memchr_iter(b'\n', &part.bytes).map(|end| end + 1).collect();
    let breaks = part.breaks();
    if !breaks.is_empty() {
        starts.extend(breaks);
        starts.sort_unstable();
        starts.dedup();
    }
    starts
}

/// Where the line with a place in it begins, and where the next one does; the ends of what is looked for where the
/// line reaches beyond what is there.
fn line_around(part: &Part, place: usize, matched: usize) -> (usize, usize) {
    let breaks = part.breaks();
    let before = part.bytes.get(..place).unwrap_or_default();
    let line = memrchr(b'\n', before).map(|end| end + 1);
    let line = line.max(breaks.iter().copied().rfind(|start| *start <= place)).unwrap_or(place);
    let after = (place + matched).min(part.bytes.len());
    let rest = part.bytes.get(after..).unwrap_or_default();
    let next = memchr(b'\n', rest).map_or(after, |end| after + end + 1);
    (line, breaks.into_iter().find(|start| *start >= after).map_or(next, |start| next.min(start)))
}

fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use otrace_wire::LogStream;

    use super::*;
    use crate::domain::log_times::Stretch;

    #[test]
    fn a_place_is_told_by_its_line() {
        let part = Part { start: 0, bytes: b"one\ntwo three\nfour".to_vec(), stretches: Vec::new() };
        assert_eq!(line_around(&part, 8, 5), (4, 14));
        assert_eq!(line_around(&part, 0, 3), (0, 4));
        assert_eq!(line_around(&part, 14, 4), (14, 18));
        assert_eq!(line_starts(&part), [4, 14]);
    }

    #[test]
    fn a_line_ends_where_the_other_stream_goes_on() {
        let stretch = |stream, at, length| Stretch { stream, at, start: 0, length, came_at: 0 };
        let stretches = vec![stretch(LogStream::Stdout, 100, 8), stretch(LogStream::Stderr, 108, 10)];
        let part = Part { start: 100, bytes: b"loading Traceback\n".to_vec(), stretches };
        assert_eq!((line_around(&part, 0, 4), line_around(&part, 13, 4)), ((0, 8), (8, 18)));
        assert_eq!(line_starts(&part), [8, 18]);
    }
}
