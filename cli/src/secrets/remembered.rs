//! Secrets that are known by their hashes alone: those of an environment that may be gone when a run is sent.
//!
//! What is written down tells no secret that can't be guessed. A sum of 16 bits says where to look more closely; a hash
//! that is salted with the run's id says whether it is there. A weak password can be found by trying many, so all of it
//! is for the run's owner alone, and goes with the spool once the run is confirmed.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use otrace_wire::Sha256Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Span;

/// What each byte of a window is weighed by: odd, so that none is lost.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    kind: String,
    /// Its length in bytes.
    length: usize,
    sum: u16,
    sha256: Sha256Digest,
}

/// Finds them.
#[derive(Default)]
pub(super) struct Hashes {
    salt: Uuid,
    /// By their lengths and sums.
    known: BTreeMap<usize, HashMap<u16, Vec<Remembered>>>,
}

impl Remembered {
    /// A secret of this kind, for this run.
    pub(super) fn of(kind: &str, value: &[u8], run: Uuid) -> Self {
        let sum = short(value.iter().fold(0, |sum, byte| next(sum, *byte)));
        Self { kind: kind.to_owned(), length: value.len(), sum, sha256: digest(run, value) }
    }

    /// Its length in bytes.
    pub(super) fn length(&self) -> usize {
        self.length
    }
}

impl Hashes {
    /// Those of this run.
    pub(super) fn of(run: Uuid, remembered: impl Iterator<Item = Remembered>) -> Self {
        let mut known: BTreeMap<usize, HashMap<u16, Vec<Remembered>>> = BTreeMap::new();
        for secret in remembered {
            known.entry(secret.length).or_default().entry(secret.sum).or_default().push(secret);
        }
        Self { salt: run, known }
    }

    /// Adds those that are in a text.
    pub(super) fn find(&self, text: &[u8], spans: &mut Vec<Span>) {
        for (length, known) in &self.known {
            let weight = (1..*length).fold(1_u64, |weight, _| weight.wrapping_mul(BASE));
            let Some(first) = text.get(..*length) else { continue };
            let mut sum = first.iter().fold(0, |sum, byte| next(sum, *byte));
            for (start, window) in text.windows(*length).enumerate() {
                if let Some(secret) = known.get(&short(sum)).and_then(|like| self.among(like, window)) {
                    let kind = Cow::Owned(secret.kind.clone());
                    spans.push(Span { range: start..start + length, kind, is_more: false });
                }
                let Some(coming) = text.get(start + length) else { break };
                sum = next(sum.wrapping_sub(u64::from(window[0]).wrapping_mul(weight)), *coming);
            }
        }
    }

    fn among<'a>(&self, like: &'a [Remembered], window: &[u8]) -> Option<&'a Remembered> {
        let digest = digest(self.salt, window);
        like.iter().find(|secret| secret.sha256 == digest)
    }
}

fn next(sum: u64, byte: u8) -> u64 {
    sum.wrapping_mul(BASE).wrapping_add(u64::from(byte))
}

/// So few bits that a password can't be told by them.
fn short(sum: u64) -> u16 {
    (sum >> 48) as u16
}

fn digest(salt: Uuid, value: &[u8]) -> Sha256Digest {
    Sha256Digest::new(Sha256::new_with_prefix(salt.as_bytes()).chain_update(value).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(remembered: &[Remembered], run: Uuid, text: &str) -> Vec<(std::ops::Range<usize>, String)> {
        let mut spans = Vec::new();
        Hashes::of(run, remembered.iter().cloned()).find(text.as_bytes(), &mut spans);
        spans.into_iter().map(|span| (span.range, span.kind.into_owned())).collect()
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands_and_nothing_else_is() {
        let run = Uuid::now_v7();
        let secrets = [("a", "correct horse"), ("b", "k3J9xQ2mLp8Rt5Vw"), ("c", "another horse")];
        let secrets = secrets.map(|(kind, value)| Remembered::of(kind, value.as_bytes(), run));
        let text = "k3J9xQ2mLp8Rt5Vw, then the correct horse, correct horses, and k3J9xQ2mLp8Rt5Vv: correct hors";
        let of = |kind: &str, start: usize, length: usize| (start..start + length, kind.to_owned());
        assert_eq!(found(&secrets, run, text), [of("a", 27, 13), of("a", 42, 13), of("b", 0, 16)]);
        assert!(found(&secrets, run, "").is_empty() && found(&secrets, Uuid::nil(), text).is_empty());
        let random: Vec<_> = (0..20_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_string()).collect();
        assert!(found(&secrets, run, &random.join(" ")).is_empty());
    }

    #[test]
    fn what_is_written_down_tells_no_secret() {
        let remembered = Remembered::of("environment value A_TOKEN", b"correct horse", Uuid::now_v7());
        let json = serde_json::to_string(&remembered).expect("written");
        assert!(!json.contains("correct") && !json.contains("horse"), "{json}");
        assert_eq!(serde_json::from_str::<Remembered>(&json).expect("read"), remembered);
    }
}
