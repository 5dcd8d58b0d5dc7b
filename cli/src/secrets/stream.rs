//! Masking a text that comes in pieces of any size, with little memory.
//!
//! Only whole lines are looked at, so that how a text was cut into pieces makes no difference. A line
//! that is longer than a window is looked at in windows that overlap.

use std::mem;

use super::findings::Surface;
use super::masker::{Masker, lines};
use super::{Scanner, Span};

/// So much of an unfinished line is held.
const WINDOW: usize = 64 * 1024;
/// So much of it is held back when the window is full: a secret can begin there.
const OVERLAP: usize = 4 * 1024;
/// So much is remembered of the part of a line that has gone: a name can stand there, or half of a secret.
const CONTEXT: usize = 1024;

/// A text on its way.
#[derive(Debug)]
pub struct Stream {
    masking: Option<(Masker, Surface)>,
    /// The unfinished line, as far as it has not gone.
    held: Vec<u8>,
    /// The end of what has gone of it.
    context: Vec<u8>,
    /// How many lines have gone.
    lines: u64,
    in_key: bool,
    has_masked: bool,
}

impl Stream {
    /// One that masks, or only passes lines on.
    pub fn new(masking: Option<(Masker, Surface)>) -> Self {
        Self { masking, held: Vec::new(), context: Vec::new(), lines: 0, in_key: false, has_masked: false }
    }

    /// Takes the next piece, and appends to `out` what can go.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        if self.held.is_empty() {
            let gone = self.pass(piece, out);
            self.held.extend_from_slice(&piece[gone..]);
            return;
        }
        let mut held = mem::take(&mut self.held);
        held.extend_from_slice(piece);
        let gone = self.pass(&held, out);
        held.drain(..gone);
        self.held = held;
    }

    /// Whether a part of a line is held.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// What is held of it.
    pub fn held(&self) -> &[u8] {
        &self.held
    }

    /// Whether anything was masked.
    pub fn has_masked(&self) -> bool {
        self.has_masked
    }

    /// Forgets what is held of the unfinished line. Says whether a part of that line has gone already.
    pub fn forget_line(&mut self) -> bool {
        self.held.clear();
        !self.context.is_empty()
    }

    /// Appends what is held, but for what can be the beginning of a secret.
    pub fn pause(&mut self, out: &mut Vec<u8>) {
        let held = mem::take(&mut self.held);
        let end = self.safe_end(&held);
        self.emit(&held[..end], end, out);
        self.remember(&held[..end]);
        self.held = held[end..].to_vec();
    }

    /// Appends what is held: nothing follows.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let held = mem::take(&mut self.held);
        self.emit(&held, held.len(), out);
        self.remember(&held);
    }

    fn safe_end(&self, held: &[u8]) -> usize {
        let Some((masker, _)) = &self.masking else { return held.len() };
        let is_key = self.in_key || memchr::memmem::find(held, b"-----").is_some();
        if is_key { 0 } else { masker.scanner().safe_end(held) }
    }

    /// Appends the whole lines and the full windows of a text. Gives how much of it that was.
    fn pass(&mut self, text: &[u8], out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        loop {
            let window = &text[at..text.len().min(at + WINDOW)];
            if let Some(newline) = memchr::memrchr(b'\n', window) {
                let lines = &window[..=newline];
                self.emit(lines, lines.len(), out);
                self.context.clear();
                at += lines.len();
            } else if window.len() == WINDOW {
                // No line of a private key is that long.
                self.in_key = false;
                let gone = self.emit(window, WINDOW - OVERLAP, out);
                self.in_key = false;
                self.remember(&window[..gone]);
                at += gone;
            } else {
                return at;
            }
        }
    }

    /// Appends the first `end` bytes of a text, masked, or a few more or less where a secret lies across.
    fn emit(&mut self, text: &[u8], end: usize, out: &mut Vec<u8>) -> usize {
        let Some((masker, surface)) = &self.masking else {
            out.extend_from_slice(&text[..end]);
            return end;
        };
        let (spans, end) = spans(masker.scanner(), &self.context, text, end, &mut self.in_key);
        if spans.is_empty() {
            out.extend_from_slice(&text[..end]);
        } else {
            masker.write(surface, &text[..end], &spans, self.lines, out);
            self.has_masked = true;
        }
        self.lines += lines(&text[..end]);
        end
    }

    fn remember(&mut self, gone: &[u8]) {
        self.context.extend_from_slice(gone);
        let surplus = self.context.len().saturating_sub(CONTEXT);
        self.context.drain(..surplus);
    }
}

/// The secrets of a text that follows what has gone of its first line, and where to cut it.
fn spans(scanner: &Scanner, context: &[u8], text: &[u8], end: usize, in_key: &mut bool) -> (Vec<Span>, usize) {
    let mut spans = if context.is_empty() {
        scanner.scan(text, in_key)
    } else {
        let mut spans = scanner.scan(&[context, text].concat(), in_key);
        spans.retain(|span| span.range.end > context.len());
        for span in &mut spans {
            // What has gone of it can't be got back.
            span.range = span.range.start.saturating_sub(context.len())..span.range.end - context.len();
        }
        spans
    };
    let across = spans.iter().find(|span| span.range.start < end && span.range.end > end);
    let end = match across {
        Some(span) if span.range.start > 0 => span.range.start,
        Some(span) => span.range.end,
        None => end,
    };
    spans.retain(|span| span.range.end <= end);
    (spans, end)
}
