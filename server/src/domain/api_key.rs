//! Project API keys: `trc_`, 32 random characters, 6 of checksum.

use std::str::FromStr;

use time::{Duration, OffsetDateTime};

use super::secret_token::{base62_digits, random_base62};
use super::{ApiKeyId, ProjectId};

const PREFIX: &str = "trc_";
const RANDOM_CHARS: usize = 32;
const CHECKSUM_CHARS: usize = 6;
const SHOWN_CHARS: usize = 4;

/// What is known of a key. The key itself is not: it was shown once.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The key's id.
    pub id: ApiKeyId,
    /// The one project that it opens.
    pub project_id: ProjectId,
    /// Where it lives, in its maker's words.
    pub name: String,
    /// Its first characters, such as `trc_5hQm`.
    pub prefix: String,
    /// What it may do.
    pub scope: Scope,
    /// Who made it, as shown to people.
    pub created_by: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends; `None`: never.
    pub expires_at: Option<OffsetDateTime>,
    /// When a request last came with it, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// From which address that was.
    pub last_used_address: Option<String>,
    /// Whether a new key was made to take its place.
    pub is_replaced: bool,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

/// What a key may do. Ordered: who may write may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Reads runs and artifacts.
    Read,
    /// Records, changes and deletes runs too.
    #[default]
    Write,
}

impl Scope {
    /// The scope as it is written in the database and in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// The text is none of the scopes.
#[derive(Debug, thiserror::Error)]
#[error("no such scope: {0}")]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            _ => Err(UnknownScope(text.to_owned())),
        }
    }
}

/// How many days a key may live, as forms offer it; besides them, for ever.
pub const LIFETIME_DAYS: [u16; 4] = [7, 30, 90, 365];
/// How many days a key lives unless its maker says otherwise.
pub const DEFAULT_LIFETIME_DAYS: u16 = 90;
/// How long a key that was replaced goes on working, so that no machine stops in between.
pub const ROTATION_OVERLAP: Duration = Duration::hours(24);

impl ApiKey {
    /// Whether it still opens its project.
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expiry| now < expiry)
    }
}

/// A new key: 190 bits from the system's random source, and a checksum that tells typos and lets
/// scanners of leaked secrets find it without false alarms.
pub fn generate() -> Result<String, getrandom::Error> {
    let secret = format!("{PREFIX}{}", random_base62(RANDOM_CHARS)?);
    let checksum = checksum(&secret);
    Ok(secret + &checksum)
}

/// Whether `key` has the form of a key, checksum included: junk never reaches the database.
pub fn is_well_formed(key: &str) -> bool {
    key.len() == PREFIX.len() + RANDOM_CHARS + CHECKSUM_CHARS
        && key.starts_with(PREFIX)
        && key.bytes().skip(PREFIX.len()).all(|byte| byte.is_ascii_alphanumeric())
        && checksum(&key[..PREFIX.len() + RANDOM_CHARS]) == key[PREFIX.len() + RANDOM_CHARS..]
}

/// Whether `text` is meant as a key, well-formed or not.
pub fn has_prefix(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// What may be shown of a key: `trc_` and its next four characters.
pub fn shown_prefix(key: &str) -> &str {
    key.get(..PREFIX.len() + SHOWN_CHARS).unwrap_or(PREFIX)
}

fn checksum(secret: &str) -> String {
    base62_digits(crc32fast::hash(secret.as_bytes()), CHECKSUM_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_well_formed_and_never_the_same() {
        let key = generate().unwrap();
        assert_eq!(key.len(), 42);
        assert!(is_well_formed(&key), "{key}");
        assert_eq!(shown_prefix(&key).len(), 8);
        assert_ne!(key, generate().unwrap());
    }

    #[test]
    fn every_single_typo_is_noticed() {
        let key = generate().unwrap();
        for position in 4..key.len() {
            for replacement in ['0', 'a', 'Z'] {
                let mut typo: Vec<char> = key.chars().collect();
                if typo[position] == replacement {
                    continue;
                }
                typo[position] = replacement;
                assert!(!is_well_formed(&typo.iter().collect::<String>()));
            }
        }
    }

    #[test]
    fn other_text_is_no_key() {
        for text in ["", "trc_", "trc_short", &"x".repeat(42), &format!("trc_{}", "é".repeat(19))] {
            assert!(!is_well_formed(text), "{text}");
        }
    }
}
