//! The only place that prints.
//!
//! What a command is asked for goes to standard output; warnings and errors go to standard error,
//! each on one line that starts with `otrace:`. Colours are left out where nobody would see them
//! (anstream looks at the terminal, `NO_COLOR` and the like).

pub mod progress;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use anstyle::{AnsiColor, Style};

use crate::error::Error;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// Prints one line, or several, that the command was asked for.
///
/// A reader that has gone away (`otrace whoami | head -0`) is no reason to fail.
pub fn line(text: impl Display) {
    let text = text.to_string();
    progress::beside(|| {
        let mut stdout = anstream::stdout().lock();
        let _ = writeln!(stdout, "{}", without_controls(&text));
        let _ = stdout.flush();
    });
}

/// Prints a question and leaves the cursor behind it.
pub fn question(text: impl Display) {
    let mut stdout = anstream::stdout().lock();
    let _ = write!(stdout, "{text} ");
    let _ = stdout.flush();
}

/// Says that something did not go as it should, though the command goes on. What was said already is not repeated: a
/// full disk is met at every file.
pub fn warning(text: impl Display) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let text = text.to_string();
    if !SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
        return;
    }
    progress::beside(|| {
        let _ = writeln!(anstream::stderr(), "{WARNING}otrace:{WARNING:#} {}", on_one_line(&text));
    });
}

/// Says why the command failed.
pub fn error(error: &Error) {
    let text = error.to_string();
    progress::beside(|| {
        let _ = writeln!(anstream::stderr(), "{ERROR}otrace:{ERROR:#} {}", on_one_line(&text));
    });
}

/// Prints text that is laid out already, such as `--help`.
pub fn page(text: impl Display) {
    let _ = write!(anstream::stdout(), "{text}");
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

/// Names and messages come from servers and files: none of them may steer the terminal.
fn without_controls(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(steers) { Cow::Owned(text.replace(steers, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Scripts and agents read errors line by line: one error is one line.
fn on_one_line(text: &str) -> String {
    let words: Vec<_> = text.split(['\n', '\r']).map(str::trim).filter(|s| !s.is_empty()).collect();
    without_controls(&words.join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(without_controls("a\x1b[31mb\n\tc"), "a\u{fffd}[31mb\n\tc");
    }

    #[test]
    fn bytes_are_told_in_the_unit_that_suits_them() {
        let told = [0, 999, 1000, 1_500, 20_971_520, 999_999_999, 10_000_000_000, 5_000_000_000_000_000].map(bytes);
        let expected = ["0 bytes", "999 bytes", "1.0 kB", "1.5 kB", "21.0 MB", "1.0 GB", "10.0 GB", "5000.0 TB"];
        assert_eq!(told, expected);
    }

    #[test]
    fn an_error_of_several_lines_is_printed_on_one() {
        assert_eq!(on_one_line("first\n  second\r\n\nthird"), "first second third");
    }
}
