//! Lines out of a piece of a log. What is shown begins and ends between lines, so that no line, character or escape
//! sequence is cut; only a line that is longer than a window is shown by a part of it. Pure.

use super::Line;
use super::colours::pieces;

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
                class: class_of(&text),
                text,
                pieces,
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
        assert_eq!((lines.start, lines.next, lines.is_open), (0, 29, false));
        let shown = lines.into_shown(Some(1));
        assert_eq!((shown[1].number, shown[1].text.as_str(), shown[1].class), (Some(2), "ValueError: two", "err"));
    }

    #[test]
    fn a_part_begins_with_a_whole_line_and_waits_for_the_end_of_the_last() {
        let lines = Lines::read(b"ken line\nwhole line\n 12%\r 50", 4096, false);
        assert_eq!((lines.start, lines.next, lines.is_open), (4105, 4116, true));
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
    fn a_metric_named_error_is_no_error() {
        assert_eq!(class_of("val error 0.12 error_rate 0.1"), "");
        assert_eq!(class_of("a.py:3: UserWarning: x"), "wrn");
        assert_eq!(class_of("otrace: recorded exp001"), "sys");
    }

    #[test]
    fn what_stands_around_a_byte_has_lines_before_it_and_after_it() {
        let text = "line\n".repeat(10_000);
        let mut lines = Lines::read(text.as_bytes(), 0, true);
        lines.keep_around(5 * 4000 + 2);
        assert_eq!((lines.start, lines.next), (5 * 3500, 5 * 5500));
        assert_eq!(lines.places()[500], 5 * 4000);
    }
}
