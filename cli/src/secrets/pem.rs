//! Private keys, which go on over many lines between `-----BEGIN … PRIVATE KEY-----` and its end.
//!
//! The first line and the last stay, so that the count of lines does too.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use super::Span;

const KIND: &str = "private key";
const BEGIN: &[u8] = b"-----BEGIN ";
const MARK: &[u8] = b"PRIVATE KEY";
const END: &[u8] = b"-----END";
const DASHES: &[u8] = b"-----";
/// What is longer is no line of a key.
const LINE_MAX: usize = 1024;

/// Adds the lines of private keys. `is_inside`: whether the text begins, and then, whether it ends in one.
pub fn find(text: &[u8], is_inside: &mut bool, spans: &mut Vec<Span>) {
    let mut at = 0;
    let mut is_more = *is_inside;
    while at < text.len() {
        if !*is_inside {
            let Some(body) = next_key(text, at) else { return };
            (at, *is_inside) = first_line(text, body, spans);
            is_more = false;
            continue;
        }
        let end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |length| at + length);
        match line(&text[at..end]) {
            Line::Key(secret) => {
                let range = at + secret.start..at + secret.end;
                spans.push(Span { range, kind: Cow::Borrowed(KIND), is_more });
                is_more = true;
            }
            Line::Between => {}
            Line::Other => {
                // It may be the first line of another key.
                *is_inside = false;
                continue;
            }
        }
        at = end + 1;
    }
}

/// Where the body of the next key begins: behind its first line's dashes.
fn next_key(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = memmem::find(&text[at..], BEGIN) {
        let title = at + found + BEGIN.len();
        let most = &text[title..text.len().min(title + 60)];
        if let Some(dashes) = memmem::find(most, DASHES)
            && memmem::find(&most[..dashes], MARK).is_some()
            && memchr::memchr(b'\n', &most[..dashes]).is_none()
        {
            return Some(title + dashes + DASHES.len());
        }
        at = title;
    }
    None
}

/// What follows on the same line. Gives where to go on, and whether the key goes on there.
fn first_line(text: &[u8], body: usize, spans: &mut Vec<Span>) -> (usize, bool) {
    let end = memchr::memchr(b'\n', &text[body..]).map_or(text.len(), |length| body + length);
    let rest = &text[body..end];
    // In JSON, all of it is one line, with `\n` for the others' ends.
    let is_part = |byte: &u8| is_base64(*byte) || matches!(byte, b'\\' | b' ' | b'\r');
    let length =
        memmem::find(rest, END).unwrap_or_else(|| rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len()));
    if rest[..length].iter().filter(|byte| is_base64(**byte)).count() > 16 {
        spans.push(Span { range: body..body + length, kind: Cow::Borrowed(KIND), is_more: false });
        return (body + length, false);
    }
    let goes_on = length == rest.len() || is_string_end(rest);
    (text.len().min(end + 1), goes_on && end < text.len())
}

/// `\n" +` and the like: the key goes on in the next string.
fn is_string_end(rest: &[u8]) -> bool {
    rest.len() <= 8 && !rest.iter().any(u8::is_ascii_digit)
}

enum Line {
    /// A line of the key: the part that is.
    Key(Range<usize>),
    /// A line between those: empty, or a heading.
    Between,
    /// The key has ended.
    Other,
}

fn line(text: &[u8]) -> Line {
    if text.len() > LINE_MAX || memmem::find(text, END).is_some() {
        return Line::Other;
    }
    let headings: [&[u8]; 4] = [b"Proc-Type:", b"DEK-Info:", b"Version:", b"Comment:"];
    if headings.iter().any(|heading| memmem::find(text, heading).is_some()) {
        return Line::Between;
    }
    let text_end = trimmed_end(text);
    let start = text[..text_end].iter().rposition(|byte| !is_base64(*byte)).map_or(0, |at| at + 1);
    // A diff's `+` could be a part of the key, but no line of one begins there.
    let start = start + usize::from(start == 0 && matches!(text.first(), Some(b'+' | b'-')) && text_end > 1);
    let word = &text[start..text_end];
    let stands_alone = text[..start].iter().all(|byte| b" \t+->|#*\"'".contains(byte));
    match word.len() {
        0 if stands_alone => Line::Between,
        length if stands_alone || length >= 40 => Line::Key(start..text_end),
        _ => Line::Other,
    }
}

/// Without what ends a line in code: `\n"`, `",`, `' \`.
fn trimmed_end(text: &[u8]) -> usize {
    let mut end = text.len();
    while end > 0 && b" \t\r\"',;+\\)".contains(&text[end - 1]) {
        end -= 1;
    }
    // `+` is the key's own where nothing but a line's end follows.
    let is_bare = text[end..].iter().all(|byte| matches!(byte, b'+' | b'\r'));
    if is_bare {
        end += text[end..].iter().take_while(|byte| **byte == b'+').count();
    }
    if end >= 2 && end < text.len() && text[end - 2] == b'\\' && text[end - 1] == b'n' { end - 2 } else { end }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> (String, usize) {
        let (mut spans, mut is_inside) = (Vec::new(), false);
        find(text.as_bytes(), &mut is_inside, &mut spans);
        let first = spans.iter().filter(|span| !span.is_more).count();
        let mut masked = text.to_owned();
        spans.iter().rev().for_each(|span| masked.replace_range(span.range.clone(), "X"));
        (masked, first)
    }

    #[test]
    fn each_line_of_a_key_is_masked_and_the_count_of_lines_stays() {
        let key = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIEabc+/123\n+abc=\n-----END RSA PRIVATE KEY-----\nb1\n";
        let expected = "a\n-----BEGIN RSA PRIVATE KEY-----\nX\n+X\n-----END RSA PRIVATE KEY-----\nb1\n";
        assert_eq!(masked(key), (expected.to_owned(), 1));
    }

    #[test]
    fn a_key_in_a_diff_in_json_and_in_code_is_masked() {
        let diff = "+-----BEGIN PRIVATE KEY-----\n+MIIEabc123\n+abc=\n+-----END PRIVATE KEY-----\n context1\n";
        let expected = "+-----BEGIN PRIVATE KEY-----\n+X\n+X\n+-----END PRIVATE KEY-----\n context1\n";
        assert_eq!(masked(diff).0, expected);
        let json = r#"{"private_key": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\nabc=\n-----END PRIVATE KEY-----\n"}"#;
        assert_eq!(masked(json).0, r#"{"private_key": "-----BEGIN PRIVATE KEY-----X-----END PRIVATE KEY-----\n"}"#);
        let code =
            "k = (\"-----BEGIN PRIVATE KEY-----\\n\"\n    \"MIIEabc123\\n\"\n    \"-----END PRIVATE KEY-----\")\n";
        assert!(masked(code).0.contains("    \"X\\n\"\n"), "{}", masked(code).0);
    }

    #[test]
    fn a_key_that_breaks_off_ends_with_what_does_not_look_like_one() {
        let text = "-----BEGIN PRIVATE KEY-----\nMIIEabc123\nepoch 1: loss 0.3\nabcdef\n";
        assert_eq!(masked(text).0, "-----BEGIN PRIVATE KEY-----\nX\nepoch 1: loss 0.3\nabcdef\n");
        let public = "-----BEGIN PUBLIC KEY-----\nMIIEabc123\n-----END PUBLIC KEY-----\n";
        assert_eq!(masked(public), (public.to_owned(), 0));
    }
}
