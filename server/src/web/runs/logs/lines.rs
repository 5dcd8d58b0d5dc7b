//! Lines of a log by their place in it, for a page that has others already.
//!
//! A log is read in windows. What is shown begins and ends between lines, so that no line, character or escape
//! sequence is cut; only a line that is longer than a window is shown by a part of it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::{Line, asked, first};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::RunRef;
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;
use crate::web::{format, terminal};

/// So much of a log is read at once, in bytes.
pub const WINDOW_BYTES: i64 = 256 * 1024;
/// So many lines of it are shown at once.
pub const TAIL_LINES: usize = 2000;
/// So much of a long log's start is read, in bytes.
pub const HEAD_BYTES: i64 = 32 * 1024;
/// So many lines of it are shown.
pub const HEAD_LINES: usize = 200;
/// Who is farther behind than this goes on at the end.
const BEHIND_MAX_BYTES: i64 = 1024 * 1024;

/// `?log=stdout&from=4096`: what begins there; `&before=8192`: the last lines before that byte.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    log: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    from: i64,
    before: Option<i64>,
}

/// Lines as the page's script adds them.
#[derive(Serialize)]
pub struct Part {
    /// The text and the class of each.
    lines: Vec<(String, &'static str)>,
    /// The byte at which the first begins.
    start: i64,
    /// The byte from which on to ask for more.
    next: i64,
    /// Whether the last line's end has not come yet: the next answer begins with that line.
    open: bool,
    /// Whether there is more at once.
    more: bool,
    /// How much is left out between the byte that was asked for and these lines, in words; nothing, if nothing is.
    left_out: Option<String>,
    /// How long the log is, in words.
    size: String,
}

/// `GET /projects/{slug}/runs/{run}/logs/lines`
pub async fn show(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Part>> {
    let run: RunRef = run.parse().map_err(|_| AppError::NotFound("Run"))?;
    let project_id = member.project.id;
    let (run_id, logs) = services::logs::of_run(&app, project_id, run).await?;
    let wants_any = wanted.log.is_empty();
    let log = if wants_any { first(&logs) } else { asked(&logs, &wanted.log, &wanted.path) };
    let log = log.and_then(|index| logs.get(index)).ok_or(AppError::NotFound("Log"))?;
    let size = log.log.size_bytes;
    let (from, to, is_end) = wanted.window(size);
    let bytes = services::logs::read(&app, project_id, run_id, log, from..to).await?;
    let begins = wanted.from.clamp(0, to);
    // Who asks for what follows asks from between two lines.
    let mut found = Lines::read(&bytes, from, from == begins);
    if is_end {
        found.keep_last(TAIL_LINES);
    } else {
        found.keep_first(TAIL_LINES);
    }
    let is_at_end = to == size && !found.was_cut;
    let left_out = found.start - begins;
    Ok(Json(Part {
        start: found.start,
        // A log that has arrived ends where it ends.
        next: if is_at_end && log.is_whole { size } else { found.next },
        open: found.is_open && !log.is_whole,
        more: wanted.before.is_none() && !is_at_end,
        left_out: (left_out > 0).then(|| format::size(left_out)),
        size: format::size(size),
        lines: found.into_shown(None).into_iter().map(|line| (line.text, line.class)).collect(),
    }))
}

impl Wanted {
    /// The bytes to read of a log that is so long, and whether their end is wanted rather than their beginning.
    fn window(&self, size: i64) -> (i64, i64, bool) {
        let to = self.before.unwrap_or(size).clamp(0, size);
        let from = self.from.clamp(0, to);
        let is_end = self.before.is_some() || to - from > BEHIND_MAX_BYTES;
        if is_end { ((to - WINDOW_BYTES).max(from), to, true) } else { (from, (from + WINDOW_BYTES).min(to), false) }
    }
}

/// Lines of a log with their place in it.
#[expect(clippy::struct_field_names, reason = "they are what the struct is named after")]
pub(super) struct Lines<'a> {
    lines: Vec<&'a [u8]>,
    /// The byte at which the first begins.
    pub start: i64,
    /// The byte at which the first line begins that is not there to its end, or is not there at all.
    pub next: i64,
    /// Whether the last line's end is not there.
    is_open: bool,
    /// Whether lines at the end were left out.
    was_cut: bool,
}

impl<'a> Lines<'a> {
    /// The lines of bytes that begin at `at`. Unless a line begins there, all up to the next one is left out.
    pub fn read(bytes: &'a [u8], at: i64, is_line_start: bool) -> Self {
        let cut = if is_line_start { None } else { bytes.iter().position(|byte| *byte == b'\n') };
        // Of a line that fills all of it, and of the last one, the end is better than nothing.
        let cut = cut.map(|end| end + 1).filter(|start| *start < bytes.len()).unwrap_or_default();
        let bytes = bytes.get(cut..).unwrap_or_default();
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let open = lines.last().filter(|line| !line.ends_with(b"\n")).map_or(0, |line| length(line));
        let start = at + length_of(cut);
        // A line that fills the window is not waited for, or no more would ever be read.
        let waits = if open < WINDOW_BYTES { open } else { 0 };
        Self { lines, start, next: start + length(bytes) - waits, is_open: open > 0, was_cut: false }
    }

    /// How many of the lines are there to their end.
    pub fn whole_lines(&self) -> usize {
        self.lines.len() - usize::from(self.is_open)
    }

