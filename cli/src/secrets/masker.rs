//! Masking what is kept of one run, and remembering what was masked.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::assignments;
use super::findings::{Findings, Surface};
use super::{Remembered, Scanner, Span, Stream};
use crate::error::Result;
use crate::run_spec::RunSpec;
use crate::workspace::Workspace;

/// How much of an artifact is looked through.
const ARTIFACT_MAX: u64 = 1024 * 1024;

/// Masks secrets. Clones share what they found.
#[derive(Clone)]
pub struct Masker {
    scanner: Scanner,
    findings: Arc<Mutex<Findings>>,
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masker")
    }
}

impl Masker {
    /// One for the runs of a workspace.
    pub fn of(workspace: &Workspace) -> Result<Self> {
        Ok(Self::new(Scanner::of(workspace)?))
    }

    /// One for a run that was begun earlier, perhaps with another environment: it knows what [`Self::remembered`] gave
    /// then.
    pub fn of_run(workspace: &Workspace, run: Uuid, remembered: &[Remembered]) -> Result<Self> {
        Ok(Self::new(Scanner::of_run(workspace, run, remembered)?))
    }

    /// The values that it knows, by hashes that are this run's own.
    pub fn remembered(&self, run: Uuid) -> Vec<Remembered> {
        self.scanner.values().remembered(run)
    }

    pub(super) fn new(scanner: Scanner) -> Self {
        Self { scanner, findings: Arc::default() }
    }

    /// One that finds the same, and tells nobody.
    pub fn on_trial(&self) -> Self {
        Self { findings: Arc::default(), ..self.clone() }
    }

    /// A whole text, masked.
    pub fn mask<'a>(&self, surface: &Surface, text: &'a [u8]) -> Cow<'a, [u8]> {
        let mut is_in_key = false;
        let spans = self.scanner.scan(text, &mut is_in_key);
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut masked = Vec::with_capacity(text.len());
        self.write(surface, text, &spans, 0, &mut masked);
        Cow::Owned(masked)
    }

    /// The same for what is UTF-8.
    pub fn mask_text(&self, surface: &Surface, text: &str) -> String {
        String::from_utf8_lossy(&self.mask(surface, text.as_bytes())).into_owned()
    }

    /// A run as others may see it. Its paths stay: they have to be found.
    pub fn mask_spec(&self, spec: &RunSpec) -> RunSpec {
        RunSpec {
            intent: self.mask_text(&Surface::Intent, &spec.intent),
            setup: self.mask_text(&Surface::Setup, &spec.setup),
            command: self.mask_words(&spec.command),
            title: spec.title.as_ref().map(|title| self.mask_text(&Surface::Title, title)),
            tags: spec.tags.iter().map(|tag| self.mask_text(&Surface::Title, tag)).collect(),
            ..spec.clone()
        }
    }

    /// A program and its arguments. What an option is given can be the next of them.
    fn mask_words(&self, words: &[String]) -> Vec<String> {
        let before = std::iter::once("").chain(words.iter().map(String::as_str));
        let masked = before.zip(words).map(|(option, word)| {
            match assignments::after_option(option.as_bytes(), word.as_bytes()) {
                Some(kind) if self.scanner.scan(word.as_bytes(), &mut false).is_empty() => {
                    self.findings().masked(&Surface::Command, kind, 1);
                    mask_for(kind)
                }
                _ => self.mask_text(&Surface::Command, word),
            }
        });
        masked.collect()
    }

    /// Looks through an artifact, which is kept as it is, and remembers what people should be told of.
    pub fn look_through(&self, surface: &Surface, artifact: impl Read) {
        let mut text = Vec::new();
        let is_read = artifact.take(ARTIFACT_MAX + 1).read_to_end(&mut text).is_ok();
        if !is_read || text.len() as u64 > ARTIFACT_MAX || text.contains(&0) {
            return;
        }
        for span in self.scanner.scan(&text, &mut false).iter().filter(|span| !span.is_more) {
            let line = 1 + lines(&text[..span.range.start]);
            self.findings().left(surface, &span.kind, line);
        }
    }

    /// Masks a text that comes in pieces.
    pub fn stream(&self, surface: Surface) -> Stream {
        Stream::new(Some((self.clone(), surface)))
    }

    /// What people are to be told, a line each.
    pub fn report(&self) -> Vec<String> {
        self.findings().report()
    }

    pub(super) fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    /// Appends a text to `out`, without these secrets. So many lines were before it.
    pub(super) fn write(&self, surface: &Surface, text: &[u8], spans: &[Span], lines_before: u64, out: &mut Vec<u8>) {
        let mut at = 0;
        let mut line = lines_before + 1;
        for span in spans {
            let plain = &text[at..span.range.start];
            out.extend_from_slice(plain);
            line += lines(plain);
            if !span.is_more {
                self.findings().masked(surface, &span.kind, line);
            }
            out.extend_from_slice(mask_for(&span.kind).as_bytes());
            line += lines(&text[span.range.clone()]);
            at = span.range.end;
        }
        out.extend_from_slice(&text[at..]);
    }

    fn findings(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mask_for(kind: &str) -> String {
    format!("[masked: {kind}]")
}

pub(super) fn lines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}
