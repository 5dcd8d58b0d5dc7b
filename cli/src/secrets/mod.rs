//! Secrets in what is kept of a run: found, masked, and named without their value.
//!
//! Everything is masked when our copy of it is made, so that what is hashed and sent never held it. What
//! counts as a secret: keys with a well-known shape ([`tokens`]), passwords in URLs ([`urls`]), private keys
//! ([`pem`]), values that are given to a name such as `api_key` ([`assignments`]), and what `.env` files and
//! the environment hold under such names ([`values`]), which of an environment that is gone are known by their
//! hashes ([`remembered`]). Only `values` reads files and the environment; no module but [`stream`] knows that text
//! comes in pieces.

mod assignments;
mod entropy;
mod findings;
mod masker;
mod names;
mod pem;
mod remembered;
mod shapes;
mod stream;
mod tokens;
mod urls;
mod values;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use uuid::Uuid;

pub use findings::Surface;
pub use masker::Masker;
pub use remembered::Remembered;
pub use stream::Stream;

use crate::error::{Error, Result};
use crate::workspace::Workspace;
use tokens::Tokens;
use values::Values;

/// What lines are looked at more closely for. All of it is found in one pass at the speed of memory, for
/// which there may not be more than 64 words, none of them shorter than three letters.
const HINTS: [&str; 29] = [
    "assw", "ASSW", "assphrase", "ASSPHRASE", "asscode", "pwd", "Pwd", "PWD", "_pass", "_PASS", "-pass", "ecret",
    "ECRET", "oken", "OKEN", "key", "Key", "KEY", "auth", "Auth", "AUTH", "redential", "REDENTIAL", "creds", "CREDS",
    "sig=", "ignature=", "://", "earer ",
];

/// A piece of a text that is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    range: Range<usize>,
    kind: Cow<'static, str>,
    /// Whether it only goes on with the one before, as the lines of a private key do.
    is_more: bool,
}

/// Finds secrets. Cheap to clone.
#[derive(Clone)]
pub struct Scanner(Arc<Rules>);

struct Rules {
    hints: AhoCorasick,
    tokens: Tokens,
    values: Values,
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of what it knows: that is what it hides.
        f.write_str("Scanner")
    }
}

impl Scanner {
    /// One that knows the values in the workspace's `.env` files and in this process's environment.
    pub fn of(workspace: &Workspace) -> Result<Self> {
        Self::with(Values::of(workspace.root(), std::env::vars_os()))
    }

    /// The same, which knows besides what was known when a run began.
    fn of_run(workspace: &Workspace, run: Uuid, remembered: &[Remembered]) -> Result<Self> {
        let values = Values::of(workspace.root(), std::env::vars_os());
        Self::with(values.map(|values| values.remembering(run, remembered)))
    }

    fn values(&self) -> &Values {
        &self.0.values
    }

    fn with(values: Result<Values, aho_corasick::BuildError>) -> Result<Self> {
        let build = || {
            let hints = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(HINTS)?;
            Ok(Rules { hints, tokens: Tokens::new(), values: values? })
        };
        let failed =
            |error: aho_corasick::BuildError| Error::new(format!("could not prepare to mask secrets: {error}"));
        Ok(Self(Arc::new(build().map_err(failed)?)))
    }

    /// The secrets of a text of whole lines, in their order, none touching another. `in_key` is whether it
    /// begins within a private key, and then, whether it ends within one.
    fn scan(&self, text: &[u8], in_key: &mut bool) -> Vec<Span> {
        let rules = &*self.0;
        let mut spans = Vec::new();
        rules.tokens.find(text, &mut spans);
        rules.values.find(text, &mut spans);
        let mut known_to = 0;
        for hint in rules.hints.find_iter(text) {
            match HINTS[hint.pattern().as_usize()] {
                "://" => urls::find(text, hint.range(), &mut spans),
                "earer " => assignments::bearer(text, hint.end(), &mut spans),
                // A name can hold several of the words.
                _ if hint.start() < known_to => {}
                _ => known_to = assignments::find(text, hint.range(), &mut spans),
            }
        }
        pem::find(text, in_key, &mut spans);
        disjoint(spans)
    }

    /// How much of the beginning of an unfinished line can be told to hold no part of a secret that goes on.
    fn safe_end(&self, text: &[u8]) -> usize {
        let word = text.iter().rposition(|byte| !tokens::is_part(*byte) && !b"+/=.~%".contains(byte));
        let mut end = word.map_or(0, |at| at + 1);
        if !self.0.tokens.may_begin(&text[end..]) {
            end = text.len();
        }
        let space = text.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
        if memchr::memmem::find(&text[space..], b"://").is_some() {
            end = end.min(space);
        }
        for hint in self.0.hints.find_iter(text) {
            if let Some(open) = assignments::open_quote(text, hint.range()) {
                end = end.min(open);
            }
        }
        end.min(self.0.values.safe_end(text))
    }
}

/// In the order in which they come; of those that overlap, the first gives the name to all.
fn disjoint(mut spans: Vec<Span>) -> Vec<Span> {
    if spans.len() < 2 {
        return spans;
    }
    // Stable: where two begin together, the shape of a key says more than the name of a variable.
    spans.sort_by_key(|span| span.range.start);
    let mut kept: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match kept.last_mut() {
            Some(last) if span.range.start < last.range.end => last.range.end = last.range.end.max(span.range.end),
            _ => kept.push(span),
        }
    }
    kept
}

#[cfg(test)]
mod tests;
