//! Bytes that were asked for, such as a log: as they are in a file or on a pipe, harmless at a terminal.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use anstream::{AutoStream, ColorChoice};

use super::terminal_text::TerminalText;
use crate::error::{Error, Result};

/// Standard output, for bytes.
#[derive(Debug)]
pub struct Raw(Option<TerminalText>);

impl Raw {
    /// Looks at what standard output is.
    pub fn new() -> Self {
        let stdout = io::stdout();
        let with_colours = AutoStream::choice(&stdout) != ColorChoice::Never;
        Self(stdout.is_terminal().then(|| TerminalText::new(with_colours)))
    }

    /// Writes the next bytes. Says whether anybody reads on.
    pub fn write(&mut self, bytes: &[u8]) -> Result<bool> {
        match &mut self.0 {
            Some(text) => put(text.take(bytes).as_bytes()),
            None => put(bytes),
        }
    }

    /// Ends it.
    pub fn end(mut self) -> Result<()> {
        let Some(text) = &mut self.0 else { return Ok(()) };
        put(text.end().as_bytes()).map(|_| ())
    }
}

fn put(bytes: &[u8]) -> Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::new(format!("could not write to standard output: {error}"))),
    }
}
