//! The signing keys: how they are written, which one signs, and how long each is believed. Pure.
//!
//! A key a line, `kid created-in-unix-seconds secret-in-base64url`; `#` begins a comment.

use anyhow::{anyhow, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use secrecy::zeroize::Zeroizing;
use time::{Duration, OffsetDateTime};

use crate::domain::secret_token::random_base62;

/// A new key signs from this age on: by then every server that shares the file has read it.
const SETTLED_AFTER: Duration = Duration::minutes(1);
/// A key is believed for so long after its successor was made. No token lives longer.
const RETIRED_AFTER: Duration = Duration::days(181);
/// What HMAC-SHA-256 asks for, and what new keys have.
const SECRET_BYTES: usize = 32;

/// One key. Its secret shows in no log: the crate's keys print themselves without it.
#[derive(Debug)]
pub struct Key {
    /// What tokens call it.
    pub kid: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// For signing.
    pub encoding: EncodingKey,
    /// For checking.
    pub decoding: DecodingKey,
}

impl Key {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [kid, created, secret] = words[..] else { return None };
        if kid.len() > 64 || !kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return None;
        }
        let created_at = OffsetDateTime::from_unix_timestamp(created.parse().ok()?).ok()?;
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(secret).ok()?);
        // One byte over and over is somebody's placeholder.
        if secret.len() < SECRET_BYTES || secret.iter().all(|byte| *byte == secret[0]) {
            return None;
        }
        let (encoding, decoding) = (EncodingKey::from_secret(&secret), DecodingKey::from_secret(&secret));
        Some(Self { kid: kid.to_owned(), created_at, encoding, decoding })
    }
}

/// All keys, oldest first; there is at least one.
#[derive(Debug)]
pub struct KeyRing(Vec<Key>);

impl KeyRing {
    /// Reads the text of a key file. What it complains of names lines, never what they hold.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut keys: Vec<Key> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let number = index + 1;
            let Some(key) = Key::parse(line) else {
                bail!(
                    "line {number} is no key: it must be a name, the time in Unix seconds, and {SECRET_BYTES} random bytes or more in base64url; take the file from your backup"
                );
            };
            ensure!(
                keys.iter().all(|other| other.kid != key.kid),
                "line {number} has the name of a key before it; delete one of them"
            );
            keys.push(key);
        }
        ensure!(
            !keys.is_empty(),
            "it holds no key; take it from your backup, or delete it, and the next start makes a new one"
        );
        keys.sort_by_key(|key| key.created_at);
        Ok(Self(keys))
    }

    /// The key that signs now: the newest one that every server knows by now.
    pub fn signing(&self, now: OffsetDateTime) -> &Key {
        let settled = self.0.iter().rfind(|key| now - key.created_at >= SETTLED_AFTER);
        settled.unwrap_or(&self.0[0])
    }

    /// The key of exactly this name, if what it has signed is still believed.
    pub fn accepted(&self, kid: &str, now: OffsetDateTime) -> Option<&Key> {
        let place = self.0.iter().position(|key| key.kid == kid)?;
        let successor = self.0.get(place + 1);
        let is_retired = successor.is_some_and(|next| now - next.created_at >= RETIRED_AFTER);
        if is_retired { None } else { self.0.get(place) }
    }

    /// When the newest key was made.
    pub fn newest_created_at(&self) -> OffsetDateTime {
        self.0[self.0.len() - 1].created_at
    }
}

