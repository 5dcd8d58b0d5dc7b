//! One pass over the bytes of a JSON document, in any pieces, that makes it storable.
//!
//! Only strings and bare words matter here; whether brackets match and commas stand right is
//! `serde_json`'s business afterwards.

use crate::blobs::{Spill, SpillWriter};
use crate::error::{AppError, Result};

/// A string of a put-aside key stays in the document while it is shorter than this, in bytes.
const PUT_ASIDE_FROM: usize = 16 * 1024;
/// No number or bare word is longer than this.
const WORD_MAX_BYTES: usize = 1024;
/// A number of so many characters without an exponent is one that 64 bits can hold.
const PLAIN_NUMBER_MAX_BYTES: usize = 300;
/// Longer strings are no keys that anything is known about.
const KEY_MAX_BYTES: usize = 64;
/// So many values a document may hold: each takes some hundred bytes once it is read.
const VALUES_MAX: usize = 2_000_000;
/// Within the document, a list of its, and an item of that list.
const ITEM_DEPTH: usize = 3;

/// Which strings of a document may be put aside: the values of `keys` in the items of `lists`, such
/// as `content_base64` in `{"artifacts": [{"content_base64": "…"}]}`. The same keys elsewhere are
/// somebody's data.
#[derive(Clone, Copy, Debug)]
pub struct LongStrings {
    /// Lists at the top of the document.
    pub lists: &'static [&'static str],
    /// Keys of their items.
    pub keys: &'static [&'static str],
}

impl LongStrings {
    /// None.
    pub const NONE: Self = Self { lists: &[], keys: &[] };
}

/// Cleans a document while it arrives.
#[derive(Debug)]
pub struct Cleaner {
    long_strings: LongStrings,
    document: Vec<u8>,
    spill: SpillWriter,
    state: State,
    /// The bare word or the string that is being read, without escapes.
    current: Vec<u8>,
    /// Where the string that is being put aside begins in the spill.
    spill_start: Option<u64>,
    /// A high surrogate that waits for its low one.
    high_surrogate: Option<u16>,
    /// How many brackets are open.
    depth: usize,
    /// How many values there were, roughly: each follows a bracket or a comma.
    values: usize,
    /// Whether the list at the top of the document that is being read is one with long strings.
    in_list: bool,
    /// The last string, if it may be a key.
    last_string: Vec<u8>,
    /// Whether the value that comes now may be put aside.
    may_put_aside: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Between,
    Word,
    String,
    Escape,
    /// Within `\uXXXX`: the value so far, and how many digits it has.
    Unicode(u16, u8),
}

impl Cleaner {
    /// Puts these long strings aside.
    pub fn new(long_strings: LongStrings) -> Self {
        Self {
            long_strings,
            document: Vec::new(),
            spill: SpillWriter::default(),
            state: State::Between,
            current: Vec::new(),
            spill_start: None,
            high_surrogate: None,
            depth: 0,
            values: 0,
            in_list: false,
            last_string: Vec::new(),
            may_put_aside: false,
        }
    }

    /// Whether the document holds more values than the server reads.
    pub const fn has_too_many_values(&self) -> bool {
        self.values > VALUES_MAX
    }

