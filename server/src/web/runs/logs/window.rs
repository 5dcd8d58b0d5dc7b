//! Lines out of a piece of a log. What is shown begins and ends between lines, so that no line, character or escape
//! sequence is cut; only a line that is longer than a window is shown by a part of it. Pure.

use super::Line;
use super::came::Came;
use super::colours::pieces;
use crate::domain::log_times::Stretch;
use crate::services::logs::Part;

/// So much of a log is read at once, in bytes.
pub const WINDOW_BYTES: i64 = 256 * 1024;
/// So many lines of it are shown at once.
pub const TAIL_LINES: usize = 2000;
/// So much of a long log's start is read, in bytes.
pub const HEAD_BYTES: i64 = 32 * 1024;
/// So many lines of it are shown.
pub const HEAD_LINES: usize = 200;
/// So many lines before a byte are shown to show what stands around it.
const AROUND_LINES: usize = 500;

/// Lines of a log with their place in it.
#[expect(clippy::struct_field_names, reason = "they are what the struct is named after")]
pub(super) struct Lines<'a> {
    lines: Vec<&'a [u8]>,
    /// Where they come from, where that is of two streams.
    stretches: &'a [Stretch],
    /// The byte at which the first begins.
    pub start: i64,
    /// The byte at which the first line begins that is not there to its end, or is not there at all.
    pub next: i64,
    /// Whether the last line's end is not there.
    pub is_open: bool,
    /// Whether lines at the end were left out.
    pub was_cut: bool,
}

