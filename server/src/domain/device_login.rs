//! `otrace login` in the browser: a machine shows a short code, a person compares it and approves.
//!
//! RFC 8628's idea: the machine holds a long secret and asks with it; the short code only finds the
//! request, works for minutes, and tries are counted.

use time::{Duration, OffsetDateTime};

/// How long a person has to approve.
pub const LIFETIME: Duration = Duration::minutes(15);
/// How long a machine waits between two questions, in seconds.
pub const INTERVAL_SECONDS: u64 = 2;
/// What the machine's secret begins with.
pub const DEVICE_CODE_PREFIX: &str = "trd_";

/// Letters that are not mistaken for one another, and spell no words: 20 of them.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const CODE_CHARS: usize = 8;

/// A machine that asks for a key.
#[derive(Clone, Debug)]
pub struct DeviceLogin {
    /// The short code, eight letters.
    pub user_code: String,
    /// The program that asks, such as `otrace 0.2.0`.
    pub client: String,
    /// What the machine calls itself.
    pub machine: String,
    /// The address that it asks from.
    pub address: Option<String>,
    /// When it asked.
    pub created_at: OffsetDateTime,
}

/// A new short code: eight letters, 34 bits.
pub fn generate_user_code() -> Result<String, getrandom::Error> {
    let mut code = String::with_capacity(CODE_CHARS);
    let mut bytes = [0; 32];
    while code.len() < CODE_CHARS {
        getrandom::fill(&mut bytes)?;
        // Bytes that would make some letters likelier than others are thrown away.
        let fair = bytes.iter().filter(|byte| **byte < 240).map(|byte| LETTERS[usize::from(byte % 20)]);
        code.extend(fair.take(CODE_CHARS - code.len()).map(char::from));
    }
    Ok(code)
}

/// A code as it is shown: `BCDF-GHJK`.
pub fn shown(user_code: &str) -> String {
    match user_code.split_at_checked(CODE_CHARS / 2) {
        Some((left, right)) => format!("{left}-{right}"),
        None => user_code.to_owned(),
    }
}

/// A code as a person types it: small letters, with or without the hyphen. `None`: it can be no code.
pub fn parse_user_code(text: &str) -> Option<String> {
    let code: String =
        text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
    (code.len() == CODE_CHARS && code.bytes().all(|byte| LETTERS.contains(&byte))).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_being_shown_and_typed() {
        let code = generate_user_code().unwrap();
        assert_eq!(shown(&code).len(), 9);
        assert_eq!(parse_user_code(&shown(&code)).as_ref(), Some(&code));
        assert_eq!(parse_user_code(&format!(" {} ", code.to_lowercase())).as_ref(), Some(&code));
        assert_ne!(code, generate_user_code().unwrap());
    }

    #[test]
    fn what_can_be_no_code_is_none() {
        for text in ["", "BCDF", "BCDF-GHJKL", "BCDF-GHJA", "BCDFGHJé", "'; DROP --"] {
            assert_eq!(parse_user_code(text), None, "{text}");
        }
    }
}