/// A new key's name and its line in the file.
pub fn generate(created_at: OffsetDateTime) -> anyhow::Result<(String, Zeroizing<String>)> {
    let mut secret = Zeroizing::new([0_u8; SECRET_BYTES]);
    let kid = getrandom::fill(secret.as_mut_slice())
        .and_then(|()| random_base62(16))
        .map_err(|error| anyhow!("no random numbers: {error}"))?;
    let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_slice()));
    let line = Zeroizing::new(format!("{kid} {} {}\n", created_at.unix_timestamp(), encoded.as_str()));
    Ok((kid, line))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

    fn line(kid: &str, created_at: OffsetDateTime) -> String {
        let (generated, line) = generate(created_at).unwrap();
        line.replace(&generated, kid)
    }

    fn ring(keys: &[(&str, Duration)]) -> KeyRing {
        KeyRing::parse(&keys.iter().map(|(kid, age)| line(kid, NOW - *age)).collect::<String>()).unwrap()
    }

    #[test]
    fn the_newest_key_signs_once_it_is_a_minute_old() {
        let ring = ring(&[("new", Duration::ZERO), ("old", Duration::days(9)), ("older", Duration::days(99))]);
        assert_eq!(ring.signing(NOW).kid, "old");
        assert_eq!(ring.signing(NOW + Duration::seconds(59)).kid, "old");
        assert_eq!(ring.signing(NOW + Duration::seconds(60)).kid, "new");
    }

    #[test]
    fn an_only_key_signs_at_once_and_one_from_the_future_last() {
        assert_eq!(ring(&[("only", Duration::ZERO)]).signing(NOW).kid, "only");
        assert_eq!(ring(&[("only", Duration::days(-1))]).signing(NOW).kid, "only");
        assert_eq!(ring(&[("future", Duration::days(-1)), ("old", Duration::ZERO)]).signing(NOW).kid, "old");
    }

    #[test]
    fn a_key_is_believed_until_all_that_it_signed_has_ended() {
        let ring = ring(&[("old", Duration::days(400)), ("new", Duration::ZERO)]);
        let last = NOW + RETIRED_AFTER - Duration::seconds(1);
        assert!(ring.accepted("old", NOW).is_some() && ring.accepted("old", last).is_some());
        assert!(ring.accepted("old", NOW + RETIRED_AFTER).is_none());
        assert!(ring.accepted("new", NOW + Duration::days(4000)).is_some());
    }

    #[test]
    fn a_key_is_found_by_its_exact_name_only() {
        let ring = ring(&[("kid-A", Duration::ZERO)]);
        assert!(ring.accepted("kid-A", NOW).is_some());
        for kid in ["", "kid", "kid-a", "kid-A ", "kid-A\0", "./kid-A", "*"] {
            assert!(ring.accepted(kid, NOW).is_none(), "{kid}");
        }
    }

    #[test]
    fn comments_and_empty_lines_are_no_keys() {
        let text = format!("# a comment\n\n  {}\r\n   # another", line("a", NOW));
        assert_eq!(KeyRing::parse(&text).unwrap().0.len(), 1);
        for text in ["", "\n\n", "# nothing but a comment"] {
            assert!(KeyRing::parse(text).unwrap_err().to_string().contains("holds no key"));
        }
    }

    #[test]
    fn a_bad_line_is_told_by_its_number_and_not_by_what_it_holds() {
        let secret = URL_SAFE_NO_PAD.encode((0..32).collect::<Vec<u8>>());
        let short = URL_SAFE_NO_PAD.encode((0..31).collect::<Vec<u8>>());
        let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
        for bad in [
            secret.clone(),
            format!("a {secret}"),
            format!("a 1 {secret} more"),
            format!("a yesterday {secret}"),
            format!("a 9223372036854775807 {secret}"),
            format!("../a 1 {secret}"),
            format!("{} 1 {secret}", "a".repeat(65)),
            format!("a 1 {secret}="),
            format!("a 1 {short}"),
            format!("a 1 {zeros}"),
        ] {
            let error = KeyRing::parse(&format!("# keys\n{bad}\n")).unwrap_err().to_string();
            assert!(error.starts_with("line 2 is no key") && !error.contains(&secret[..30]), "{bad}: {error}");
        }
        let twice = format!("a 1 {secret}\na 2 {secret}\n");
        assert!(KeyRing::parse(&twice).unwrap_err().to_string().contains("line 2"));
    }

    #[test]
    fn a_key_prints_itself_without_its_secret() {
        let (_, line) = generate(NOW).unwrap();
        let printed = format!("{:?}", KeyRing::parse(&line).unwrap());
        assert!(printed.contains("redacted"), "{printed}");
        let secret = URL_SAFE_NO_PAD.decode(line.split_whitespace().last().unwrap()).unwrap();
        assert!(!printed.contains(line.split_whitespace().last().unwrap()));
        assert!(!printed.contains(&format!("{}, {}, {}", secret[0], secret[1], secret[2])), "{printed}");
    }
}