impl<'a> Lines<'a> {
    /// The lines of what was read. Unless a line begins there, all up to the next one is left out.
    pub fn read(part: &'a Part, is_line_start: bool) -> Self {
        let mut lines = split(&part.bytes, &part.breaks());
        // Of a line that fills all of it, and of the last one, the end is better than nothing.
        let cut = if is_line_start || lines.len() < 2 { 0 } else { length(lines.remove(0)) };
        let open = lines.last().filter(|line| !line.ends_with(b"\n")).map_or(0, |line| length(line));
        // A line that fills the window is not waited for, or no more would ever be read.
        let waits = if open < WINDOW_BYTES { open } else { 0 };
        Self {
            lines,
            stretches: &part.stretches,
            start: part.start + cut,
            next: part.start + length(&part.bytes) - waits,
            is_open: open > 0,
            was_cut: false,
        }
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

    /// Leaves out a last line that goes on after `to`, where reading ended: it comes with the next part.
    pub fn leave_unfinished_line_out(&mut self, to: i64) {
        if self.next < to {
            self.leave_open_line_out();
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

    /// Leaves out what is far from a byte: all but some lines before it, and what follows beyond what is shown at once.
    pub fn keep_around(&mut self, at: i64) {
        let places = self.places();
        let line = places.iter().rposition(|place| *place <= at).unwrap_or_default();
        let left_out = line.saturating_sub(AROUND_LINES);
        self.start += self.lines.drain(..left_out).map(length).sum::<i64>();
        self.keep_first(TAIL_LINES);
    }

    /// The byte at which each line begins.
    pub fn places(&self) -> Vec<i64> {
        let mut at = self.start;
        let place = |line: &&[u8]| {
            let place = at;
            at += length(line);
            place
        };
        self.lines.iter().map(place).collect()
    }

    /// The lines as they are shown, with their numbers if the first one's is known.
    pub fn into_shown(self, first_number: Option<usize>) -> Vec<Line> {
        let last = self.lines.len().saturating_sub(1);
        let places = self.places();
        let shown = self.lines.into_iter().zip(places).enumerate().map(|(index, (line, at))| {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let mut pieces = pieces(&String::from_utf8_lossy(line));
            let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
            if pieces.iter().all(|piece| piece.class().is_empty()) {
                pieces.clear();
            }
            Line {
                number: first_number.map(|first| first + index),
                at,
                came: Came::of(self.stretches, at),
                class: class_of(&text),
                text,
                pieces,
                is_open: self.is_open && index == last,
            }
        });
        shown.collect()
    }
}

/// The lines of a text, each with its end. One also ends where another stream goes on.
fn split<'a>(bytes: &'a [u8], breaks: &[usize]) -> Vec<&'a [u8]> {
    let mut lines = Vec::new();
    let mut start = 0;
    for end in breaks.iter().copied().chain([bytes.len()]) {
        lines.extend(bytes.get(start..end).unwrap_or_default().split_inclusive(|byte| *byte == b'\n'));
        start = end;
    }
    lines
}

fn length(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
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
    use otrace_wire::LogStream;

    use super::*;

    fn part(bytes: &[u8], start: i64) -> Part {
        Part { start, bytes: bytes.to_vec(), stretches: Vec::new() }
    }

    fn texts(lines: Lines<'_>) -> Vec<String> {
        lines.into_shown(None).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_log_from_its_start_has_numbered_lines() {
        let part = part(b"one\n\x1b[31mValueError: two\x1b[0m\n", 0);
        let lines = Lines::read(&part, true);
        assert_eq!((lines.start, lines.next, lines.is_open), (0, 29, false));
        let shown = lines.into_shown(Some(1));
        assert_eq!((shown[1].number, shown[1].text.as_str(), shown[1].class), (Some(2), "ValueError: two", "err"));
    }

    #[test]
    fn a_part_begins_with_a_whole_line_and_waits_for_the_end_of_the_last() {
        let part = part(b"ken line\nwhole line\n 12%\r 50", 4096);
        let lines = Lines::read(&part, false);
        assert_eq!((lines.start, lines.next, lines.is_open), (4105, 4116, true));
        let shown = lines.into_shown(None);
        assert_eq!(shown.iter().map(|line| line.is_open).collect::<Vec<_>>(), [false, true]);
        assert_eq!((shown[0].text.as_str(), shown[1].text.as_str()), ("whole line", " 50"));
    }

    #[test]
    fn a_line_that_fills_the_window_is_shown_by_its_end_and_not_waited_for() {
        let long = part(&vec![b'x'; usize::try_from(WINDOW_BYTES).unwrap()], 7);
        let lines = Lines::read(&long, false);
        assert_eq!((lines.start, lines.next), (7, 7 + WINDOW_BYTES));
        assert_eq!(texts(Lines::read(&part(b"cut\n", 7), false)), ["cut"]);
        assert!(texts(Lines::read(&part(b"", 7), false)).is_empty());
    }

    #[test]
    fn the_first_and_the_last_lines_know_their_places() {
        let part = part(b"a\nbb\nccc\ndddd", 100);
        let mut last = Lines::read(&part, true);
        assert_eq!(last.keep_last(2), 2);
        assert_eq!((last.start, last.next), (105, 109));
        assert_eq!(texts(last), ["ccc", "dddd"]);
        let mut first = Lines::read(&part, true);
        first.keep_first(2);
        assert_eq!((first.start, first.next, first.is_open), (100, 105, false));
        assert_eq!(texts(first), ["a", "bb"]);
        let mut first = Lines::read(&part, true);
        first.leave_open_line_out();
        assert_eq!((first.next, texts(first).len()), (109, 3));
    }

    #[test]
    fn a_line_ends_where_the_other_stream_goes_on() {
        let stretch = |stream, at, start, length| Stretch { stream, at, start, length, came_at: at * 1000 };
        let (out, err) = (LogStream::Stdout, LogStream::Stderr);
        let mut part = part(b"loading Traceback\nValueError\ndone\n", 50);
        part.stretches =
            vec![stretch(out, 50, 0, 8), stretch(err, 58, 0, 10), stretch(err, 68, 10, 11), stretch(out, 79, 8, 5)];
        let shown = Lines::read(&part, true).into_shown(Some(1));
        let told: Vec<_> =
            shown.iter().map(|line| (line.text.as_str(), line.came.as_ref().map(|came| came.is_stderr))).collect();
        let (on_out, on_err) = (Some(false), Some(true));
        assert_eq!(told, [("loading ", on_out), ("Traceback", on_err), ("ValueError", on_err), ("done", on_out)]);
        assert_eq!(Lines::read(&part, false).start, 58, "what is cut ends there too");
    }

    #[test]
    fn a_metric_named_error_is_no_error() {
        assert_eq!(class_of("val error 0.12 error_rate 0.1"), "");
        assert_eq!(class_of("a.py:3: UserWarning: x"), "wrn");
        assert_eq!(class_of("otrace: recorded exp001"), "sys");
    }

    #[test]
    fn what_stands_around_a_byte_has_lines_before_it_and_after_it() {
        let text = "line\n".repeat(10_000);
        let part = part(text.as_bytes(), 0);
        let mut lines = Lines::read(&part, true);
        lines.keep_around(5 * 4000 + 2);
        assert_eq!((lines.start, lines.next), (5 * 3500, 5 * 5500));
        assert_eq!(lines.places()[500], 5 * 4000);
    }
}