    /// Leaves out all but the last lines. Returns how many that are.
    pub fn keep_last(&mut self, most: usize) -> usize {
        let left_out = self.lines.len().saturating_sub(most);
        self.start += self.lines.drain(..left_out).map(length).sum::<i64>();
        left_out
    }

    /// Leaves out a last line whose end is not there.
    pub fn leave_open_line_out(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.lines.pop();
        }
    }

    /// Leaves out all but the first lines.
    pub fn keep_first(&mut self, most: usize) {
        if self.lines.len() > most {
            self.lines.truncate(most);
            self.next = self.start + self.lines.iter().map(|line| length(line)).sum::<i64>();
            self.is_open = false;
            self.was_cut = true;
        }
    }

    /// The lines as they are shown, with their numbers if the first one's is known.
    pub fn into_shown(self, first_number: Option<usize>) -> Vec<Line> {
        let last = self.lines.len().saturating_sub(1);
        let shown = self.lines.into_iter().enumerate().map(|(index, line)| {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let text = terminal::clean(&String::from_utf8_lossy(line));
            Line {
                number: first_number.map(|first| first + index),
                class: class_of(&text),
                text,
                is_open: self.is_open && index == last,
            }
        });
        shown.collect()
    }
}

fn length(bytes: &[u8]) -> i64 {
    length_of(bytes.len())
}

fn length_of(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// What kind of line it is, by the words that loggers and Python use.
fn class_of(text: &str) -> &'static str {
    const ERRORS: [&str; 7] =
        ["Error:", "ERROR", "Exception:", "Traceback (most recent call last)", "CRITICAL", "FATAL", "[E]"];
    const WARNINGS: [&str; 4] = ["Warning:", "WARNING", "WARN ", "[W]"];
    if text.starts_with("otrace: ") {
        "sys"
    } else if ERRORS.iter().any(|word| text.contains(word)) {
        "err"
    } else if WARNINGS.iter().any(|word| text.contains(word)) {
        "wrn"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: Lines<'_>) -> Vec<String> {
        lines.into_shown(None).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_log_from_its_start_has_numbered_lines() {
        let lines = Lines::read(b"one\n\x1b[31mValueError: two\x1b[0m\n", 0, true);
        assert_eq!((lines.start, lines.next, lines.whole_lines()), (0, 29, 2));
        let shown = lines.into_shown(Some(1));
        assert_eq!((shown[1].number, shown[1].text.as_str(), shown[1].class), (Some(2), "ValueError: two", "err"));
    }

    #[test]
    fn a_part_begins_with_a_whole_line_and_waits_for_the_end_of_the_last() {
        let lines = Lines::read(b"ken line\nwhole line\n 12%\r 50", 4096, false);
        assert_eq!((lines.start, lines.next, lines.whole_lines()), (4105, 4116, 1));
        let shown = lines.into_shown(None);
        assert_eq!(shown.iter().map(|line| line.is_open).collect::<Vec<_>>(), [false, true]);
        assert_eq!((shown[0].text.as_str(), shown[1].text.as_str()), ("whole line", " 50"));
    }

    #[test]
    fn a_line_that_fills_the_window_is_shown_by_its_end_and_not_waited_for() {
        let long = vec![b'x'; usize::try_from(WINDOW_BYTES).unwrap()];
        let lines = Lines::read(&long, 7, false);
        assert_eq!((lines.start, lines.next), (7, 7 + WINDOW_BYTES));
        assert_eq!(texts(Lines::read(b"cut\n", 7, false)), ["cut"]);
        assert!(texts(Lines::read(b"", 7, false)).is_empty());
    }

    #[test]
    fn the_first_and_the_last_lines_know_their_places() {
        let bytes = b"a\nbb\nccc\ndddd";
        let mut last = Lines::read(bytes, 100, true);
        assert_eq!(last.keep_last(2), 2);
        assert_eq!((last.start, last.next), (105, 109));
        assert_eq!(texts(last), ["ccc", "dddd"]);
        let mut first = Lines::read(bytes, 100, true);
        first.keep_first(2);
        assert_eq!((first.start, first.next, first.is_open), (100, 105, false));
        assert_eq!(texts(first), ["a", "bb"]);
        let mut first = Lines::read(bytes, 100, true);
        first.leave_open_line_out();
        assert_eq!((first.next, texts(first).len()), (109, 3));
    }

    #[test]
    fn who_is_far_behind_goes_on_at_the_end() {
        let wanted = |from: i64, before: Option<i64>| Wanted { log: String::new(), path: String::new(), from, before };
        assert_eq!(wanted(10, None).window(100), (10, 100, false));
        assert_eq!(wanted(10, None).window(500_000), (10, 10 + WINDOW_BYTES, false));
        assert_eq!(wanted(10, None).window(9_000_000), (9_000_000 - WINDOW_BYTES, 9_000_000, true));
        assert_eq!(wanted(10, Some(5000)).window(9_000_000), (10, 5000, true));
        assert_eq!(wanted(i64::MAX, Some(i64::MAX)).window(7), (7, 7, true));
        assert_eq!(wanted(i64::MIN, Some(i64::MIN)).window(7), (0, 0, true));
    }

    #[test]
    fn a_metric_named_error_is_no_error() {
        assert_eq!(class_of("val error 0.12 error_rate 0.1"), "");
        assert_eq!(class_of("a.py:3: UserWarning: x"), "wrn");
        assert_eq!(class_of("otrace: recorded exp001"), "sys");
    }
}
