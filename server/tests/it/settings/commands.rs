//! The commands that `docs/operations.md` tells people to run: each is one that the binary takes, with these flags.

use std::fs;
use std::iter::once;
use std::path::Path;

use clap::CommandFactory;
use clap::error::ErrorKind;
use otrace_server::commands::Arguments;

/// The words of a line of a shell, up to where another command, a file or a comment begins.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    let ends = |word: &String| ["<", ">", "|", "&&", ";"].contains(&word.as_str()) || word.starts_with('#');
    let end = words.iter().position(ends).unwrap_or(words.len());
    words.truncate(end);
    words
}

/// What a line asks of the server, if it does: its arguments.
fn asked_of_the_server(line: &str) -> Option<Vec<String>> {
    let mut words = words(line);
    let variables = words.iter().take_while(|word| word.contains('=') && !word.starts_with('-')).count();
    words.drain(..variables);
    let place = |name: &str| words.iter().position(|word| word == name);
    let program = match words.first()?.as_str() {
        "otrace-server" => Some(0),
        "docker" if place("--entrypoint").is_some() => None,
        // The image's own program is meant, in the service `server`.
        "docker" if place("run").is_some() => place("server"),
        "docker" | "kubectl" | "systemd-run" => place("otrace-server"),
        _ => None,
    }?;
    Some(words.split_off(program + 1))
}

/// Why the binary would not take it. What is only mentioned, in the middle of a sentence, may lack something.
fn complaint(arguments: &[String], is_mentioned: bool) -> Option<String> {
    let program = "otrace-server".to_owned();
    let error = Arguments::command().try_get_matches_from(once(&program).chain(arguments)).err()?;
    let is_taken = match error.kind() {
        ErrorKind::DisplayHelp => true,
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => is_mentioned,
        // `0199…` stands for an id.
        ErrorKind::ValueValidation => arguments.iter().any(|word| word.contains('…')),
        _ => false,
    };
    (!is_taken).then(|| format!("otrace-server {}\n{error}", arguments.join(" ")))
}

#[test]
fn every_command_in_the_documentation_is_one_that_the_server_takes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let text = fs::read_to_string(path).unwrap();
    let (mut found, mut wrong) = (0, Vec::new());
    // Prose and code take turns.
    for (number, part) in text.split("\n```").enumerate() {
        let is_mentioned = number.is_multiple_of(2);
        let lines: Vec<String> = if is_mentioned {
            part.replace('\n', " ").split('`').skip(1).step_by(2).map(str::to_owned).collect()
        } else {
            let script = part.strip_prefix("sh\n").unwrap_or_default();
            script.replace("\\\n", " ").lines().map(str::to_owned).collect()
        };
        for arguments in lines.iter().filter_map(|line| asked_of_the_server(line)) {
            found += 1;
            wrong.extend(complaint(&arguments, is_mentioned));
        }
    }
    assert!(wrong.is_empty(), "docs/operations.md:\n{}", wrong.join("\n"));
    assert!(found > 25, "only {found} commands were found");
}

#[test]
fn a_command_that_does_not_exist_is_noticed() {
    for (line, is_mentioned) in [
        ("OTRACE_LISTEN=[::1]:80 otrace-server serve --listens 127.0.0.1:80", true),
        ("docker compose run --rm -v /a:/b server backup --into /b # daily", true),
        ("kubectl -n trace exec deployment/trace -- otrace-server users create", true),
        ("otrace-server user create --password-stdin < password.txt", false),
    ] {
        let arguments = asked_of_the_server(line).unwrap();
        assert!(complaint(&arguments, is_mentioned).is_some(), "{line}");
    }
    assert_eq!(words("a  'b c'\"d\" > e"), ["a", "b cd"]);
    assert_eq!(asked_of_the_server("install -m 755 otrace-server /usr/local/bin/"), None);
}
