//! Whether a value looks made up by a machine, or is a word, a number, a path, a placeholder, or code.

/// What stands where a value is to be filled in.
const PLACEHOLDERS: [&str; 27] = [
    "xxxx", "****", "....", "____", "----", "####", "your", "example", "placeholder", "redacted", "masked", "hidden",
    "changeme", "change_me", "change-me", "replace", "dummy", "undefined", "none", "null", "insert", "todo", "fake",
    "sample", "secret_here", "not-needed", "notneeded",
];

/// Whether the value only says where a secret would stand.
pub fn is_placeholder(value: &[u8]) -> bool {
    let is_open = matches!(value.first(), None | Some(b'$' | b'<' | b'{' | b'[' | b'(' | b'@' | b'*'));
    if is_open || value.starts_with(b"%(") || value.starts_with(b"%s") {
        return true;
    }
    let lower = value.to_ascii_lowercase();
    let holds = |part: &[u8]| memchr::memmem::find(&lower, part).is_some();
    // Long ones may hold any four letters by chance.
    let is_short = value.len() < 40;
    (is_short && PLACEHOLDERS.iter().any(|word| holds(word.as_bytes())))
        || holds(b"${")
        || holds(b"{{")
        || distinct(value) < 4
}

/// Whether it is code that gets the secret from elsewhere.
pub fn is_code(value: &[u8]) -> bool {
    let is_call = value.iter().any(|byte| matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}'));
    if is_call || value.starts_with(b"0x") {
        return true;
    }
    // `args.api_key`, `self._token`
    let mut parts = value.split(|byte| *byte == b'.').peekable();
    let is_name = |part: &[u8]| {
        part.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            && !looks_random(part)
    };
    value.contains(&b'.') && parts.all(is_name)
}

/// Whether it is a number, perhaps with a unit, a date, a range, a version.
pub fn is_number(value: &[u8]) -> bool {
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let others = value.iter().filter(|byte| !byte.is_ascii_alphanumeric() && !b".,:+-_/%x".contains(byte)).count();
    value.first().is_some_and(|byte| byte.is_ascii_digit() || b".+-".contains(byte)) && letters <= 2 && others == 0
}

/// Whether it is a path or an address without a password.
pub fn is_path(value: &[u8]) -> bool {
    let starts: [&[u8]; 7] = [b"/", b"./", b"../", b"~", b"file:", b"http:", b"https:"];
    starts.iter().any(|start| value.starts_with(start)) && distinct_classes(value) < 4
}

/// Whether it is made of words as names are: `my-model_v2`, `fooBar`, `bert.base`.
pub fn is_words(value: &[u8]) -> bool {
    value.split(|byte| !byte.is_ascii_alphanumeric()).all(is_word)
}

/// A word, perhaps with a number before or after it: `layer12`, `4bit`, `camelCase`, or a short number.
fn is_word(part: &[u8]) -> bool {
    let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == part.len() {
        return digits <= 8;
    }
    let changes = part.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    let capitals = part.iter().skip(1).filter(|byte| byte.is_ascii_uppercase()).count();
    let is_shouted = !part.iter().any(u8::is_ascii_lowercase);
    let is_camel = capitals == 0 || part.len() >= 3 * (1 + capitals);
    digits <= 5 && changes <= 2 && (is_shouted || is_camel) && (digits == 0 || part.len() < 24)
}

/// Whether it was made by a machine to be unguessable.
pub fn looks_random(value: &[u8]) -> bool {
    let value = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
    if value.len() < 8 || is_words(value) || is_number(value) || value.contains(&b' ') {
        return false;
    }
    let needed = if value.len() >= 16 { 3.0 } else { 2.5 };
    entropy(value) >= needed && changes(value) * 8 >= value.len()
}

/// Whether it has letters and digits, and many different ones.
pub fn has_both(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic) && varies(value)
}

/// Whether it has many different characters for its length.
pub fn varies(value: &[u8]) -> bool {
    distinct(value) >= if value.len() >= 20 { 8 } else { 6 }
}

/// Two of: small letters, capitals, digits, others.
pub fn is_mixed(value: &[u8]) -> bool {
    distinct_classes(value) >= 2
}

fn distinct(value: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in value {
        seen[usize::from(*byte)] = true;
    }
    seen.iter().filter(|seen| **seen).count()
}

fn class(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

fn distinct_classes(value: &[u8]) -> usize {
    (0..4).filter(|wanted| value.iter().any(|byte| class(*byte) == *wanted)).count()
}

/// How often its characters change their class. A capital before small letters is one word with them.
fn changes(value: &[u8]) -> usize {
    value
        .windows(2)
        .filter(|pair| class(pair[0]) != class(pair[1]) && (class(pair[0]), class(pair[1])) != (1, 0))
        .count()
}

/// Shannon's, in bits for each character.
fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    let length: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let bits = |count: &u32| {
        let share = f64::from(*count) / length;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(bits).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_made_looks_random() {
        for value in [
            "k3J9xQ2mLp8Rt5Vw",
            "d41d8cd98f00b204e9800998ecf8427e",
            "wJalrXUtnFEMIK7MDENGbPxRfiCYz9",
            "a8f3k2p9",
            "0ee0646c-7b21-4c5f-8e91-aa3bd5c0f1e2",
            "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==",
        ] {
            assert!(looks_random(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn words_numbers_and_names_do_not() {
        for value in [
            "bert-base-uncased",
            "meta-llama/Llama-3.1-8B-Instruct",
            "1024",
            "0.00031",
            "2024-06-01T12:00:00",
            "tokenizer_config",
            "international",
            "AutoTokenizer",
            "max_position_embeddings",
            "cosine_with_restarts",
            "sha256",
            "oauth2_flow",
            "AuthorizationForStatementDenied",
        ] {
            assert!(!looks_random(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn placeholders_and_code_are_told() {
        for value in ["<token>", "${TOKEN}", "your-api-key-1", "xxxxxxxx1", "aaaaaaaa", "[PAD]", "$1"] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in
            ["getpass()", "os.environ['X']", "args.hf_token", "self._key", "0xC000006A", "ed25519.Ed25519PrivateKey"]
        {
            assert!(is_code(value.as_bytes()), "{value}");
        }
        assert!(!is_code(b"pa.ss1!word") && !is_placeholder(b"hunter2022"));
    }

    #[test]
    fn paths_are_told_from_keys_that_begin_with_a_slash() {
        assert!(is_path(b"/home/ada/token.txt") && is_path(b"./keys") && is_path(b"https://example.com"));
        assert!(!is_path(b"wJalr/XUtn"));
    }
}
