//! Values that are given to a name which says that they are secret, in any of the ways that shells,
//! programs, settings and headers have: `api_key = "…"`, `"token": "…"`, `--password …`, `X-Api-Key: …`.

use std::borrow::Cow;
use std::ops::Range;

use super::Span;
use super::entropy;
use super::names::{self, Secrecy};

/// What is longer is no name.
const NAME_MAX: usize = 64;
/// What is longer is no secret that somebody gives to a name.
const VALUE_MAX: usize = 8 * 1024;
/// What is shorter is not taken for a secret.
const VALUE_MIN: usize = 8;
/// A value of a name that may be anything's.
const LONG: usize = 20;

/// Adds what is given to the name that a hint is part of. Gives where that name ends.
pub fn find(text: &[u8], hint: Range<usize>, spans: &mut Vec<Span>) -> usize {
    if is_other_word(text, &hint) {
        return hint.end;
    }
    let name = name_around(text, &hint);
    let Some(given) = given_to(text, &name) else { return name.end };
    if let Some(secrecy) = names::secrecy(&text[name.clone()])
        && let Some((range, kind)) = secret(text, &given, secrecy)
    {
        spans.push(Span { range, kind: Cow::Borrowed(kind), is_more: false });
    }
    name.end
}

/// Adds what follows `Bearer `.
pub fn bearer(text: &[u8], at: usize, spans: &mut Vec<Span>) {
    let range = at..unquoted_end(text, at);
    if range.len() >= 16 && entropy::looks_random(&text[range.clone()]) {
        spans.push(Span { range, kind: Cow::Borrowed("bearer token"), is_more: false });
    }
}

/// Where a quoted value begins that is given to a name and does not end here.
pub fn open_quote(text: &[u8], hint: Range<usize>) -> Option<usize> {
    let name = name_around(text, &hint);
    let given = given_to(text, &name)?;
    (given.quote.is_some() && given.range.end == text.len()).then_some(given.range.start)
}

/// What an option is given as the next word of a command line: `--api-key`, `k3y…`. Gives its kind, if it is a
/// secret.
pub fn after_option(option: &[u8], word: &[u8]) -> Option<&'static str> {
    if option == b"-u" || option == b"--user" {
        let colon = word.iter().position(|byte| *byte == b':')?;
        let is_password = word.len() > colon + 3 && !entropy::is_placeholder(&word[colon + 1..]);
        return is_password.then_some("password");
    }
    if !option.starts_with(b"-") || option.contains(&b'=') {
        return None;
    }
    let given = Given { range: 0..word.len(), quote: Some(b' ') };
    secret(word, &given, names::secrecy(option)?).map(|(_, kind)| kind)
}

/// `tokens`, `keyboard`: where a word has to end, it goes on. Told at once, because texts are full of them.
fn is_other_word(text: &[u8], hint: &Range<usize>) -> bool {
    let ends_word = [b"ken".as_slice(), b"key", b"ret"].iter().any(|end| {
        let last = &text[hint.end - 3..hint.end];
        last.eq_ignore_ascii_case(end)
    });
    let last = text[hint.end - 1];
    ends_word
        && text
            .get(hint.end)
            .is_some_and(|next| next.is_ascii_alphabetic() && next.is_ascii_lowercase() == last.is_ascii_lowercase())
}

/// What stands behind a name.
struct Given {
    range: Range<usize>,
    quote: Option<u8>,
}

fn name_around(text: &[u8], hint: &Range<usize>) -> Range<usize> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let before = text[hint.start.saturating_sub(NAME_MAX)..hint.start].iter().rev().take_while(|byte| is_part(byte));
    let start = hint.start - before.count();
    let from = if hint.end > start && matches!(text[hint.end - 1], b'=') { hint.end - 1 } else { hint.end };
    let after = text[from..].iter().take(NAME_MAX).take_while(|byte| is_part(byte)).count();
    // Of `\nTOKEN` in JSON, `n` is no part; nor is the end of a colour.
    let foreign = match (start.checked_sub(1).map(|at| text[at]), &text[start..hint.start]) {
        (Some(b'\\'), [b'n' | b'r' | b't', ..]) => 1,
        (Some(b'[' | b';'), name) => {
            let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if name.get(digits) == Some(&b'm') { digits + 1 } else { 0 }
        }
        _ => 0,
    };
    start + foreign..from + after
}

/// Skips blanks, but not the end of a line.
fn skip(text: &[u8], from: usize, which: &[u8]) -> usize {
    text[from..].iter().position(|byte| !which.contains(byte)).map_or(text.len(), |count| from + count)
}

