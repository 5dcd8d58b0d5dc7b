//! The settings of the real binary: what `--help` says and `docs/operations.md` repeats, secrets from files, and what a
//! server refuses to start with.

pub mod binary;
mod commands;
mod tls;

use std::collections::BTreeMap;
use std::fs;
use std::iter;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use binary::{Machine, text_of};
use clap::{Arg, ArgAction, CommandFactory};
use otrace_server::commands::Arguments;

/// What a row of the table says of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    variable: String,
    default: String,
}

/// The words in backticks of a cell.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows of the table in `docs/operations.md`, and the variables in it that have no flag.
fn documented() -> (BTreeMap<String, Row>, Vec<String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let text = fs::read_to_string(path).unwrap();
    let section = text.split("\n## Settings\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let (mut flags, mut without_flag) = (BTreeMap::new(), Vec::new());
    for line in section.lines().filter(|line| line.starts_with("| `--") || line.starts_with("| | `")) {
        let cells: Vec<&str> = line.split('|').skip(1).map(str::trim).collect();
        let variables =
            quoted(cells[1]).into_iter().filter(|word| word.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        let names = quoted(cells[0]);
        if names.is_empty() {
            without_flag.extend(variables);
            continue;
        }
        let default = cells[2].trim_matches('`').to_owned();
        for (flag, variable) in names.into_iter().zip(variables) {
            flags.insert(flag, Row { variable, default: default.clone() });
        }
    }
    (flags, without_flag)
}

/// What a setting is without a word, where that is a value.
fn default_of(setting: &Arg) -> Option<String> {
    if matches!(setting.get_action(), ArgAction::SetTrue) {
        return Some("false".to_owned());
    }
    setting.get_default_values().first().map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn the_table_in_the_documentation_has_every_setting_with_its_variable_and_its_default_and_no_other() {
    let (documented, without_flag) = documented();
    let command = Arguments::command();
    let serve = command.find_subcommand("serve").unwrap();
    let settings: Vec<&Arg> = serve.get_arguments().filter(|argument| argument.get_env().is_some()).collect();
    let mut wrong = Vec::new();
    for setting in &settings {
        let flag = format!("--{}", setting.get_long().unwrap());
        let Some(row) = documented.get(&flag) else {
            wrong.push(format!("{flag} is missing"));
            continue;
        };
        let variable = setting.get_env().unwrap().to_str().unwrap();
        if row.variable != variable {
            wrong.push(format!("{flag} is {variable}, not {}", row.variable));
        }
        match default_of(setting) {
            // It may be explained besides: 268435456 (256 MiB).
            Some(value) if row.default.split_whitespace().next() != Some(value.as_str()) => {
                wrong.push(format!("{flag} is {value} without a word, not {}", row.default));
            }
            None if row.default.is_empty() => wrong.push(format!("{flag} has no default in the table")),
            _ => {}
        }
    }
    let known: Vec<String> = settings.iter().map(|setting| format!("--{}", setting.get_long().unwrap())).collect();
    wrong.extend(documented.keys().filter(|flag| !known.contains(flag)).map(|flag| format!("{flag} is no setting")));
    assert!(wrong.is_empty(), "docs/operations.md, Settings:\n{}", wrong.join("\n"));
    assert_eq!(without_flag, ["RUST_LOG", "OTRACE_PG_BIN"]);
}

#[tokio::test]
async fn a_secret_may_come_from_a_file_and_from_one_place_only() {
    let machine = Machine::new().await;
    let secret = machine.file("database-url", &format!("{}\n", machine.database_url), 0o400);
    let create = ["user", "create", "--email", "ada@example.org", "--password-stdin"];
    let run = |more: &[&str], variables: &[(&str, &str)]| {
        let mut command = machine.command(&[&create[..], more].concat());
        command.env_remove("DATABASE_URL").envs(variables.iter().copied());
        machine.run(command, "correct horse battery\n")
    };
    let file = ("DATABASE_URL_FILE", secret.to_str().unwrap());

    // What compose files can't leave out counts as not set.
    let made = run(&[], &[file, ("DATABASE_URL", ""), ("OTRACE_PUBLIC_URL", "")]);
    assert!(made.status.success(), "{}", text_of(&made));
    assert!(text_of(&made).contains("\"is_admin\":true"), "{}", text_of(&made));

    let url = machine.database_url.as_str();
    let open = machine.file("open", url, 0o666);
    for (more, variables, sentence) in [
        (&[] as &[&str], &[file, ("DATABASE_URL", url)][..], "DATABASE_URL and DATABASE_URL_FILE are both set"),
        (&["--database-url", url], &[file], "--database-url and DATABASE_URL_FILE are both given"),
        (&[], &[("DATABASE_URL_FILE", open.to_str().unwrap())], "others can change"),
        (&[], &[("DATABASE_URL_FILE", "/nowhere/url")], "reading /nowhere/url, which DATABASE_URL_FILE names"),
    ] {
        let refused = run(more, variables);
        assert_eq!(refused.status.code(), Some(1));
        let told = text_of(&refused);
        assert!(told.contains(sentence), "{sentence}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[tokio::test]
async fn help_tells_of_secrets_from_files_and_shows_none() {
    let machine = Machine::new().await;
    let secret = machine.file("smtp-url", "smtps://trace:planted-secret@mail.example.org", 0o400);
    let mut command = machine.command(&["serve", "--help"]);
    command.env("OTRACE_SMTP_URL_FILE", secret).env("OTRACE_GITHUB_CLIENT_SECRET", "planted-secret");
    let help = text_of(&machine.run(command, ""));
    for told in ["DATABASE_URL_FILE", "OTRACE_SMTP_URL", "OTRACE_OIDC_CLIENT_SECRET", "counts as not set"] {
        assert!(help.contains(told), "{told}: {help}");
    }
    assert!(!help.contains("planted-secret"), "{help}");
}

#[tokio::test]
async fn an_unsafe_server_does_not_start_in_production_and_says_what_to_do() {
    let machine = Machine::new().await;
    let smtp = machine.file("smtp-url", "smtps://mail.example.org", 0o444);
    let mut command = machine.command(&["serve", "--listen", "127.0.0.1:0", "--production"]);
    command.args(["--database-url", &machine.database_url]).env_remove("DATABASE_URL");
    command.env("OTRACE_SMTP_URL_FILE", smtp);
    let refused = machine.run(command, "");
    assert_eq!(refused.status.code(), Some(1));
    let told = text_of(&refused);
    for sentence in ["set OTRACE_PUBLIC_URL", "--database-url is on the command line", "read OTRACE_SMTP_URL_FILE"] {
        assert!(told.contains(sentence), "{sentence}: {told}");
    }
    assert!(!machine.data_dir().exists(), "nothing was started");
}

#[tokio::test]
async fn in_production_no_server_starts_without_its_signing_keys_and_the_command_it_tells_makes_them() {
    let machine = Machine::new().await;
    let mut command = machine.command(&["serve", "--listen", "127.0.0.1:0", "--production"]);
    command.args(["--public-url", "https://trace.example.org"]);
    let refused = machine.run(command, "");
    assert_eq!(refused.status.code(), Some(1));
    let told = text_of(&refused);
    assert!(told.contains("there are no signing keys"), "{told}");
    assert!(!machine.data_dir().exists(), "none were made");

    let (_, arguments) = told.trim_end().split_once("otrace-server secrets ").unwrap();
    let arguments: Vec<&str> = iter::once("secrets").chain(arguments.split_whitespace()).collect();
    machine.script(&arguments, "");
    machine.serve(&[("OTRACE_PRODUCTION", "true"), ("OTRACE_PUBLIC_URL", "https://trace.example.org")]).stop();
}

#[tokio::test]
async fn providers_never_send_people_back_over_plain_http() {
    let machine = Machine::new().await;
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--public-url", "http://trace.example.org", "--insecure-http"];
    let mut command = machine.command(&arguments);
    command.env("OTRACE_GITHUB_CLIENT_ID", "id").env("OTRACE_GITHUB_CLIENT_SECRET", "secret");
    let told = text_of(&machine.run(command, ""));
    assert!(told.contains("people who sign in through GitHub would come back over plain HTTP"), "{told}");
}

#[tokio::test]
async fn a_server_behind_tls_starts_in_production() {
    let machine = Machine::new().await;
    let secret = machine.file("database-url", &machine.database_url, 0o440);
    machine.script(&["secrets", "create"], "");
    let server = machine.serve(&[
        ("OTRACE_PRODUCTION", "true"),
        ("OTRACE_PUBLIC_URL", "https://trace.example.org"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL_FILE", secret.to_str().unwrap()),
    ]);
    assert_eq!(server.get("/health/ready").await.status(), 200);
    server.stop();
    let found = fs::metadata(machine.data_dir().join("secrets")).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o700);
}
