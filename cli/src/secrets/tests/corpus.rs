//! Each kind of secret in each place, through what really masks it there.

use std::fs;
use std::path::Path;

use super::masker;
use crate::capture::masked;
use crate::run_spec::RunSpec;
use crate::secrets::{Masker, Surface};
use crate::stored_log::StoredLog;

const CORPUS: &str = include_str!("../corpus.tsv");
/// So many of each kind.
const VARIANTS: u64 = 2;

/// The same numbers each time.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("it is less than the sides")
    }

    /// So many letters of an alphabet.
    pub fn text(&mut self, alphabet: &str, length: usize) -> String {
        (0..length).map(|_| char::from(alphabet.as_bytes()[self.roll(alphabet.len())])).collect()
    }
}

pub const ALNUM: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
pub const HEX: &str = "0123456789abcdef";
pub const BASE64: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/";

/// What a template comes to, and the parts of it that were made up.
fn filled(template: &str, dice: &mut Dice) -> (String, Vec<String>) {
    let (mut text, mut parts, mut rest) = (String::new(), Vec::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (what, behind) = after.split_once('}').expect("a closing brace");
        // What is no such mark is part of the text.
        let Ok(length) = what.get(1..).unwrap_or_default().parse::<usize>() else {
            text.push('{');
            rest = after;
            continue;
        };
        let made = match &what[..1] {
            "A" => dice.text(ALNUM, length),
            "h" => dice.text(HEX, length),
            "U" => dice.text(&ALNUM[..36], length),
            "d" => dice.text(&ALNUM[..10], length),
            "b" => dice.text(BASE64, length),
            "u" => {
                let inner = dice.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_", length - 1);
                // A hyphen at the end is seen as the sentence's by people as well.
                format!("{inner}{}", dice.text(ALNUM, 1))
            }
            other => panic!("{other} is no alphabet"),
        };
        text.push_str(&made);
        if length >= 16 || !"Ud".contains(&what[..1]) {
            parts.push(made);
        }
        rest = behind;
    }
    (text + rest, parts)
}

/// The text as each place shows it in the end.
fn in_each_place(masker: &Masker, folder: &Path, secret: &str) -> Vec<(&'static str, String)> {
    let surface = || Surface::File("a.txt".to_owned());
    let file = |text: &str| {
        let source = folder.join("source");
        fs::write(&source, text).expect("written");
        let copied = masked::copy(&source, folder.join("copy"), Some((masker, surface()))).expect("copied");
        fs::read_to_string(copied.file.path).expect("read")
    };
    let diff = |text: &str| {
        let path = folder.join("diff");
        fs::write(&path, text).expect("written");
        let changed = masked::in_place(path, Some((masker, Surface::DirtyDiff))).expect("masked");
        fs::read_to_string(changed.file.path).expect("read")
    };
    let log = |text: &str| {
        let path = folder.join("a.stdout.log");
        let mut log = StoredLog::create(&path, Some(masker.clone())).expect("a log");
        for piece in text.as_bytes().chunks(29) {
            log.write(piece).expect("written");
        }
        let stored = log.finish().file;
        fs::read_to_string(stored.path).expect("read")
    };
    let command = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        masker.mask_spec(&RunSpec { command: words, ..RunSpec::default() }).command.join(" ")
    };
    let json = serde_json::to_string(&format!("first\n{secret}\nlast")).expect("JSON");
    vec![
        ("a word of the command", command(&["train", secret])),
        ("a script in the command", command(&["sh", "-c", &format!("export A=1; {secret}; train")])),
        ("the intent", masker.mask_text(&Surface::Intent, &format!("to see {secret} work"))),
        ("a diff", diff(&format!("@@ -1 +1 @@\n-old\n+{secret}\n context\n"))),
        ("an untracked file", file(&format!("first\n    {secret}\nlast\n"))),
        ("a config", file(&format!("lr: 0.1\n{secret}\n"))),
        ("stdout", log(&format!("epoch 1\n2024-06-01 12:00:00 INFO using {secret}\nepoch 2\n"))),
        ("a coloured log", log(&format!("\u{1b}[32m{secret}\u{1b}[0m\n"))),
        ("a log of JSON lines", log(&format!("{{\"message\": {json}}}\n"))),
    ]
}

#[test]
fn secrets_of_all_kinds_are_masked_in_all_places() {
    let folder = tempfile::tempdir().expect("a folder");
    let masker = masker(&[]);
    let (mut dice, mut kinds, mut tried) = (Dice(42), 0, 0);
    let mut missed = Vec::new();
    for line in CORPUS.lines().filter(|line| !line.starts_with('#')) {
        let (kind, template) = line.split_once('\t').expect("a kind and a template");
        kinds += 1;
        for _ in 0..VARIANTS {
            let (secret, parts) = filled(template, &mut dice);
            for (place, text) in in_each_place(&masker, folder.path(), &secret) {
                tried += 1;
                if parts.iter().any(|part| text.contains(part.as_str())) {
                    missed.push(format!("{kind} in {place}: {text}"));
                }
            }
        }
    }
    assert!(kinds >= 60, "{kinds}");
    assert!(missed.len() * 100 <= tried, "{} of {tried}:\n{}", missed.len(), missed.join("\n"));
}
