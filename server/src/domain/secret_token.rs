//! Secrets that the server makes: unguessable, recognisable, stored only as a hash.

use sha2::{Digest, Sha256};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `count` characters of 0-9, A-Z and a-z, each 5.95 bits, from the system's random source.
///
/// Bytes that would make some characters likelier than others are thrown away.
pub fn random_base62(count: usize) -> Result<String, getrandom::Error> {
    let mut text = String::with_capacity(count);
    let mut bytes = [0; 64];
    while text.len() < count {
        getrandom::fill(&mut bytes)?;
        let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| BASE62[usize::from(byte % 62)]);
        text.extend(fair.take(count - text.len()).map(char::from));
    }
    Ok(text)
}

/// A number as `width` base62 digits, with leading zeros.
pub fn base62_digits(mut number: u32, width: usize) -> String {
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(number % 62) as usize];
        number /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

/// What is stored of a secret, and what it is looked up by.
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
