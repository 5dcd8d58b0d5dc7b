//! Rules for text that people and clients send.

/// Why some input is refused: one sentence that says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid(pub &'static str);

/// The longest text of a run, such as its intent or command, in bytes.
pub const RUN_TEXT_MAX_BYTES: usize = 1024 * 1024;
/// The longest name or path, in bytes.
pub const NAME_MAX_BYTES: usize = 4096;

/// A name of 1 to 100 characters on one line, trimmed.
pub fn normalize_name(text: &str) -> Result<String, Invalid> {
    let name = text.trim();
    match name.chars().count() {
        0 => Err(Invalid("Enter a name.")),
        1..=100 if !name.chars().any(char::is_control) => Ok(name.to_owned()),
        1..=100 => Err(Invalid("Use a name without line breaks or control characters.")),
        _ => Err(Invalid("Use a name of at most 100 characters.")),
    }
}

/// Text without the one character that PostgreSQL can't store: NUL becomes U+FFFD.
///
/// JSON bodies are cleaned while they are read (`api::json`); this serves forms and headers.
pub fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
