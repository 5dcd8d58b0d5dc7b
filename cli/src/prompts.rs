//! Questions to the person at the terminal. Nothing is asked where nobody can answer.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::fd::AsFd as _;

use inquire::{InquireError, Password, PasswordDisplayMode, Text};

use crate::error::{Error, Result};
use crate::printer;

/// Whether there is a person to ask.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line of text.
pub fn text(question: &str) -> Result<String> {
    Text::new(question).prompt().map(|answer| answer.trim().to_owned()).map_err(|error| broken_off(&error))
}

/// Asks for a secret, without showing it.
pub fn secret(question: &str) -> Result<String> {
    Password::new(question)
        .with_display_mode(PasswordDisplayMode::Hidden)
        .without_confirmation()
        .prompt()
        .map(|answer| answer.trim().to_owned())
        .map_err(|error| broken_off(&error))
}

/// Asks a yes-or-no question; anything but `y` or `yes`, and the end of the input too, means no.
pub fn confirmed(question: &str) -> Result<bool> {
    printer::question(question);
    let answer = line().map_err(|error| Error::new(format!("could not read the answer: {error}")))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// One line that is piped in, such as a key that should stand in no list of processes.
pub fn piped_line() -> Result<String> {
    line().map_err(|error| Error::new(format!("could not read standard input: {error}")))
}

/// One line of standard input, byte by byte: whatever follows it belongs to the wrapped command,
/// which inherits the same input, so nothing may be read ahead.
fn line() -> io::Result<String> {
    let mut stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut line = Vec::new();
    let mut byte = [0];
    while stdin.read(&mut byte)? == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn broken_off(error: &InquireError) -> Error {
    Error::new(format!("the question was not answered: {error}"))
}
