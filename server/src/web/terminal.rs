//! What a command printed, as text for a page.
//!
//! Programs print for terminals: colours, cursor moves, window titles, progress bars that overwrite
//! themselves. All of that is taken out, and what could make a text look like another one (controls
//! of writing direction, characters without width) is shown as `<U+202E>`. Pure; escaping for HTML
//! is the templates' work.

use std::iter::Peekable;
use std::str::Chars;

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';

/// The lines of an output, each in its last state.
pub fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.split('\n').map(line).collect();
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// Text of one or more lines without anything that a terminal would act on.
pub fn clean(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The last state of one line: what stands after its last carriage return.
fn line(text: &str) -> String {
    let mut state = String::with_capacity(text.len());
    let mut overwritten = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => overwritten = true,
            ESCAPE => skip_escape(&mut chars),
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
            _ => {
                if overwritten {
                    state.clear();
                    overwritten = false;
                }
                push(&mut state, c);
            }
        }
    }
    state
}

fn push(state: &mut String, c: char) {
    match c {
        '\u{8}' => {
            state.pop();
        }
        _ if c.is_control() && c != '\t' => {}
        _ if is_invisible(c) => state.push_str(&format_token(c)),
        _ => state.push(c),
    }
}

fn format_token(c: char) -> String {
    format!("<U+{:04X}>", u32::from(c))
}

/// Characters that can't be seen but change how others are: direction, joiners, spaces of no width.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Skips what follows an escape character, by its kind (ECMA-48).
fn skip_escape(chars: &mut Peekable<Chars<'_>>) {
    match chars.next() {
        Some('[') => skip_control_sequence(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars),
        // Intermediate characters, such as in `ESC ( B`, are followed by one more.
        Some(' '..='/') => while matches!(chars.next(), Some(' '..='/')) {},
        _ => {}
    }
}

/// Skips parameters up to and with the final character.
fn skip_control_sequence(chars: &mut Peekable<Chars<'_>>) {
    while let Some(c) = chars.next_if(|c| matches!(c, ' '..='~')) {
        if matches!(c, '@'..='~') {
            break;
        }
    }
}

/// Skips up to and with the string terminator; the bell is one too, as terminals have it.
fn skip_string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(c) = chars.next() {
        match c {
            BELL | '\u{9c}' => break,
            ESCAPE => {
                chars.next_if_eq(&'\\');
                break;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_cursor_moves_go() {
        assert_eq!(clean("\u{1b}[1;31mred\u{1b}[0m \u{1b}[2Kdone\u{1b}(B"), "red done");
        assert_eq!(clean("\u{9b}31mred"), "red");
    }

    #[test]
    fn titles_links_and_clipboard_writes_go_with_their_text() {
        assert_eq!(clean("\u{1b}]0;title\u{7}a"), "a");
        assert_eq!(clean("\u{1b}]52;c;ZXZpbA==\u{1b}\\b"), "b");
        assert_eq!(clean("\u{1b}]8;;https://example.org\u{1b}\\link\u{1b}]8;;\u{1b}\\"), "link");
        assert_eq!(clean("\u{1b}Pq#0\u{1b}\\c"), "c");
        assert_eq!(clean("\u{1b}]0;never ended\nnext"), "\nnext");
    }

    #[test]
    fn a_progress_bar_is_seen_as_it_ended() {
        assert_eq!(lines("10%\r 50%\r100%\r\ndone\n"), ["100%", "done"]);
        assert_eq!(lines("windows\r\nline\r\n"), ["windows", "line"]);
        assert_eq!(lines("ab\u{8}c"), ["ac"]);
    }

    #[test]
    fn what_is_invisible_shows() {
        assert_eq!(clean("a\u{202e}b\u{200b}c"), "a<U+202E>b<U+200B>c");
        assert_eq!(clean("nul\0 bell\u{7} tab\t"), "nul bell tab\t");
    }

    #[test]
    fn whatever_comes_there_is_no_control_left() {
        for text in ["\u{1b}", "\u{1b}[", "\u{1b}[12;", "\u{1b}]", "\u{1b}P\u{1b}", "\u{9b}", "é\u{1b}[31mü", "\r\r\r"]
        {
            assert!(clean(text).chars().all(|c| !c.is_control()), "{text:?}");
        }
        assert_eq!(clean("é\u{1b}[31mü"), "éü");
    }
}
