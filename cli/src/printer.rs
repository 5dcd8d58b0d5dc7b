//! The only place that prints.
//!
//! What a command is asked for goes to standard output; the rest, questions too, goes to standard error. An error is a
//! line that starts with `error:`, and where it helps one that starts with `hint:`. A warning is one line that starts
//! with `otrace:`, as it may stand among what a recorded command prints. Colours are left out where nobody would see
//! them (anstream looks at the terminal, `NO_COLOR` and the like). Whatever comes from servers and files is [`clean`]ed
//! on its way: [`raw`] is for bytes that are data, [`table`] for tables, [`human`] for how times and the like are
//! written.

pub mod progress;
pub mod raw;
pub mod table;
mod terminal_text;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use anstyle::{AnsiColor, Style};
pub use otrace_history::human::{self, bytes};
use otrace_history::text;
pub use otrace_history::text::steers;
use serde::Serialize;

use crate::error::{Error, Result};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
const HINT: Style = AnsiColor::Cyan.on_default();
/// As everything else.
pub const PLAIN: Style = Style::new();
/// Titles.
pub const STRONG: Style = Style::new().bold();
/// What matters less.
pub const FAINT: Style = Style::new().dimmed();
/// What went well, and what was added.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What went wrong, and what was removed.
pub const BAD: Style = AnsiColor::Red.on_default();
/// What goes on.
pub const BUSY: Style = AnsiColor::Cyan.on_default();

/// Whether only data, warnings and errors are wanted.
static IS_QUIET: AtomicBool = AtomicBool::new(false);
/// Why something that was asked for could not be written.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// From now on prints data, warnings and errors only.
pub fn be_quiet() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

/// Whether only these are wanted.
pub fn is_quiet() -> bool {
    IS_QUIET.load(Ordering::Relaxed)
}

/// Prints one line, or several, that the command was asked for.
///
/// A reader that has gone away (`otrace whoami | head -0`) is no reason to fail.
pub fn line(text: impl Display) {
    put(&clean(&text.to_string()));
}

/// Prints one line that the command was asked for, in pieces, each with its look.
pub fn painted(pieces: &[(Style, &str)]) {
    let mut text = String::new();
    for (style, piece) in pieces {
        let _ = write!(text, "{style}{}{style:#}", clean(piece));
    }
    put(&text);
}

/// Prints a value as JSON, on one line. What would steer a terminal is written as escapes, so that the data
/// stay what they are.
pub fn json(value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string(value)
        .map_err(|error| Error::new(format!("could not write the answer as JSON: {error}")))?;
    put(&text::json(json));
    Ok(())
}

/// How a command ends that has printed what it was asked for: badly, where not all of it could be written,
/// as to a full disk.
pub fn done() -> Result<ExitCode> {
    match UNWRITTEN.get() {
        Some(reason) => Err(Error::new(format!("could not write to standard output: {reason}"))),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Says something on standard error that is neither data nor a warning, such as how much was done.
pub fn note(text: impl Display) {
    if is_quiet() {
        return;
    }
    let text = text.to_string();
    progress::beside(|| say(&format!("{}\n", clean(&text))));
}

/// Asks a question on standard error and leaves the cursor behind it.
pub fn question(text: impl Display) {
    let text = text.to_string();
    progress::beside(|| {
        let _ = write!(anstream::stderr(), "{} ", clean(&text));
    });
}

/// Ends the line of a question whose answer was not typed below it.
pub fn answered_unseen() {
    let _ = writeln!(anstream::stderr());
}

/// Says that something did not go as it should, though the command goes on. What was said already is not repeated: a
/// full disk is met at every file.
pub fn warning(text: impl Display) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let text = text.to_string();
    if !SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
        return;
    }
    progress::beside(|| say(&format!("{WARNING}otrace:{WARNING:#} {}\n", on_one_line(&text))));
}

/// Says why the command failed, and below it what to do.
pub fn error(error: &Error) {
    let mut text = format!("{ERROR}error:{ERROR:#} {}\n", on_one_line(error.message()));
    if let Some(hint) = error.hint() {
        let _ = writeln!(text, "{HINT}hint:{HINT:#} {}", on_one_line(hint));
    }
    progress::beside(|| say(&text));
}

/// Writes to standard error in one piece: what a recorded command prints there comes before or after it.
fn say(text: &str) {
    let stderr = io::stderr();
    let mut piece = anstream::AutoStream::new(Vec::<u8>::new(), anstream::AutoStream::choice(&stderr));
    let _ = piece.write_all(text.as_bytes());
    let _ = stderr.lock().write_all(&piece.into_inner());
}

/// Prints text that is laid out already, such as `--help`.
pub fn page(text: impl Display) {
    let mut stdout = anstream::stdout().lock();
    remember(write!(stdout, "{text}").and_then(|()| stdout.flush()));
}

/// Names and messages come from servers and files: none of them may steer the terminal, or be read in
/// another order than it is written.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.contains(steers) { Cow::Owned(text.replace(steers, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Writes a line that is harmless to standard output.
fn put(text: &str) {
    progress::beside(|| {
        let mut stdout = anstream::stdout().lock();
        remember(writeln!(stdout, "{text}").and_then(|()| stdout.flush()));
    });
}

/// A reader that has gone away has had enough. Anything else is told in the end.
fn remember(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = UNWRITTEN.set(error.to_string());
    }
}

/// Scripts and agents read errors line by line: one error is one line.
fn on_one_line(text: &str) -> String {
    let words: Vec<_> = text.split(['\n', '\r']).map(str::trim).filter(|s| !s.is_empty()).collect();
    clean(&words.join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(clean("a\x1b[31mb\n\tc"), "a\u{fffd}[31mb\n\tc");
        assert_eq!(clean("\u{9b}2J"), "\u{fffd}2J");
        assert_eq!(clean("learn\u{202e}gpj"), "learn\u{fffd}gpj");
    }

    #[test]
    fn an_error_of_several_lines_is_printed_on_one() {
        assert_eq!(on_one_line("first\n  second\r\n\nthird"), "first second third");
    }
}
