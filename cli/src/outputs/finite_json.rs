//! Python's JSON, made into JSON: the words `NaN`, `Infinity` and `-Infinity`, which Python writes
//! and JSON does not know, come out as strings.

use std::io::{self, BufRead, Read};

/// Rewrites what is read through it.
pub struct FiniteJson<R> {
    inner: R,
    /// Rewritten, and not yet handed out.
    ready: Vec<u8>,
    handed_out: usize,
    /// A word outside of strings that the next bytes may go on with.
    word: Vec<u8>,
    in_string: bool,
    escaped: bool,
}

impl<R: BufRead> FiniteJson<R> {
    /// Reads from `inner`.
    pub fn new(inner: R) -> Self {
        Self { inner, ready: Vec::new(), handed_out: 0, word: Vec::new(), in_string: false, escaped: false }
    }

    fn rewrite(&mut self, byte: u8) {
        if self.in_string {
            self.ready.push(byte);
            self.in_string = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.') {
            self.word.push(byte);
            return;
        }
        self.end_word();
        self.in_string = byte == b'"';
        self.ready.push(byte);
    }

    fn end_word(&mut self) {
        let unknown_to_json = matches!(self.word.as_slice(), b"NaN" | b"Infinity" | b"-Infinity");
        if unknown_to_json {
            self.ready.push(b'"');
        }
        self.ready.append(&mut self.word);
        if unknown_to_json {
            self.ready.push(b'"');
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.handed_out = 0;
        while self.ready.is_empty() {
            let bytes = self.inner.fill_buf()?.to_vec();
            if bytes.is_empty() {
                self.end_word();
                return Ok(());
            }
            self.inner.consume(bytes.len());
            for byte in bytes {
                self.rewrite(byte);
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for FiniteJson<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.handed_out == self.ready.len() {
            self.refill()?;
        }
        let length = (&self.ready[self.handed_out..]).read(buffer)?;
        self.handed_out += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str, chunk: usize) -> String {
        let reader = io::BufReader::with_capacity(chunk, text.as_bytes());
        let mut out = String::new();
        FiniteJson::new(reader).read_to_string(&mut out).expect("read");
        out
    }

    #[test]
    fn pythons_words_become_strings_wherever_the_buffer_ends() {
        let text = r#"{"a": NaN, "b": [Infinity,-Infinity], "NaN": "\" NaN \\", "c": -1.5e3}"#;
        let json = r#"{"a": "NaN", "b": ["Infinity","-Infinity"], "NaN": "\" NaN \\", "c": -1.5e3}"#;
        for chunk in [1, 2, 3, 7, 4096] {
            assert_eq!(rewritten(text, chunk), json, "{chunk}");
        }
        assert_eq!(rewritten("NaN", 2), "\"NaN\"");
    }
}
