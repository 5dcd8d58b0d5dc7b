//! The secrets that are known to be in use here: what `.env` files and the environment hold.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use uuid::Uuid;

use super::Span;
use super::entropy;
use super::names::{self, Secrecy};
use super::remembered::{Hashes, Remembered};

/// What is larger is no file of settings.
const FILE_MAX: u64 = 1024 * 1024;
/// What is shorter would be found in many a word.
const VALUE_MIN: usize = 8;
const VALUE_MAX: usize = 4 * 1024;
/// A value must be this long to count where its name says nothing.
const NAMELESS_MIN: usize = 16;
/// So many values are looked for.
const VALUES_MAX: usize = 500;

/// Ends of the names of files that only show which settings there are.
const EXAMPLES: [&str; 5] = [".example", ".sample", ".template", ".dist", ".tmpl"];
/// Passwords that are everywhere, and words that are everywhere.
const COMMON: [&str; 20] = [
    "password", "passw0rd", "postgres", "postgresql", "localhost", "username", "anonymous", "disabled", "required",
    "optional", "automatic", "production", "development", "staging", "minioadmin", "12345678", "rabbitmq", "database",
    "internal", "external",
];
/// Variables that are named like secrets and are none.
const PUBLIC: [&str; 2] = ["GPG_KEY", "SSH_AUTH_SOCK"];

/// The values.
pub struct Values {
    kinds: Vec<String>,
    texts: Vec<Vec<u8>>,
    search: Option<AhoCorasick>,
    /// Those of which only hashes are known.
    hashes: Hashes,
}

impl Values {
    /// Those of the `.env` files in a folder, and of these variables.
    pub fn of(folder: &Path, variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, BuildError> {
        let mut values = Self { kinds: Vec::new(), texts: Vec::new(), search: None, hashes: Hashes::default() };
        for file in files(folder) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = fs::read(&file).unwrap_or_default();
            for (variable, value) in text.split(|byte| *byte == b'\n').filter_map(setting) {
                if is_secret(variable, value, folder, true) {
                    values.add(format!("{name} value {}", String::from_utf8_lossy(variable)), value);
                }
            }
        }
        for (variable, value) in variables {
            let (variable, value) = (variable.as_bytes(), value.as_bytes());
            if is_secret(variable, value, folder, false) {
                values.add(format!("environment value {}", String::from_utf8_lossy(variable)), value);
            }
        }
        if !values.texts.is_empty() {
            let search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&values.texts)?;
            values.search = Some(search);
        }
        Ok(values)
    }

    /// These, and those that were known when a run began.
    pub fn remembering(self, run: Uuid, remembered: &[Remembered]) -> Self {
        // What is here still is found without its hash, and sooner.
        let here = self.remembered(run);
        let is_gone =
            |secret: &&Remembered| (VALUE_MIN..=VALUE_MAX).contains(&secret.length()) && !here.contains(secret);
        let hashes = Hashes::of(run, remembered.iter().filter(is_gone).take(VALUES_MAX).cloned());
        Self { hashes, ..self }
    }

    /// These, by hashes that are a run's own.
    pub fn remembered(&self, run: Uuid) -> Vec<Remembered> {
        self.kinds.iter().zip(&self.texts).map(|(kind, text)| Remembered::of(kind, text, run)).collect()
    }

    fn add(&mut self, kind: String, value: &[u8]) {
        let is_known = self.texts.iter().any(|text| text == value);
        if !is_known && self.texts.len() < VALUES_MAX {
            self.kinds.push(kind);
            self.texts.push(value.to_vec());
        }
    }

    /// Adds those that are in a text.
    pub fn find(&self, text: &[u8], spans: &mut Vec<Span>) {
        for hit in self.search.iter().flat_map(|search| search.find_iter(text)) {
            let kind = Cow::Owned(self.kinds[hit.pattern().as_usize()].clone());
            spans.push(Span { range: hit.range(), kind, is_more: false });
        }
        self.hashes.find(text, spans);
    }

    /// How much of the beginning of a text holds no beginning of one that goes on behind its end.
    pub fn safe_end(&self, text: &[u8]) -> usize {
        let begun = |value: &Vec<u8>| {
            let longest = value.len().min(text.len() + 1) - 1;
            (1..=longest).rev().find(|length| text.ends_with(&value[..*length])).unwrap_or(0)
        };
        text.len() - self.texts.iter().map(begun).max().unwrap_or(0)
    }
}

/// `.env` first, so that its name is the one that is told.
fn files(folder: &Path) -> Vec<PathBuf> {
    let is_settings = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        (name == ".env" || name.starts_with(".env.") || name == ".envrc")
            && !EXAMPLES.iter().any(|end| name.ends_with(end))
            && path.metadata().is_ok_and(|found| found.is_file() && found.len() <= FILE_MAX)
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(is_settings).collect();
    files.sort();
    files
}

