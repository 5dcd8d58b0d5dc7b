//! The one error of the command line: what went wrong, what to do about it, and how the program ends then.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// What every fallible function of the command line returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How a shell tells of a program that Ctrl-C ended: 128, and the number of the signal.
const INTERRUPTED: u8 = 130;
/// As where the command line is not understood: it has to say what nobody can be asked.
const UNASKED: u8 = 2;
/// Everything else that went wrong.
const FAILED: u8 = 1;

/// A failure that ends the command. Printed as two lines, `error: message` and `hint: hint`; as part of a warning,
/// as two sentences on one line.
#[expect(clippy::struct_excessive_bools, reason = "what callers ask of a failure, each by itself")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    message: String,
    hint: Option<String>,
    exit_code: u8,
    is_unreachable: bool,
    is_unsent: bool,
    is_absent: bool,
    is_cut_off: bool,
}

impl Error {
    /// A failure, said in words that a person can act on.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            exit_code: FAILED,
            is_unreachable: false,
            is_unsent: false,
            is_absent: false,
            is_cut_off: false,
        }
    }

    /// The person at the terminal has pressed Ctrl-C rather than answering.
    pub fn interrupted() -> Self {
        Self { exit_code: INTERRUPTED, ..Self::new("interrupted; nothing was done") }
    }

    /// What went wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it, in a sentence.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// How the program ends.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit_code)
    }

    /// Adds a sentence that says what to do.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Marks a question that nobody is there to answer.
    pub fn unasked(mut self) -> Self {
        self.exit_code = UNASKED;
        self
    }

    /// Marks a failure to get through to the server at all: the next request would fail likewise.
    pub fn unreachable(mut self) -> Self {
        self.is_unreachable = true;
        self
    }

    /// Whether the server could not be got through to.
    pub fn is_unreachable(&self) -> bool {
        self.is_unreachable
    }

    /// Marks a failure before anything was sent.
    pub fn unsent(mut self) -> Self {
        self.is_unsent = true;
        self
    }

    /// Whether the server can know nothing of the request.
    pub fn is_unsent(&self) -> bool {
        self.is_unsent
    }

    /// Marks a failure that says that the server does not have what was asked for.
    pub fn absent(mut self) -> Self {
        self.is_absent = true;
        self
    }

    /// Whether the server does not have it.
    pub fn is_absent(&self) -> bool {
        self.is_absent
    }

    /// Marks an answer that broke off after it had begun: what was asked for may well be done.
    pub fn cut_off(mut self) -> Self {
        self.is_cut_off = true;
        self
    }

    /// Whether an answer broke off after it had begun.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// Puts what was being done in front of what went wrong.
    pub fn context(mut self, doing: &str) -> Self {
        self.message = format!("{doing} {}", self.message);
        self
    }

    /// A file could not be read or written.
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull {
            // Whichever file it is, so that it is told once.
            return Self::new(format!("the disk has no room for more: {error}")).with_hint("Make room on the disk.");
        }
        Self::new(format!("could not {doing} {}: {error}", path.display()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(hint) = &self.hint else {
            return f.write_str(&self.message);
        };
        let stop = if self.message.ends_with(['.', '!', '?']) { "" } else { "." };
        write!(f, "{}{stop} {hint}", self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_warning_a_hint_is_a_sentence_of_its_own_on_the_same_line() {
        let error = Error::new("no API key").with_hint("Run `otrace login`.");
        assert_eq!(error.to_string(), "no API key. Run `otrace login`.");
        let error = Error::new("It failed.").with_hint("Try again.");
        assert_eq!(error.to_string(), "It failed. Try again.");
    }
}