fn given_to(text: &[u8], name: &Range<usize>) -> Option<Given> {
    // `"name"`, `\"name\"`, `["name"]`
    let closed = skip(text, name.end, b"\"'`\\]").min(name.end + 4);
    let at = skip(text, closed, b" \t");
    let value = match text.get(at)? {
        b'=' => skip(text, at, b"=>~"),
        b':' if text[at..].starts_with(b":=") => at + 2,
        b':' if matches!(text.get(at + 1), Some(b'/' | b':')) => return None,
        b':' => at + 1,
        b'>' if at == name.end => return tag(text, at + 1),
        _ if at > name.end && is_option(text, name) => at,
        _ => return None,
    };
    let given = value_at(text, skip(text, value, b" \t"));
    // `password: str = "…"`
    let annotated = skip(text, given.range.end, b" \t");
    let is_type = given.quote.is_none() && text.get(annotated) == Some(&b'=') && text.get(at) == Some(&b':');
    Some(if is_type { value_at(text, skip(text, annotated + 1, b" \t")) } else { given })
}

/// `--token …`; and in `.netrc`, `login ada password …`.
fn is_option(text: &[u8], name: &Range<usize>) -> bool {
    let before = &text[name.start.saturating_sub(NAME_MAX * 2)..name.start];
    let line = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let before = &before[line..];
    text[name.start] == b'-'
        || (&text[name.clone()] == b"password" && memchr::memmem::find(before, b"login ").is_some())
}

/// `<password>…<`
fn tag(text: &[u8], at: usize) -> Option<Given> {
    let length = text[at..].iter().take(VALUE_MAX).position(|byte| matches!(byte, b'<' | b'\n'))?;
    (text[at + length] == b'<').then_some(Given { range: at..at + length, quote: Some(b'<') })
}

fn value_at(text: &[u8], at: usize) -> Given {
    // `\"…\"` in JSON within JSON, `f"…"` in Python
    let quote_at = match text.get(at..).unwrap_or_default() {
        [b'\\' | b'b' | b'f' | b'r' | b'u', b'"' | b'\'', ..] => at + 1,
        _ => at,
    };
    match text.get(quote_at) {
        Some(quote @ (b'"' | b'\'' | b'`')) => {
            let start = quote_at + 1;
            let is_escaped = text[quote_at - usize::from(quote_at > at)] == b'\\';
            let ends = |byte: &u8| byte == quote || *byte == b'\n' || (is_escaped && *byte == b'\\');
            let length = text[start..].iter().take(VALUE_MAX).position(ends);
            let end = length.map_or(text.len().min(start + VALUE_MAX), |length| start + length);
            Given { range: start..end, quote: Some(*quote) }
        }
        _ => Given { range: at..unquoted_end(text, at), quote: None },
    }
}

