//! Questions to the person at the terminal. Nothing is asked where nobody can answer, or where nobody wants to be
//! asked.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::fd::AsFd as _;

use inquire::validator::Validation;
use inquire::{CustomUserError, InquireError, Password, PasswordDisplayMode, Text};

use crate::error::{Error, Result};
use crate::printer;

/// What programs are told that no person watches.
const AUTOMATION: &str = "CI";

/// Whether there is a person to ask, who has not asked for silence.
pub fn can_ask() -> bool {
    let is_automated = env::var(AUTOMATION).is_ok_and(|value| is_switched_on(&value));
    !is_automated && !printer::is_quiet() && io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn is_switched_on(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "false" | "no")
}

/// Asks for a line of text, which may be left empty. `help` stands below the question.
pub fn text(question: &str, help: &str) -> Result<String> {
    answered(Text::new(question).with_help_message(help).prompt())
}

/// Asks for a line of text until there is one that `check` has nothing to say against. It says that in a sentence.
pub fn text_that<C>(question: &str, check: C) -> Result<String>
where
    C: Fn(&str) -> Option<&'static str> + Clone,
{
    let validator = move |answer: &str| -> Result<Validation, CustomUserError> {
        Ok(check(answer.trim()).map_or(Validation::Valid, |told| Validation::Invalid(told.into())))
    };
    answered(Text::new(question).with_validator(validator).prompt())
}

/// Asks for a secret, without showing it.
pub fn secret(question: &str) -> Result<String> {
    answered(Password::new(question).with_display_mode(PasswordDisplayMode::Hidden).without_confirmation().prompt())
}

/// Asks a yes-or-no question; anything but `y` or `yes`, and the end of the input too, means no.
pub fn confirmed(question: &str) -> Result<bool> {
    printer::question(question);
    let answer = line().map_err(|error| Error::new(format!("could not read the answer: {error}")));
    if !io::stdin().is_terminal() {
        printer::answered_unseen();
    }
    let answer = answer?;
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

fn answered(answer: Result<String, InquireError>) -> Result<String> {
    match answer {
        Ok(answer) => Ok(answer.trim().to_owned()),
        // The terminal is in raw mode while it asks: the key is told to us, and no signal is.
        Err(InquireError::OperationInterrupted) => Err(Error::interrupted()),
        Err(error) => Err(Error::new(format!("the question was not answered: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_that_is_off_switches_nothing_on() {
        for value in ["true", "1", "yes", "woodpecker"] {
            assert!(is_switched_on(value), "{value}");
        }
        for value in ["", " ", "0", "false", "False", "no"] {
            assert!(!is_switched_on(value), "{value}");
        }
    }
}