    /// How long the cleaned document is so far, in bytes.
    pub const fn document_len(&self) -> usize {
        self.document.len() + self.current.len()
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            let passed = self.pass(rest);
            if passed > 0 {
                rest = &rest[passed..];
                continue;
            }
            if matches!(self.state, State::String) && self.high_surrogate.is_none() {
                // The long way through large contents: everything up to the next special byte at once.
                let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
                if plain > 0 {
                    self.push(&rest[..plain])?;
                    rest = &rest[plain..];
                    continue;
                }
            }
            self.step(byte)?;
            rest = after;
        }
        Ok(())
    }

    /// Ends the document. What is unfinished is left to the parser to complain about.
    pub fn finish(mut self) -> Result<(Vec<u8>, Spill)> {
        match self.state {
            State::Word => self.end_word(),
            State::Between => {}
            State::String | State::Escape | State::Unicode(..) => self.document.push(b'"'),
        }
        Ok((self.document, self.spill.finish().map_err(spill_failed)?))
    }

    /// The short way, which nearly all of a document goes: a string or a bare word that these bytes hold whole and that
    /// stays as it is. Returns how many bytes it was, or 0 where none begins here.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let length = match (self.state, bytes) {
            (State::Between, [b'"', rest @ ..]) => {
                let Some(text) = plain_string(rest).filter(|text| !self.may_put_aside || text.len() <= PUT_ASIDE_FROM)
                else {
                    return 0;
                };
                self.note_string(text);
                text.len() + 2
            }
            (State::Between, rest) => plain_word_length(rest),
            _ => 0,
        };
        self.document.extend_from_slice(&bytes[..length]);
        length
    }

    fn step(&mut self, byte: u8) -> Result<()> {
        match self.state {
            State::Between => self.begin(byte),
            State::Word => {
                if is_word(byte) && self.current.len() < WORD_MAX_BYTES {
                    self.current.push(byte);
                } else {
                    self.end_word();
                    self.begin(byte);
                }
            }
            State::String => match byte {
                b'\\' => self.state = State::Escape,
                b'"' => self.end_string()?,
                other => self.push(&[other])?,
            },
            State::Escape => self.escape(byte)?,
            State::Unicode(value, digits) => self.unicode(byte, value, digits)?,
        }
        Ok(())
    }

    fn begin(&mut self, byte: u8) {
        match byte {
            b'"' => self.state = State::String,
            _ if is_word(byte) => {
                self.current.push(byte);
                self.state = State::Word;
            }
            _ => {
                if !byte.is_ascii_whitespace() {
                    self.may_put_aside = false;
                }
                match byte {
                    b'{' | b'[' => {
                        self.depth += 1;
                        self.values += 1;
                    }
                    b',' => self.values += 1,
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    b':' => self.end_key(),
                    _ => {}
                }
                self.document.push(byte);
            }
        }
    }

    /// The last string was a key: says what its value is.
    fn end_key(&mut self) {
        let is_one_of = |names: &[&str]| names.iter().any(|name| name.as_bytes() == self.last_string);
        match self.depth {
            1 => self.in_list = is_one_of(self.long_strings.lists),
            ITEM_DEPTH => self.may_put_aside = self.in_list && is_one_of(self.long_strings.keys),
            _ => {}
        }
    }

    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.current);
        self.state = State::Between;
        let stands_for = match word.as_slice() {
            b"NaN" => Some("\"NaN\""),
            b"Infinity" => Some("\"Infinity\""),
            b"-Infinity" => Some("\"-Infinity\""),
            // 1e400 is JSON, and no number that can be stored.
            number => match std::str::from_utf8(number).ok().and_then(|text| text.parse::<f64>().ok()) {
                Some(value) if value == f64::INFINITY && number[0].is_ascii_digit() => Some("\"Infinity\""),
                Some(value) if value == f64::NEG_INFINITY && number.get(1).is_some_and(u8::is_ascii_digit) => {
                    Some("\"-Infinity\"")
                }
                _ => None,
            },
        };
        self.document.extend_from_slice(stands_for.map_or(&word, str::as_bytes));
    }

    fn escape(&mut self, byte: u8) -> Result<()> {
        self.state = State::String;
        match byte {
            b'u' => {
                self.state = State::Unicode(0, 0);
                Ok(())
            }
            b'n' => self.push(b"\n"),
            b't' => self.push(b"\t"),
            b'r' => self.push(b"\r"),
            b'b' => self.push(b"\x08"),
            b'f' => self.push(b"\x0c"),
            b'"' | b'\\' | b'/' => self.push(&[byte]),
            _ => Err(AppError::invalid("The request is not JSON: a string has an unknown escape.")),
        }
    }

    fn unicode(&mut self, byte: u8, value: u16, digits: u8) -> Result<()> {
        let digit = char::from(byte)
            .to_digit(16)
            .and_then(|digit| u16::try_from(digit).ok())
            .ok_or(AppError::invalid("The request is not JSON: a string has an escape \\u without four hex digits."))?;
        let value = value << 4 | digit;
        if digits < 3 {
            self.state = State::Unicode(value, digits + 1);
            return Ok(());
        }
        self.state = State::String;
        match (self.high_surrogate.take(), value) {
            (Some(high), 0xDC00..=0xDFFF) => {
                let code = 0x10000 + (u32::from(high - 0xD800) << 10) + u32::from(value - 0xDC00);
                self.push_char(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
            (lone, value) => {
                if lone.is_some() {
                    self.push_char(char::REPLACEMENT_CHARACTER)?;
                }
                if (0xD800..=0xDBFF).contains(&value) {
                    self.high_surrogate = Some(value);
                    return Ok(());
                }
                self.push_char(char::from_u32(u32::from(value)).unwrap_or(char::REPLACEMENT_CHARACTER))
            }
        }
    }

    fn push_char(&mut self, c: char) -> Result<()> {
        self.push(c.encode_utf8(&mut [0; 4]).as_bytes())
    }

    /// Adds to the string, in memory or to what is put aside.
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if self.high_surrogate.take().is_some() {
            self.push_char(char::REPLACEMENT_CHARACTER)?;
        }
        if self.may_put_aside && self.spill_start.is_none() && self.current.len() + bytes.len() > PUT_ASIDE_FROM {
            self.spill_start = Some(self.spill.position());
            let begun = std::mem::take(&mut self.current);
            self.spill.write(&begun).map_err(spill_failed)?;
        }
        if self.spill_start.is_some() {
            return self.spill.write(bytes).map_err(spill_failed);
        }
        self.current.extend_from_slice(bytes);
        Ok(())
    }

    fn end_string(&mut self) -> Result<()> {
        if self.high_surrogate.take().is_some() {
            self.push_char(char::REPLACEMENT_CHARACTER)?;
        }
        self.state = State::Between;
        let bytes = std::mem::take(&mut self.current);
        let text = match self.spill_start.take() {
            Some(start) => self.spill.mark(start),
            None => String::from_utf8(bytes)
                .map_err(|_| AppError::invalid("The request is not UTF-8. Send other bytes as base64."))?
                .replace('\0', "\u{fffd}"),
        };
        self.note_string(text.as_bytes());
        serde_json::to_writer(&mut self.document, &text).map_err(anyhow::Error::new)?;
        Ok(())
    }

    /// Remembers a string that may turn out to be a key.
    fn note_string(&mut self, text: &[u8]) {
        self.may_put_aside = false;
        if self.long_strings.lists.is_empty() {
            return;
        }
        self.last_string.clear();
        if text.len() <= KEY_MAX_BYTES {
            self.last_string.extend_from_slice(text);
        }
    }
}

