//! Texts that people and programs wrote, made harmless where they are told on.
//!
//! A notebook is read at a terminal, in an editor and as a page: no title steers the terminal, and no note ends the
//! document that it stands in.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A text that does nothing to a terminal, with the ends of its lines written one way.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let text =
        if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { text.into() };
    if text.contains(steers) { Cow::Owned(text.replace(steers, "\u{fffd}")) } else { text }
}

/// Whether a character does something to the terminal or the characters around it. Lines and tabs are fine.
pub fn steers(c: char) -> bool {
    let turns_text_around =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n' && c != '\t') || turns_text_around
}

/// JSON in which such characters are written as escapes: the data stay what they are.
pub fn json(json: String) -> String {
    if !json.contains(|c: char| steers(c) || c == '\u{2028}' || c == '\u{2029}') {
        return json;
    }
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        // They stand in strings only, and none of them is beyond U+FFFF. Some readers end a line at the last two.
        if steers(c) || matches!(c, '\u{2028}' | '\u{2029}') {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal_and_lines_end_one_way() {
        assert_eq!(clean("a\x1b[31mb\r\n\tc\rd"), "a\u{fffd}[31mb\n\tc\nd");
        assert_eq!(clean("learn\u{202e}gpj"), "learn\u{fffd}gpj");
    }

    #[test]
    fn json_stays_the_same_data() {
        let text = "a\u{9b}2J \u{202e} \x1b é \u{2028}";
        let told = json(serde_json::to_string(text).expect("JSON"));
        assert!(!told.contains(steers) && told.contains('é'), "{told}");
        assert_eq!(serde_json::from_str::<String>(&told).expect("JSON"), text);
    }
}
