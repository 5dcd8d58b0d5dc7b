//! What a command printed, as text for a page.
//!
//! Programs print for terminals: colours, cursor moves, window titles, progress bars that overwrite
//! themselves. All of that is taken out, and what could make a text look like another one (controls
//! of writing direction, characters without width) is shown as `<U+202E>`. Who wants the colours reads
//! a line as a [`Screen`]. Pure; escaping for HTML is the templates' work.

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

/// What a line is written on.
pub trait Screen {
    /// Writes a character at the end.
    fn write(&mut self, c: char);

    /// Takes the last character back.
    fn take_back(&mut self);

    /// Takes all back, because it is written over.
    fn clear(&mut self);

    /// Sets how what follows looks: the parameters of `ESC [ … m`.
    fn set_look(&mut self, parameters: &str);
}

/// Text alone, without a look.
impl Screen for String {
    fn write(&mut self, c: char) {
        self.push(c);
    }

    fn take_back(&mut self) {
        self.pop();
    }

    fn clear(&mut self) {
        self.truncate(0);
    }

    fn set_look(&mut self, _parameters: &str) {}
}

/// The last state of one line: what stands after its last carriage return.
fn line(text: &str) -> String {
    let mut state = String::with_capacity(text.len());
    play(text, &mut state);
    state
}

/// Writes one line as a terminal would, up to its last state. Nothing else that a terminal would act on gets through.
pub fn play(text: &str, screen: &mut impl Screen) {
    let mut overwritten = false;
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => overwritten = true,
            ESCAPE => follow_escape(&mut chars, screen),
            '\u{9b}' => follow_control_sequence(&mut chars, screen),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
            _ => {
                if overwritten {
                    screen.clear();
                    overwritten = false;
                }
                if matches!(c, '\u{200c}' | '\u{200d}') && is_shaped(before) && is_shaped(chars.peek().copied()) {
                    screen.write(c);
                } else {
                    put(screen, c);
                }
            }
        }
        before = Some(c);
    }
}

/// Whether a joiner shapes such a letter or sign: Persian and Indic words are written with them, and families of
/// emoji. Between others it only makes one word look like another.
fn is_shaped(c: Option<char>) -> bool {
    c.is_some_and(|c| !c.is_ascii() && !c.is_control() && !c.is_whitespace() && !is_invisible(c))
}

fn put(screen: &mut impl Screen, c: char) {
    match c {
        '\u{8}' => screen.take_back(),
        _ if c.is_control() && c != '\t' => {}
        _ if is_invisible(c) => format_token(c).chars().for_each(|c| screen.write(c)),
        _ => screen.write(c),
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

/// Goes past what follows an escape character, by its kind (ECMA-48).
fn follow_escape(chars: &mut Peekable<Chars<'_>>, screen: &mut impl Screen) {
    match chars.next() {
        Some('[') => follow_control_sequence(chars, screen),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars),
        // Intermediate characters, such as in `ESC ( B`, are followed by one more.
        Some(' '..='/') => while matches!(chars.next(), Some(' '..='/')) {},
        _ => {}
    }
}

/// Goes past parameters up to and with the final character. Only looks are told.
fn follow_control_sequence(chars: &mut Peekable<Chars<'_>>, screen: &mut impl Screen) {
    let mut parameters = String::new();
    while let Some(c) = chars.next_if(|c| matches!(c, ' '..='~')) {
        match c {
            'm' => return screen.set_look(&parameters),
            '@'..='~' => return,
            _ => parameters.push(c),
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
    fn what_joins_letters_of_one_word_or_parts_of_an_emoji_does_so() {
        for text in ["👩🏽\u{200d}🔬", "می\u{200c}خواهم", "क्\u{200d}ष"] {
            assert_eq!(clean(text), text);
        }
        assert_eq!(clean("pay\u{200d}pal é\u{200c}x"), "pay<U+200D>pal é<U+200C>x");
        assert_eq!(clean("é\u{200d}\u{200d}é \u{200d}é"), "é<U+200D><U+200D>é <U+200D>é");
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
