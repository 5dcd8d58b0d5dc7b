//! What a command printed, shown at a terminal: its colours, and nothing else that steers the terminal.
//!
//! A log may have been written to harm whoever reads it: escape sequences can set titles and clipboards, move
//! the cursor over what was printed before, or make the terminal type. Only SGR (colours, bold) comes through.

use std::mem;

use super::steers;

/// A sequence that is longer is none that we let through.
const SEQUENCE_MAX: usize = 64;
const RESET: &str = "\x1b[0m";
const ESC: char = '\x1b';

/// Reads a log piece by piece: neither characters nor sequences keep to the pieces' ends.
#[derive(Debug)]
pub struct TerminalText {
    with_colours: bool,
    /// The beginning of a character.
    rest: Vec<u8>,
    place: Place,
    is_coloured: bool,
}

/// Where in an escape sequence it is.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Outside,
    /// After ESC.
    Begun,
    /// After ESC and a character that one more follows.
    OneMore,
    /// After ESC `[`, with what has followed.
    Csi(String),
    /// In a text for the terminal itself, such as a title.
    Told,
    /// In one, after ESC.
    ToldEnds,
}

impl TerminalText {
    /// For a terminal that shows colours, or does not.
    pub fn new(with_colours: bool) -> Self {
        Self { with_colours, rest: Vec::new(), place: Place::Outside, is_coloured: false }
    }

    /// What to show of the next bytes.
    pub fn take(&mut self, bytes: &[u8]) -> String {
        let mut all = mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let (mut shown, mut left) = (String::with_capacity(all.len()), all.as_slice());
        loop {
            match std::str::from_utf8(left) {
                Ok(text) => {
                    self.pass(text, &mut shown);
                    return shown;
                }
                Err(error) => {
                    let (valid, broken) = left.split_at(error.valid_up_to());
                    self.pass(&String::from_utf8_lossy(valid), &mut shown);
                    let Some(length) = error.error_len() else {
                        self.rest = broken.to_vec();
                        return shown;
                    };
                    self.pass("\u{fffd}", &mut shown);
                    left = &broken[length..];
                }
            }
        }
    }

    /// What ends it: nobody wants the log's last colour.
    pub fn end(&mut self) -> String {
        let cut = if mem::take(&mut self.rest).is_empty() { "" } else { "\u{fffd}" };
        let reset = if mem::take(&mut self.is_coloured) { RESET } else { "" };
        format!("{cut}{reset}")
    }

    fn pass(&mut self, text: &str, shown: &mut String) {
        for c in text.chars() {
            self.place = self.after(c, shown);
        }
    }

    fn after(&mut self, c: char, shown: &mut String) -> Place {
        let place = mem::take(&mut self.place);
        if c == '\n' {
            // No sequence goes over a line's end: one that was cut swallows no more.
            shown.push(c);
            return Place::Outside;
        }
        match place {
            Place::Outside if c == ESC => Place::Begun,
            Place::Outside => {
                // Progress bars go back to the line's beginning.
                shown.push(if steers(c) && c != '\r' { '\u{fffd}' } else { c });
                Place::Outside
            }
            Place::Begun => begun(c),
            Place::OneMore => ended_unless(c == ESC, Place::Begun),
            Place::Csi(parameters) => self.in_csi(&parameters, c, shown),
            Place::Told => match c {
                ESC => Place::ToldEnds,
                _ => ended_unless(c != '\x07', Place::Told),
            },
            Place::ToldEnds => match c {
                ESC => Place::ToldEnds,
                _ => ended_unless(c != '\\', Place::Told),
            },
        }
    }

    fn in_csi(&mut self, parameters: &str, c: char, shown: &mut String) -> Place {
        if c == ESC {
            return Place::Begun;
        }
        if ('\x20'..='\x3f').contains(&c) && parameters.len() < SEQUENCE_MAX {
            return Place::Csi(format!("{parameters}{c}"));
        }
        self.end_csi(parameters, c, shown);
        Place::Outside
    }

    fn end_csi(&mut self, parameters: &str, last: char, shown: &mut String) {
        let is_colour = last == 'm' && parameters.chars().all(|c| matches!(c, '0'..='9' | ';' | ':'));
        if is_colour && self.with_colours {
            shown.push_str("\x1b[");
            shown.push_str(parameters);
            shown.push('m');
            self.is_coloured = true;
        }
    }
}

fn begun(c: char) -> Place {
    match c {
        '[' => Place::Csi(String::new()),
        ']' | 'P' | 'X' | '^' | '_' => Place::Told,
        ' '..='/' => Place::OneMore,
        _ => ended_unless(c == ESC, Place::Begun),
    }
}

fn ended_unless(goes_on: bool, place: Place) -> Place {
    if goes_on { place } else { Place::Outside }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[&[u8]], with_colours: bool) -> String {
        let mut text = TerminalText::new(with_colours);
        let shown: String = pieces.iter().map(|piece| text.take(piece)).collect();
        shown + &text.end()
    }

    #[test]
    fn colours_come_through_and_what_steers_does_not() {
        let log: &[u8] = b"\x1b[1;31mred\x1b[0m\x1b[2J\x1b[H\x1b]0;title\x07\x1b]52;c;aGk=\x1b\\\x1b(Bend\x08\x07\n";
        assert_eq!(shown(&[log], true), "\x1b[1;31mred\x1b[0mend\u{fffd}\u{fffd}\n\x1b[0m");
        assert_eq!(shown(&[log], false), "redend\u{fffd}\u{fffd}\n");
    }

    #[test]
    fn a_sequence_or_a_character_may_be_cut_anywhere() {
        let log = "a\x1b[38;5;9mé\x1b]0;t\x1b\\学".as_bytes();
        let whole = shown(&[log], true);
        assert_eq!(whole, "a\x1b[38;5;9mé学\x1b[0m");
        for cut in 0..log.len() {
            let (first, second) = log.split_at(cut);
            assert_eq!(shown(&[first, second], true), whole, "{cut}");
        }
    }

    #[test]
    fn what_is_no_text_and_what_is_never_ended_is_told() {
        assert_eq!(shown(&[b"a\xffb\xc3"], true), "a\u{fffd}b\u{fffd}");
        assert_eq!(shown(&["\u{9b}2J\u{202e}x".as_bytes()], true), "\u{fffd}2J\u{fffd}x");
        assert_eq!(shown(&[b"\x1b]0;never ended\nnext\n"], true), "\nnext\n");
    }
}
