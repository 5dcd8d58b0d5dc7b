//! What can be wrong with the settings and the files of secrets.

use super::{Check, Patient, Status, Tell};
use crate::config::{unsafe_anywhere, unsafe_in_production};
use crate::tokens;

/// Looks at the settings.
pub fn check(patient: &Patient, tell: Tell<'_>) {
    let Patient { config, files, flags, .. } = patient;
    match unsafe_anywhere(config) {
        Err(error) => tell(Check::failed("settings", format_args!("{error:#}"))),
        Ok(sentences) => tell_all(&sentences, Status::Failed, tell),
    }
    let in_production = unsafe_in_production(config, files, flags);
    if config.production {
        tell_all(&in_production, Status::Failed, tell);
    } else if config.is_local_only() {
        tell(Check::ok("settings", "this server is for its own machine; one for others wants --production"));
    } else {
        tell_all(&in_production, Status::Warning, tell);
    }
    if in_production.is_empty() {
        let and_now = if config.production { "" } else { "; OTRACE_PRODUCTION=true has the server keep to it" };
        tell(Check::ok("settings", format_args!("safe for production{and_now}")));
    }
    secrets(patient, tell);
}

fn tell_all(sentences: &[String], status: Status, tell: Tell<'_>) {
    for sentence in sentences {
        tell(Check::new("settings", status, as_sentence(sentence)));
    }
}

fn secrets(patient: &Patient, tell: Tell<'_>) {
    let file = patient.config.secrets.signing_keys_file(&patient.config.database.data_dir());
    let shown = file.display();
    tell(match tokens::look_at(&file) {
        Ok(true) => Check::ok("secrets", format_args!("the signing keys are in {shown}, for the server alone")),
        Ok(false) => Check::ok(
            "secrets",
            format_args!("no signing keys in {shown} yet; the first start makes them, except in production"),
        ),
        Err(error) => Check::failed("secrets", format_args!("{error:#}")),
    });
    if !patient.files.is_empty() {
        let names: Vec<String> = patient.files.iter().map(|file| format!("{}_FILE", file.variable)).collect();
        tell(Check::ok("secrets", format_args!("read from files: {}", names.join(", "))));
    }
}

/// A refusal's words as a sentence of their own.
fn as_sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    let ends_in_command = words.contains("chmod") || words.contains(": otrace-server ");
    let stop = if ends_in_command { "" } else { "." };
    // A flag stays as it is typed.
    if words.starts_with('-') { format!("{words}{stop}") } else { format!("{first}{}{stop}", characters.as_str()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_sentences_and_commands_stay_ones() {
        assert_eq!(as_sentence("plain HTTP is allowed"), "Plain HTTP is allowed.");
        assert_eq!(as_sentence("close it: chmod o-rwx /x"), "Close it: chmod o-rwx /x");
        assert_eq!(as_sentence("--smtp-url is seen"), "--smtp-url is seen.");
    }
}
