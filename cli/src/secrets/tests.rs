//! Secrets of all kinds in all places, and ordinary text, of which nothing is masked.

mod corpus;
mod ordinary;

use std::borrow::Cow;

use proptest::prelude::*;

use super::values::Values;
use super::*;

/// One that knows nothing of this machine.
pub fn masker(variables: &[(&str, &str)]) -> Masker {
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    let values = Values::of(std::path::Path::new("/nowhere"), variables);
    Masker::new(Scanner::with(values).expect("a scanner"))
}

fn masked(masker: &Masker, text: &str) -> String {
    masker.mask_text(&Surface::Stdout, text)
}

const TOKEN: &str = "ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R";

#[test]
fn a_secret_is_named_and_the_rest_of_the_line_stays() {
    let masker = masker(&[("OPENAI_API_KEY", "correct horse")]);
    let text = format!("using {TOKEN}, then \"correct horse\".\nepoch 1\n");
    let expected = "using [masked: github token], then \"[masked: environment value OPENAI_API_KEY]\".\nepoch 1\n";
    assert_eq!(masked(&masker, &text), expected);
    let report = masker.report().join("\n");
    assert!(report.contains("masked 2 secrets") && report.contains("github token in stdout (line 1)"), "{report}");
    assert!(!report.contains("correct horse") && !report.contains("0a1B2c"), "{report}");
}

#[test]
fn what_is_masked_is_masked_the_same_again() {
    let masker = masker(&[]);
    let once = masked(&masker, &format!("token={TOKEN} password: s3cret-pass\n"));
    assert_eq!(once, "token=[masked: github token] password: [masked: password]\n");
    assert_eq!(masked(&masker, &once), once);
}

#[test]
fn a_text_without_secrets_is_not_even_copied() {
    let masker = masker(&[]);
    assert!(matches!(masker.mask(&Surface::Command, b"python train.py --lr 0.1"), Cow::Borrowed(_)));
    assert!(masker.report().is_empty());
}

#[test]
fn neither_a_masker_nor_what_it_found_shows_a_secret() {
    let masker = masker(&[("A_TOKEN", "s3cr3t-value-1")]);
    masked(&masker, "s3cr3t-value-1");
    assert!(!format!("{masker:?}").contains("s3cr3t"));
}

#[test]
fn an_option_and_its_value_may_be_two_words() {
    let masker = masker(&[]);
    let spec = crate::run_spec::RunSpec {
        command: ["curl", "-u", "ada:s3cret", "--token", "k3J9xQ2mLp8Rt5Vw", "--lr", "0.1", "--tokens", "1024"]
            .map(str::to_owned)
            .to_vec(),
        intent: format!("with {TOKEN}"),
        ..crate::run_spec::RunSpec::default()
    };
    let shown = masker.mask_spec(&spec);
    let expected =
        ["curl", "-u", "[masked: password]", "--token", "[masked: token]", "--lr", "0.1", "--tokens", "1024"];
    assert_eq!(shown.command, expected);
    assert_eq!(shown.intent, "with [masked: github token]");
    assert!(masker.report()[0].contains("masked 3 secrets"), "{:?}", masker.report());
}

/// A text that went through in pieces that end at these places.
fn streamed(masker: &Masker, text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut stream = masker.stream(Surface::Stdout);
    let (mut out, mut at) = (Vec::new(), 0);
    for cut in cuts.iter().map(|cut| cut % (text.len() + 1)).chain([text.len()]) {
        if cut > at {
            stream.push(&text[at..cut], &mut out);
            at = cut;
        }
    }
    stream.finish(&mut out);
    out
}

#[test]
fn a_long_line_is_masked_wherever_the_secret_is() {
    let masker = masker(&[]);
    for before in [0, 1000, 60 * 1024 - 20, 60 * 1024, 64 * 1024 - 20, 64 * 1024, 130_000] {
        let text = format!("{} {TOKEN} {}", "x ".repeat(before / 2), "y ".repeat(40_000));
        let expected = text.replace(TOKEN, "[masked: github token]");
        assert!(streamed(&masker, text.as_bytes(), &[before + 10]) == expected.as_bytes(), "{before}");
    }
}

#[test]
fn a_private_key_is_masked_across_pieces_and_its_lines_are_one_finding() {
    let masker = masker(&[]);
    let text =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\nAAAAB3Nza\n-----END OPENSSH PRIVATE KEY-----\nloss1\n";
    let expected =
        text.replace("b3BlbnNzaC1rZXk", "[masked: private key]").replace("AAAAB3Nza", "[masked: private key]");
    for cut in 0..text.len() {
        assert_eq!(streamed(&masker.on_trial(), text.as_bytes(), &[cut]), expected.as_bytes(), "{cut}");
    }
    masked(&masker, text);
    assert!(masker.report()[0].contains("masked 1 secret in"), "{:?}", masker.report());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn how_a_text_is_cut_makes_no_difference(
        parts in prop::collection::vec(prop_oneof![
            Just("token=".to_owned()), Just("\n".to_owned()), Just(TOKEN.to_owned()), Just("x ".repeat(40_000)),
            Just("-----BEGIN PRIVATE KEY-----\nMIIE\n".to_owned()), Just("k3J9xQ2mLp8Rt5Vw".to_owned()),
            Just("https://ada:s3cret@h/".to_owned()), "[ -~\\n]{0,40}",
        ], 0..12),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        let masker = masker(&[]);
        let text = parts.concat();
        let mut cuts = cuts;
        for cut in &mut cuts {
            *cut %= text.len() + 1;
        }
        cuts.sort_unstable();
        let whole = streamed(&masker, text.as_bytes(), &[]);
        prop_assert!(streamed(&masker, text.as_bytes(), &cuts) == whole);
        // All that can't be seen from within a window is seen in whole as well.
        if text.len() < 60_000 {
            prop_assert!(masker.mask(&Surface::Stdout, text.as_bytes()) == whole);
        }
    }

    #[test]
    fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..2000), variable in "[ -~]{8,20}") {
        let masker = masker(&[("A_PASSWORD", &variable)]);
        let mut stream = masker.stream(Surface::Stdout);
        let mut out = Vec::new();
        for piece in bytes.chunks(97) {
            stream.push(piece, &mut out);
            stream.pause(&mut out);
        }
        stream.finish(&mut out);
        masker.mask(&Surface::Stdout, &bytes);
    }
}
