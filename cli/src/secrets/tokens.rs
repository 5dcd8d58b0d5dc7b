//! Keys that are known by their shape, wherever they stand.
//!
//! Each of them has a stretch of 20 letters, digits, `-` and `_` in it, which few ordinary lines have. So
//! only such stretches are looked at.

use std::borrow::Cow;
use std::ops::Range;

use super::Span;
use super::entropy;
use super::shapes::{Body, SHAPES, Shape};

/// How long the stretch is at least.
const RUN: usize = 20;
/// How far before it a key can begin: `dp.pt.`, a Telegram bot's number.
const LEAD: usize = 12;

/// Whether each byte can stand in a stretch.
const PART: [bool; 256] = {
    let mut part = [false; 256];
    let mut byte = 0_u8;
    loop {
        part[byte as usize] = Body::Url.takes(byte);
        if byte == u8::MAX {
            break part;
        }
        byte += 1;
    }
};

/// Finds them.
pub struct Tokens {
    /// The shapes by the byte that they begin with.
    by_first: Vec<Vec<&'static Shape>>,
}

impl Tokens {
    /// Knows all shapes.
    pub fn new() -> Self {
        let mut by_first = vec![Vec::new(); 256];
        for shape in SHAPES {
            let first = shape.start.as_bytes().first().copied().unwrap_or_default();
            by_first[usize::from(first)].push(shape);
        }
        Self { by_first }
    }

    /// Adds those of a text.
    pub fn find(&self, text: &[u8], spans: &mut Vec<Span>) {
        let mut at = 0;
        while let Some(run) = next_run(text, at) {
            for start in beginnings(text, &run) {
                self.look(text, start, run.end, spans);
            }
            at = run.end;
        }
    }

    /// Whether the beginning of a word can become a key, as far as its shape tells.
    pub fn may_begin(&self, word: &[u8]) -> bool {
        let shapes = word.first().map(|first| &self.by_first[usize::from(*first)]);
        let begins = |start: &[u8]| word.starts_with(start) || start.starts_with(word);
        word.len() >= RUN - LEAD && word.iter().all(|byte| is_part(*byte)) && word.iter().any(u8::is_ascii_digit)
            || shapes.into_iter().flatten().any(|shape| begins(shape.start.as_bytes()))
    }

    /// Looks for one that begins here, in or just before a stretch that ends there.
    fn look(&self, text: &[u8], start: usize, end: usize, spans: &mut Vec<Span>) {
        let rest = &text[start..];
        for shape in &self.by_first[usize::from(text[start])] {
            if rest.starts_with(shape.start.as_bytes())
                && let Some(end) = end_of(text, start + shape.start.len(), shape)
            {
                add(spans, start..end, shape.kind);
            }
        }
        for special in [json_web_token, discord, telegram, mailchimp] {
            if let Some((range, kind)) = special(text, start..end) {
                add(spans, range, kind);
            }
        }
    }
}

/// Whether a byte can stand in a stretch that is looked at.
pub fn is_part(byte: u8) -> bool {
    PART[usize::from(byte)]
}

fn add(spans: &mut Vec<Span>, range: Range<usize>, kind: &'static str) {
    spans.push(Span { range, kind: Cow::Borrowed(kind), is_more: false });
}

/// The next stretch from `from` on. Where a stretch can't be, most bytes are passed over unseen: none that
/// covers a byte at distance `RUN` can avoid it.
fn next_run(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut start = from;
    // `start..seen` are parts of a stretch.
    let mut seen = from;
    loop {
        let probe = start + RUN - 1;
        let window = text.get(seen..=probe)?;
        let Some(gap) = window.iter().rposition(|byte| !is_part(*byte)) else {
            let rest = text[probe + 1..].iter().position(|byte| !is_part(*byte));
            return Some(start..rest.map_or(text.len(), |length| probe + 1 + length));
        };
        start = seen + gap + 1;
        seen = probe + 1;
    }
}

/// Where keys can begin: a little before the stretch if full stops join it to what is there, and where words
/// do within it.
fn beginnings(text: &[u8], run: &Range<usize>) -> impl Iterator<Item = usize> {
    let is_joined = run.start > 0 && text[run.start - 1] == b'.';
    let lead = if is_joined { run.start.saturating_sub(LEAD) } else { run.start };
    let before = lead..run.start;
    // Behind the rest of a colour or of an escaped character.
    let first = run.start..run.end.min(run.start + 4);
    let words = memchr::memchr2_iter(b'-', b'_', &text[run.clone()]).map(|at| run.start + at + 1);
    let words = words.filter(|at| (run.start + 4..run.end).contains(at));
    before.chain(first).filter(|at| is_beginning(text, *at)).chain(words)
}

