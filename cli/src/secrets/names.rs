//! Whether a name says that its value is a secret: `api_key`, `DB_PASSWORD`, `hfToken`.

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// A password: people make them up, so that they need not look random.
    Password,
    /// A key or a token: a value of this kind looks random.
    Random(&'static str),
    /// Perhaps a key: only a long value that looks random is one.
    LongRandom(&'static str),
    /// The header `Authorization`.
    Header,
}

/// What may follow the word that counts: `TOKEN_PROD`, `password2`.
const NEUTRAL: [&str; 26] = [
    "prod", "production", "dev", "development", "test", "testing", "staging", "live", "old", "new", "default", "main",
    "master", "primary", "secondary", "current", "value", "val", "str", "string", "text", "plain", "b", "base", "raw",
    "env",
];
/// What makes a key one that opens something.
const KEY_OWNERS: [&str; 41] = [
    "api", "access", "private", "secret", "account", "auth", "encryption", "encrypt", "signing", "service", "license",
    "ssh", "app", "application", "admin", "storage", "shared", "consumer", "webhook", "deploy", "master",
    "subscription", "integration", "client", "session", "cipher", "aes", "hmac", "jwt", "wandb", "openai", "anthropic",
    "comet", "kaggle", "stripe", "twilio", "sendgrid", "datadog", "dd", "azure", "aws",
];
/// Tokens of another kind: those of language models and parsers.
const TEXT_TOKENS: [&str; 26] = [
    "pad",
    "eos",
    "bos",
    "unk",
    "sep",
    "cls",
    "mask",
    "image",
    "audio",
    "video",
    "next",
    "last",
    "first",
    "special",
    "start",
    "end",
    "prev",
    "per",
    "stop",
    "each",
    "fake",
    "eot",
    "eom",
    "decoder",
    "vocab",
    "csrfmiddleware",
];

/// What a name says, if anything.
pub fn secrecy(name: &[u8]) -> Option<Secrecy> {
    let words = words(name);
    let mut words: Vec<_> = words.iter().map(Vec::as_slice).collect();
    while words.len() > 1 && words.last().is_some_and(|word| is_one_of(word, &NEUTRAL)) {
        words.pop();
    }
    let (last, before) = words.split_last()?;
    let owner = before.last().copied().unwrap_or_default();
    let ends = |word: &str| last.ends_with(word.as_bytes());
    if ends("password") || ends("passwd") || ends("passphrase") || ends("passcode") || *last == b"pwd" {
        return Some(Secrecy::Password);
    }
    if *last == b"pass" || *last == b"pw" {
        return (!owner.is_empty()).then_some(Secrecy::Password);
    }
    if ends("secret") {
        return Some(Secrecy::Random("secret"));
    }
    if ends("token") {
        return (!is_one_of(owner, &TEXT_TOKENS)).then_some(Secrecy::Random("token"));
    }
    if ends("key") {
        return key(last, owner, name);
    }
    match *last {
        b"authorization" => Some(Secrecy::Header),
        b"auth" | b"credential" | b"credentials" | b"creds" => Some(Secrecy::Random("credential")),
        b"sig" => Some(Secrecy::LongRandom("signature of a url")),
        b"signature" if is_one_of(owner, &["amz", "goog"]) => Some(Secrecy::LongRandom("signature of a url")),
        _ => None,
    }
}

fn key(last: &[u8], owner: &[u8], name: &[u8]) -> Option<Secrecy> {
    let joined = last.strip_suffix(b"key").unwrap_or_default();
    if is_one_of(joined, &KEY_OWNERS) || (joined.is_empty() && is_one_of(owner, &KEY_OWNERS)) {
        return Some(Secrecy::Random("key"));
    }
    // Whose key `ACME_KEY` is nobody can know; `cache_key` and `primary_key` are nobody's.
    let is_variable = !name.iter().any(u8::is_ascii_lowercase) && !owner.is_empty();
    is_variable.then_some(Secrecy::LongRandom("key"))
}

fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|other| other.as_bytes() == word)
}

/// `fooBar_BAZ-qux2` as `foo`, `bar`, `baz`, `qux`.
fn words(name: &[u8]) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut word: Vec<u8> = Vec::new();
    for (index, byte) in name.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| name[index]);
        let is_camel = byte.is_ascii_uppercase()
            && before.is_some_and(|before| {
                // `APIKey` is `API` and `Key`.
                let is_last = name.get(index + 1).is_some_and(u8::is_ascii_lowercase);
                before.is_ascii_lowercase() || before.is_ascii_digit() || (before.is_ascii_uppercase() && is_last)
            });
        if is_camel || !byte.is_ascii_alphabetic() {
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        }
        // Digits only part words: of `base64`, `base` is left.
        if byte.is_ascii_alphabetic() {
            word.push(byte.to_ascii_lowercase());
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in ["password", "DB_PASSWORD", "adminPassword", "MYSQL_PWD", "db_pass", "password2", "PASSWORD_PROD"] {
            assert_eq!(secrecy(name.as_bytes()), Some(Secrecy::Password), "{name}");
        }
        for name in ["token", "hfToken", "HF_TOKEN", "authtoken", "--access-token", "config.bot_token"] {
            assert_eq!(secrecy(name.as_bytes()), Some(Secrecy::Random("token")), "{name}");
        }
        for name in ["api_key", "APIKey", "apikey", "X-Api-Key", "AccountKey", "aws_secret_access_key", "WANDB_KEY"] {
            assert_eq!(secrecy(name.as_bytes()), Some(Secrecy::Random("key")), "{name}");
        }
        assert_eq!(secrecy(b"client_secret"), Some(Secrecy::Random("secret")));
        assert_eq!(secrecy(b"Authorization"), Some(Secrecy::Header));
        assert_eq!(secrecy(b"ACME_KEY"), Some(Secrecy::LongRandom("key")));
    }

    #[test]
    fn other_names_are_not() {
        for name in [
            "tokens",
            "max_tokens",
            "num_tokens",
            "tokenizer",
            "pad_token",
            "eos_token_id",
            "token_type_ids",
            "key",
            "keys",
            "cache_key",
            "primary_key",
            "access_key_id",
            "author",
            "authors",
            "monkey",
            "password_file",
            "secret_name",
            "pass",
            "keyboard",
        ] {
            assert_eq!(secrecy(name.as_bytes()), None, "{name}");
        }
    }
}