/// What stands before the closing quote, if it is here and nothing before it needs a second look.
fn plain_string(bytes: &[u8]) -> Option<&[u8]> {
    let mut is_ascii = true;
    let end = bytes.iter().position(|byte| {
        is_ascii &= byte.is_ascii();
        *byte < b' ' || matches!(byte, b'"' | b'\\')
    })?;
    let text = &bytes[..end];
    (bytes[end] == b'"' && (is_ascii || std::str::from_utf8(text).is_ok())).then_some(text)
}

/// How long the number is that begins here, if its end is here and it is surely finite; otherwise 0.
fn plain_word_length(bytes: &[u8]) -> usize {
    let Some(length) = bytes.iter().position(|byte| !is_word(*byte)) else { return 0 };
    let word = &bytes[..length];
    let is_plain = |(place, byte): (usize, &u8)| match byte {
        b'0'..=b'9' | b'-' | b'.' => true,
        b'e' | b'E' => word.get(place + 1) == Some(&b'-'),
        _ => false,
    };
    if length <= PLAIN_NUMBER_MAX_BYTES && word.iter().enumerate().all(is_plain) { length } else { 0 }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

fn spill_failed(error: std::io::Error) -> AppError {
    AppError::Internal(anyhow::Error::new(error).context("putting a long content aside in a temporary file"))
}

#[cfg(test)]
mod tests;