/// Whether a key can begin here: not in the middle of a word.
fn is_beginning(text: &[u8], start: usize) -> bool {
    let before = &text[..start];
    let Some((last, rest)) = before.split_last() else { return true };
    if !last.is_ascii_alphanumeric() {
        return true;
    }
    match (rest, *last) {
        // A line's end as JSON and Python write it, and `=` as URLs do.
        ([.., b'\\'], b'n' | b'r' | b't') | ([.., b'%', b'0'..=b'9' | b'A'..=b'F'], b'0'..=b'9' | b'A'..=b'F') => true,
        // A colour.
        (_, b'm') => {
            let code = rest.iter().rposition(|byte| !byte.is_ascii_digit() && *byte != b';');
            code.is_some_and(|at| rest[at] == b'[')
        }
        _ => false,
    }
}

/// Where a key ends whose body begins at `at`, if it has that shape.
fn end_of(text: &[u8], at: usize, shape: &Shape) -> Option<usize> {
    let most = &text[at..text.len().min(at + shape.max + 1)];
    let length = most.iter().position(|byte| !shape.body.takes(*byte)).unwrap_or(most.len());
    // A full stop at the end is the sentence's.
    let length = length - most[..length].iter().rev().take_while(|byte| **byte == b'.').count();
    if length < shape.min || length > shape.max {
        return None;
    }
    let body = &most[..length];
    let is_random = if shape.body == Body::Upper { entropy::varies(body) } else { entropy::has_both(body) };
    is_random.then_some(at + length)
}

/// `eyJhbGciOi….eyJzdWIi….c2lnbmF0…`: three parts, of which the first two are JSON objects. Encrypted ones
/// have five, and only the first is one.
fn json_web_token(text: &[u8], run: Range<usize>) -> Option<(Range<usize>, &'static str)> {
    let (start, rest) = (run.start, &text[run.start..]);
    if !rest.starts_with(b"eyJ") {
        return None;
    }
    let length = rest.iter().position(|byte| !Body::Dotted.takes(*byte)).unwrap_or(rest.len());
    let mut parts = rest[..length].split(|byte| *byte == b'.');
    let (_, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    let is_signed = second.starts_with(b"eyJ") && third.len() >= 8;
    let is_encrypted = parts.count() == 2;
    (is_signed || is_encrypted).then_some((start..start + length, "json web token"))
}

/// `MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs`: an account's number, a time, and a sum.
fn discord(text: &[u8], run: Range<usize>) -> Option<(Range<usize>, &'static str)> {
    let is_number = (24..=28).contains(&run.len()) && matches!(text[run.start], b'M' | b'N' | b'O');
    if !is_number {
        return None;
    }
    let rest = &text[run.start..];
    let length = rest.iter().position(|byte| !Body::Dotted.takes(*byte)).unwrap_or(rest.len());
    let parts: Vec<_> = rest[..length].split(|byte| *byte == b'.').map(<[u8]>::len).collect();
    let is_token = matches!(parts[..], [_, 6 | 7, 27..=40]);
    is_token.then_some((run.start..run.start + length, "discord token"))
}

/// `110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw`: a bot's number, and 35 characters.
fn telegram(text: &[u8], run: Range<usize>) -> Option<(Range<usize>, &'static str)> {
    let before = &text[run.start.saturating_sub(LEAD)..run.start];
    let digits = before.strip_suffix(b":")?.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let is_token = run.len() == 35 && text[run.start..].starts_with(b"AA") && (8..=10).contains(&digits);
    is_token.then(|| (run.start - 1 - digits..run.end, "telegram token"))
}

/// `0123456789abcdef0123456789abcdef-us12`: the key, and where the account lives.
fn mailchimp(text: &[u8], run: Range<usize>) -> Option<(Range<usize>, &'static str)> {
    let (key, place) = text[run.clone()].split_at_checked(32)?;
    let number = place.strip_prefix(b"-us")?;
    let is_key = key.iter().all(|byte| Body::Hex.takes(*byte))
        && (1..=2).contains(&number.len())
        && number.iter().all(u8::is_ascii_digit);
    is_key.then_some((run, "mailchimp key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_found_wherever_it_begins() {
        for before in 0..50 {
            for length in [0, 1, 19, 20, 21, 70] {
                let text = [vec![b' '; before], vec![b'a'; length], b" b c".to_vec()].concat();
                let expected = (length >= RUN).then_some(before..before + length);
                assert_eq!(next_run(&text, 0), expected, "{before} {length}");
            }
        }
    }

    #[test]
    fn several_stretches_come_one_after_another() {
        let text = format!("{} x-1 {} {}", "a".repeat(25), "b".repeat(19), "c".repeat(20));
        let first = next_run(text.as_bytes(), 0).expect("a stretch");
        assert_eq!(first, 0..25);
        assert_eq!(next_run(text.as_bytes(), 25), Some(text.len() - 20..text.len()));
    }

    #[test]
    fn a_key_begins_where_a_word_does() {
        let is_first = |before: &str| is_beginning(before.as_bytes(), before.len());
        for before in ["", "x=", "\\n", "key%3D", "\u{1b}[1;32m", "_", "é"] {
            assert!(is_first(before), "{before:?}");
        }
        for before in ["n", "xm", "\\a", "7"] {
            assert!(!is_first(before), "{before:?}");
        }
    }
}
