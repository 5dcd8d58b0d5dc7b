//! Passwords in URLs, and URLs that are secrets themselves.

use std::borrow::Cow;
use std::ops::Range;

use super::Span;
use super::entropy;

/// What is longer is no user and no password.
const USER_MAX: usize = 2 * 1024;

/// Addresses that let everybody who knows them post: whatever follows is a secret.
const WEBHOOKS: [(&[u8], &str); 5] = [
    (b"hooks.slack.com/services/", "slack webhook"),
    (b"hooks.slack.com/workflows/", "slack webhook"),
    (b"discord.com/api/webhooks/", "discord webhook"),
    (b"discordapp.com/api/webhooks/", "discord webhook"),
    (b"hooks.zapier.com/hooks/catch/", "zapier webhook"),
];

/// Adds what is secret in the URL whose `://` this is.
pub fn find(text: &[u8], separator: Range<usize>, spans: &mut Vec<Span>) {
    let at = separator.end;
    let rest = &text[at..];
    for (start, kind) in WEBHOOKS {
        if rest.starts_with(start) {
            let secret = at + start.len()..at + address_end(rest, false);
            if secret.len() >= 16 {
                spans.push(Span { range: secret, kind: Cow::Borrowed(kind), is_more: false });
            }
            return;
        }
    }
    let authority = &rest[..address_end(rest, true)];
    let Some(host) = authority.iter().rposition(|byte| *byte == b'@') else { return };
    let user = &authority[..host];
    let password = match user.iter().position(|byte| *byte == b':') {
        Some(colon) => colon + 1..host,
        // A token can take the place of the user.
        None if user.len() >= 20 && entropy::looks_random(user) => 0..host,
        None => return,
    };
    let value = &user[password.clone()];
    let is_example = matches!(value, b"password" | b"pass" | b"passwd" | b"secret" | b"pw" | b"token");
    if value.len() >= 3 && !is_example && !entropy::is_placeholder(value) {
        let range = at + password.start..at + password.end;
        spans.push(Span { range, kind: Cow::Borrowed("password in a url"), is_more: false });
    }
}

fn address_end(rest: &[u8], is_authority: bool) -> usize {
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || b"\"'`<>\\,\x1b".contains(byte)
            || (is_authority && matches!(byte, b'/' | b'?' | b'#'))
            || (!is_authority && matches!(byte, b')' | b']' | b'}' | b';'))
    };
    let most = &rest[..rest.len().min(USER_MAX)];
    most.iter().position(ends).unwrap_or(most.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut spans = Vec::new();
        for (at, separator) in text.match_indices("://") {
            find(text.as_bytes(), at..at + separator.len(), &mut spans);
        }
        spans.into_iter().map(|span| &text[span.range]).collect()
    }

    #[test]
    fn the_password_of_a_url_is_found() {
        assert_eq!(found("at postgres://ada:s3cret@db:5432/runs now"), ["s3cret"]);
        assert_eq!(found("redis://:pa@ss@cache/0"), ["pa@ss"]);
        assert_eq!(found("git clone https://d41d8cd98f00b204e980@github.com/a/b"), ["d41d8cd98f00b204e980"]);
    }

    #[test]
    fn webhooks_are_secrets() {
        let url = "https://hooks.slack.com/services/T0123ABCD/B0123ABCD/abcdefghijkl";
        assert_eq!(found(&format!("posting to {url}.")), ["T0123ABCD/B0123ABCD/abcdefghijkl."]);
    }

    #[test]
    fn other_urls_stay() {
        for text in [
            "https://example.com/a@b",
            "http://127.0.0.1:8000",
            "https://ada@example.com/",
            "postgres://user:password@localhost/db",
            "https://$USER:$PASS@host",
            "s3://bucket/key",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