/// `NAME=value`, `export NAME="value"`
fn setting(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"export ").unwrap_or(line);
    let equals = line.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (line[..equals].trim_ascii(), line[equals + 1..].trim_ascii());
    if name.starts_with(b"#") {
        return None;
    }
    let quoted = [b'"', b'\''].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(&[quote])?;
        let end = inner.iter().position(|byte| *byte == quote)?;
        Some(&inner[..end])
    });
    let comment = memchr::memmem::find(value, b" #").unwrap_or(value.len());
    Some((name, quoted.unwrap_or_else(|| value[..comment].trim_ascii_end())))
}

fn is_secret(name: &[u8], value: &[u8], folder: &Path, is_from_file: bool) -> bool {
    let is_value = (VALUE_MIN..=VALUE_MAX).contains(&value.len()) && !value.contains(&b'\n');
    if !is_value || is_one_of(name, &PUBLIC) || is_trivial(value, folder) {
        return false;
    }
    match names::secrecy(name) {
        Some(Secrecy::Password | Secrecy::Random(_) | Secrecy::Header) => true,
        Some(Secrecy::LongRandom(_)) => entropy::looks_random(value),
        // `GIT_COMMIT` and the like are random as well, and in many places.
        None => {
            let is_hash = value.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
            is_from_file && value.len() >= NAMELESS_MIN && !is_hash && entropy::looks_random(value)
        }
    }
}

/// Whether it would be found where nobody meant it.
fn is_trivial(value: &[u8], folder: &Path) -> bool {
    let is_there = || std::str::from_utf8(value).is_ok_and(|path| folder.join(path).exists());
    // The password of a URL is found by itself.
    let is_url = memchr::memmem::find(value, b"://").is_some();
    is_url
        || is_one_of(&value.to_ascii_lowercase(), &COMMON)
        || entropy::is_placeholder(value)
        || entropy::is_number(value)
        || entropy::is_path(value)
        || is_there()
}

fn is_one_of(text: &[u8], texts: &[&str]) -> bool {
    texts.iter().any(|other| other.as_bytes() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(settings: &str, variables: &[(&str, &str)]) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(".env"), settings).expect("written");
        fs::write(folder.path().join(".env.example"), "A_PASSWORD=shown-to-all-7\n").expect("written");
        fs::write(folder.path().join("token-file"), "").expect("written");
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let values = Values::of(folder.path(), variables).expect("values");
        let texts = values.texts.iter().map(|text| String::from_utf8_lossy(text).into_owned());
        values.kinds.iter().cloned().zip(texts).collect()
    }

    #[test]
    fn values_of_secret_names_are_looked_for_whatever_they_look_like() {
        let found = values(
            "DB_PASSWORD=\"correct horse 7\"\nexport HF_TOKEN='mysecrettoken' # mine\n# X_TOKEN=commented1\nSALT=k3J9xQ2mLp8Rt5Vw\n",
            &[("OPENAI_API_KEY", "abcdefghij"), ("HF_TOKEN", "mysecrettoken")],
        );
        let expected = [
            (".env value DB_PASSWORD", "correct horse 7"),
            (".env value HF_TOKEN", "mysecrettoken"),
            (".env value SALT", "k3J9xQ2mLp8Rt5Vw"),
            ("environment value OPENAI_API_KEY", "abcdefghij"),
        ];
        assert_eq!(found, expected.map(|(kind, text)| (kind.to_owned(), text.to_owned())));
    }

    #[test]
    fn what_would_be_found_everywhere_is_not() {
        let settings = "API_TOKEN=token-file\nDB_PASSWORD=postgres\nPASSWORD=short\nMODEL=bert-base-uncased\n\
                        COMMIT=3f786850e387550fdab836ed7e6dc881de23001b\nAPI_KEY=<your key>\nURL_TOKEN=http://h:8000\n";
        let variables = [
            ("GPG_KEY", "E3FF2839C048B25C084DEBE9B26995E310250568"),
            ("SSH_AUTH_SOCK", "/tmp/agent.7"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/home/ada/key.json"),
            ("HOME_SALT", "k3J9xQ2mLp8Rt5Vw"),
            ("OLDPWD", "/home/ada"),
        ];
        assert_eq!(values(settings, &variables), []);
    }

    #[test]
    fn the_beginning_of_a_value_at_the_end_of_a_text_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let variables = [("A_TOKEN", "abc abc def")].map(|(name, value)| (name.into(), value.into()));
        let values = Values::of(folder.path(), variables.into_iter()).expect("values");
        assert_eq!(values.safe_end(b"x abc"), 2);
        assert_eq!(values.safe_end(b"x abc ab"), 2);
        assert_eq!(values.safe_end(b"x xyz"), 5);
        assert_eq!(values.safe_end(b""), 0);
    }
}
