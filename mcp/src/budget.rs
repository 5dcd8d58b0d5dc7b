//! How much one answer holds: about 5,000 tokens, whatever a run brings along. Pure.
//!
//! Lists are cut between their items and texts between their characters, and a cursor tells where to go on. Only what
//! is one thing and too long by itself is shortened, and says so.

use std::fmt::Write as _;

use otrace_history::text;
use serde_json::{Value, json};

use crate::source::{Refusal, Result};

/// How long the items or the text of an answer are at most, in bytes of JSON. What stands around them is short.
pub(crate) const ROOM: usize = 19_000;
/// What a run's texts, lists and objects are shortened to: the first of these that lets all of it fit.
const CUTS: [Cut; 5] = [
    Cut { text: 8_000, items: 400 },
    Cut { text: 2_000, items: 100 },
    Cut { text: 500, items: 25 },
    Cut { text: 120, items: 8 },
    Cut { text: 40, items: 3 },
];
/// An item keeps so many of its own fields: a run has fewer.
const FIELDS_MAX: usize = 40;

#[derive(Clone, Copy)]
struct Cut {
    text: usize,
    items: usize,
}

/// Where a list or a text goes on: an index or a byte.
pub(crate) fn place(cursor: Option<&str>) -> Result<usize> {
    let unknown = |_| Refusal::new("This cursor is none of this tool's: leave it out to begin at the start.");
    cursor.map_or(Ok(0), |cursor| cursor.parse().map_err(unknown))
}

/// The items of a list from a cursor on, as many as fit, and where it goes on. An item that is too long alone is
/// shortened.
pub(crate) fn page(items: Vec<Value>, cursor: Option<&str>) -> Result<(Vec<Value>, Option<String>)> {
    let from = place(cursor)?;
    let count = items.len();
    let mut rest: Vec<Value> = items.into_iter().skip(from).collect();
    if let Some(first) = rest.first_mut() {
        shorten(first, ROOM);
    }
    rest.truncate(fitting(&rest, ROOM));
    let next = from.saturating_add(rest.len());
    Ok((rest, (next < count).then(|| next.to_string())))
}

/// How many items fit, from the first on: one in any case.
pub(crate) fn fitting(items: &[Value], room: usize) -> usize {
    let mut used = 0;
    let fits = |item: &&Value| {
        used += size(item) + 1;
        used <= room
    };
    items.iter().take_while(fits).count().max(1).min(items.len())
}

/// A text from a cursor on, as far as it fits, and where it goes on: after a whole line, if it can.
pub(crate) fn piece(text: &str, cursor: Option<&str>) -> Result<Value> {
    let rest = text
        .get(place(cursor)?..)
        .ok_or_else(|| Refusal::new("This cursor lies behind the end: leave it out to begin at the start."))?;
    let mut piece = head(rest, ROOM);
    if piece.len() < rest.len()
        && let Some(line) = piece.rfind('\n')
    {
        piece = &piece[..=line];
    }
    let next = text.len() - rest.len() + piece.len();
    Ok(json!({ "text": piece, "next_cursor": (next < text.len()).then(|| next.to_string()) }))
}

/// The beginning of a text that takes so many bytes as JSON at most.
pub(crate) fn head(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += cost(c);
        if used > room {
            return &text[..at];
        }
    }
    text
}

/// A text that is shortened if it has to be.
pub(crate) fn clip(text: &str, room: usize) -> String {
    let head = head(text, room);
    if head.len() == text.len() {
        return text.to_owned();
    }
    format!("{head}… ({} more bytes)", text.len() - head.len())
}

/// Bytes as text as far as they fit, and how many of them that is. What is no UTF-8 is replaced.
pub(crate) fn decoded(bytes: &[u8], room: usize) -> (String, usize) {
    let (mut text, mut taken, mut left) = (String::new(), 0, room);
    for chunk in bytes.utf8_chunks() {
        let valid = head(chunk.valid(), left);
        text.push_str(valid);
        taken += valid.len();
        left -= valid.chars().map(cost).sum::<usize>();
        let replaced = '\u{fffd}'.len_utf8();
        if valid.len() < chunk.valid().len() || (!chunk.invalid().is_empty() && replaced > left) {
            break;
        }
        if !chunk.invalid().is_empty() {
            text.push('\u{fffd}');
            taken += chunk.invalid().len();
            left -= replaced;
        }
    }
    (text, taken)
}

