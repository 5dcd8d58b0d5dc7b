//! The one error of the command line: what went wrong, and what to do about it, in one line.

use std::fmt;

/// What every fallible function of the command line returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure that ends the command; printed as `otrace: message. hint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    message: String,
    hint: Option<String>,
    is_unreachable: bool,
}

impl Error {
    /// A failure, said in words that a person can act on.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, is_unreachable: false }
    }

    /// Adds a sentence that says what to do.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
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

    /// Puts what was being done in front of what went wrong.
    pub fn context(mut self, doing: &str) -> Self {
        self.message = format!("{doing} {}", self.message);
        self
    }

    /// A file could not be read or written.
    pub fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
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
    fn a_hint_is_a_sentence_of_its_own_on_the_same_line() {
        let error = Error::new("no API key").with_hint("Run `otrace login`.");
        assert_eq!(error.to_string(), "no API key. Run `otrace login`.");
        let error = Error::new("It failed.").with_hint("Try again.");
        assert_eq!(error.to_string(), "It failed. Try again.");
    }
}