fn unquoted_end(text: &[u8], at: usize) -> usize {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`,;&<>|\\\x1b".contains(byte);
    let length = text[at..].iter().take(VALUE_MAX).position(ends);
    let end = length.map_or(text.len().min(at + VALUE_MAX), |length| at + length);
    // What closes what was opened before the name, and the end of a sentence.
    let opened = text[at..end].iter().any(|byte| b"([{".contains(byte));
    let closes = |byte: &&u8| b".:".contains(byte) || (!opened && b")]}".contains(byte));
    end - text[at..end].iter().rev().take_while(closes).count()
}

/// The part of a value that is secret, and what it is.
fn secret(text: &[u8], given: &Given, secrecy: Secrecy) -> Option<(Range<usize>, &'static str)> {
    let (range, kind) = match secrecy {
        Secrecy::Header => (without_scheme(text, given), "authorization header"),
        Secrecy::Password => (given.range.clone(), "password"),
        Secrecy::Random(kind) | Secrecy::LongRandom(kind) => (without_scheme(text, given), kind),
    };
    let value = &text[range.clone()];
    let is_path = entropy::is_path(value) || memchr::memmem::find(value, b"::").is_some();
    if value.len() < VALUE_MIN || is_path || entropy::is_placeholder(value) {
        return None;
    }
    let is_quoted = given.quote.is_some();
    let is_secret = match secrecy {
        Secrecy::Password => is_password(value, is_quoted),
        Secrecy::Random(_) | Secrecy::Header => !is_unquoted_code(value, is_quoted) && entropy::looks_random(value),
        Secrecy::LongRandom(_) => value.len() >= LONG && entropy::looks_random(value) && entropy::has_both(value),
    };
    is_secret.then_some((range, kind))
}

fn is_unquoted_code(value: &[u8], is_quoted: bool) -> bool {
    !is_quoted && entropy::is_code(value)
}

/// People's passwords are short and hold words; but a word alone, or a sentence, is none.
fn is_password(value: &[u8], is_quoted: bool) -> bool {
    if is_unquoted_code(value, is_quoted) || entropy::is_number(value) || value.contains(&b' ') {
        return false;
    }
    let is_name = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    // `caching_sha2_password`
    let is_snake = value.contains(&b'_') && value.iter().all(|byte| !byte.is_ascii_uppercase());
    if value.iter().all(is_name) || is_snake {
        return entropy::looks_random(value);
    }
    entropy::is_mixed(value)
}

/// Of `Bearer k3y…`, the key alone.
fn without_scheme(text: &[u8], given: &Given) -> Range<usize> {
    let value = &text[given.range.clone()];
    let scheme = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let is_scheme = ["bearer", "basic", "token", "apikey", "key", "digest", "negotiate"]
        .iter()
        .any(|name| value[..scheme].eq_ignore_ascii_case(name.as_bytes()));
    if !is_scheme {
        return given.range.clone();
    }
    let start = skip(text, given.range.start + scheme, b" ");
    if given.quote.is_some() { start.min(given.range.end)..given.range.end } else { start..unquoted_end(text, start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut spans = Vec::new();
        let words = ["password", "passwd", "pwd", "PASSWORD", "token", "TOKEN", "key", "KEY", "Key", "secret", "auth"];
        for word in words {
            for (at, word) in text.match_indices(word) {
                find(text.as_bytes(), at..at + word.len(), &mut spans);
            }
            for (at, word) in text.match_indices("Auth") {
                find(text.as_bytes(), at..at + word.len(), &mut spans);
            }
        }
        spans.sort_by_key(|span| span.range.start);
        spans.dedup();
        spans.into_iter().map(|span| &text[span.range]).collect()
    }

    #[test]
    fn a_value_is_found_in_all_ways_of_giving_it() {
        let value = "k3J9xQ2mLp8Rt5Vw";
        for text in [
            format!("api_key={value}"),
            format!("api_key = \"{value}\""),
            format!("\"api_key\": \"{value}\","),
            format!("{{\\\"api_key\\\": \\\"{value}\\\"}}"),
            format!("{{'api_key': '{value}'}}"),
            format!("os.environ[\"API_KEY\"] = '{value}'"),
            format!("--api-key {value} --lr 0.1"),
            format!("--api-key='{value}'"),
            format!("X-Api-Key: {value}"),
            format!("api_key: str = \"{value}\""),
            format!("api_key := \"{value}\""),
            format!("<api_key>{value}</api_key>"),
            format!("Client(api_key={value})"),
            format!("https://h/x?a=1&token={value}&b=2"),
            format!("export WANDB_API_KEY={value}; train"),
            format!("Authorization: Bearer {value}"),
            format!("\"Authorization\": \"Basic {value}\""),
            format!("machine h login ada password {value}"),
            format!("a\\nTOKEN={value}\\nb"),
        ] {
            assert_eq!(found(&text), [value], "{text}");
        }
    }

    #[test]
    fn peoples_passwords_are_found_as_well() {
        assert_eq!(found("password: hunter2022"), ["hunter2022"]);
        assert_eq!(found("DB_PASSWORD='correct-horse-7'"), ["correct-horse-7"]);
        assert_eq!(found("passwd=p@ssw0rd!"), ["p@ssw0rd!"]);
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "tokens=1024",
            "max_tokens: 4096",
            "tokenizer = \"bert-base-uncased\"",
            "password = getpass()",
            "token = os.environ['HF_TOKEN']",
            "token=tokenizer.pad_token",
            "password: required",
            "\"password\": \"must have 8 characters\"",
            "api_key = args.api_key",
            "token: \"international\"",
            "eos_token='<|endoftext|>'",
            "token_path=/home/ada/.cache/huggingface/token",
            "secret: my-app-secret",
            "api_key: YOUR_API_KEY_1",
            "key: 3f786850e387550fdab836ed7e6dc881de23001b",
            "KeyError: 'encoder.layers.11.weight1'",
            "auth = HTTPBasicAuth(user1, pass2)",
            "if token == previous_token:",
            "password_hash_rounds=12345678",
            "password: \"caching_sha2_password\"",
            "let passwd = mem::MaybeUninit::<libc::passwd>",
            "force_password: true/false",
            "E_WRONG_PASSWORD: HRESULT = 0xC000006A",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