/// Shortens long texts and lists in a value until it fits. Says whether it had to.
pub(crate) fn shorten(value: &mut Value, room: usize) -> bool {
    if size(value) <= room {
        return false;
    }
    let whole = std::mem::take(value);
    for cut in CUTS {
        *value = whole.clone();
        cut_down(value, cut, FIELDS_MAX);
        if size(value) <= room {
            return true;
        }
    }
    *value = Value::String(clip(&whole.to_string(), room / 2));
    true
}

fn cut_down(value: &mut Value, cut: Cut, fields_max: usize) {
    match value {
        Value::String(text) => *text = clip(text, cut.text),
        Value::Array(items) => {
            let more = items.len().saturating_sub(cut.items);
            items.truncate(cut.items);
            for item in items.iter_mut() {
                cut_down(item, cut, cut.items);
            }
            if more > 0 {
                items.push(Value::String(format!("… and {more} more")));
            }
        }
        Value::Object(fields) => {
            let more = fields.len().saturating_sub(fields_max);
            if more > 0 {
                *fields = std::mem::take(fields).into_iter().take(fields_max).collect();
            }
            fields.values_mut().for_each(|field| cut_down(field, cut, cut.items));
            if more > 0 {
                fields.insert("…".to_owned(), Value::String(format!("and {more} more")));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How long a value is as JSON, as it is sent.
pub(crate) fn size(value: &Value) -> usize {
    harmless(&value.to_string()).len()
}

/// How long a character is in a JSON string, at most.
fn cost(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        c if c < ' ' || steers(c) => 6,
        c => c.len_utf8(),
    }
}

/// JSON, or a sentence, that is harmless on a terminal: what would steer one, or turn the text around, is written as
/// JSON's escapes, so that data stay what they are.
pub(crate) fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            let _ = write!(harmless, "\\u{:04x}", u32::from(c));
        } else {
            harmless.push(c);
        }
    }
    harmless
}

/// Whether a character does something to a terminal, or to how the text around it is read. Here the ends of lines do too:
/// an answer is one line. None is beyond U+FFFF.
fn steers(c: char) -> bool {
    c.is_control() || text::steers(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_walk_over_all_of_a_list() {
        let items: Vec<Value> = (0..3_000).map(|number| json!(format!("\u{1b}item {number}"))).collect();
        let (mut walked, mut cursor) = (Vec::new(), None);
        loop {
            let (page, next) = page(items.clone(), cursor.as_deref()).expect("a page");
            assert!(size(&json!(page)) <= ROOM + 2, "{}", size(&json!(page)));
            walked.extend(page);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(walked, items);
    }

    #[test]
    fn cursors_walk_over_all_of_a_text() {
        let text = "größe \u{202e} \"quoted\"\n".repeat(3_000);
        let (mut walked, mut cursor) = (String::new(), None);
        loop {
            let piece = piece(&text, cursor.as_deref()).expect("a piece");
            assert!(size(&piece["text"]) <= ROOM + 2);
            walked.push_str(piece["text"].as_str().expect("a text"));
            let Some(next) = piece["next_cursor"].as_str() else { break };
            cursor = Some(next.to_owned());
        }
        assert_eq!(walked, text);
        assert!(piece(&text, Some("9999999")).is_err() && piece(&text, Some("x")).is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_counted() {
        assert_eq!(decoded(b"a\xffb\xc3", 100), ("a\u{fffd}b\u{fffd}".to_owned(), 4));
        assert_eq!(decoded("aäb".as_bytes(), 2), ("a".to_owned(), 1));
        assert_eq!(decoded(b"ab\xff\xff", 5), ("ab\u{fffd}".to_owned(), 3));
    }

    #[test]
    fn whatever_a_run_brings_along_fits() {
        let long = "\u{0}".repeat(20_000);
        let fields: serde_json::Map<String, Value> = (0..50).map(|n| (format!("{n}{long}"), json!(long))).collect();
        for mut value in [json!(long), json!([long, long]), json!(vec!["x"; 100_000]), Value::Object(fields)] {
            assert!(shorten(&mut value, ROOM));
            assert!(size(&value) <= ROOM, "{}", size(&value));
        }
        let mut short = json!({"a": [1, "b"]});
        assert!(!shorten(&mut short, ROOM));
        assert_eq!(short, json!({"a": [1, "b"]}));
    }

    #[test]
    fn what_steers_a_terminal_is_escaped_and_stays_the_same_data() {
        let text = json!("a\u{9b}2J \u{202e} é").to_string();
        assert!(!harmless(&text).contains(steers));
        assert_eq!(serde_json::from_str::<Value>(&harmless(&text)).expect("JSON"), json!("a\u{9b}2J \u{202e} é"));
    }
}
