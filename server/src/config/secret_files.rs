//! What clap leaves to us of the environment: secrets from files, and variables that are set to nothing.
//!
//! A setting is a secret if its variable's value is hidden in `--help`. For each of them `VARIABLE_FILE` may name a
//! file whose content is the value, in every command, so that a new secret needs no line here.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Arg, Command};

/// The secrets that buckets have in variables of their own, which are no settings of ours.
pub(super) const OF_BUCKETS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_CLIENT_SECRET",
];

/// No secret is larger, in bytes.
const BYTES_MAX: u64 = 64 * 1024;

/// A file that a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    /// The variable that it stands for, without `_FILE`.
    pub variable: String,
    /// Where it is.
    pub path: PathBuf,
}

/// A setting that is a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Secret {
    variable: String,
    flag: String,
}

/// The command line with what the environment says of it: the contents of the files that it names are the defaults of
/// their settings, and a variable that is set to nothing is not set, as compose files can't leave one out.
///
/// A secret that is given twice is refused, and so is a file that others can write.
pub fn with_environment(command: Command) -> anyhow::Result<Command> {
    let files = files_of(&command);
    let flags = secrets_on_command_line(&command);
    let mut contents = BTreeMap::new();
    for SecretFile { variable, path } in files {
        let is_set = env::var_os(&variable).is_some_and(|value| !value.is_empty());
        ensure!(!is_set, "{variable} and {variable}_FILE are both set; leave one of them out");
        let flag = flags.iter().find(|secret| secret.variable == variable).map(|secret| secret.flag.as_str());
        ensure!(
            flag.is_none(),
            "{} and {variable}_FILE are both given; leave one of them out",
            flag.unwrap_or_default()
        );
        contents.insert(variable.clone(), read(&variable, &path)?);
    }
    Ok(settle(command, &contents))
}

/// The files that the environment names for secrets of the command and of those below it, and of buckets.
pub fn files_of(command: &Command) -> Vec<SecretFile> {
    let mut variables: Vec<String> = secrets_of(command).into_iter().map(|secret| secret.variable).collect();
    variables.extend(OF_BUCKETS.map(str::to_owned));
    variables.sort();
    variables.dedup();
    let named = variables.into_iter().filter_map(|variable| {
        let path = env::var_os(format!("{variable}_FILE")).filter(|path| !path.is_empty())?;
        Some(SecretFile { variable, path: path.into() })
    });
    named.collect()
}

/// The flags of secrets that this process was started with: its list of arguments is there for everybody to see.
pub fn flags_of_secrets(command: &Command) -> Vec<String> {
    secrets_on_command_line(command).into_iter().map(|secret| secret.flag).collect()
}

fn secrets_on_command_line(command: &Command) -> Vec<Secret> {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let is_given = |flag: &str| {
        arguments.iter().any(|argument| {
            let rest = argument.to_str().and_then(|argument| argument.strip_prefix(flag));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    };
    secrets_of(command).into_iter().filter(|secret| is_given(&secret.flag)).collect()
}

/// The secrets of a command and of those below it, each once.
fn secrets_of(command: &Command) -> Vec<Secret> {
    let own = command.get_arguments().filter(|argument| argument.is_hide_env_values_set()).filter_map(|argument| {
        let variable = argument.get_env().and_then(OsStr::to_str)?.to_owned();
        Some(Secret { variable, flag: format!("--{}", argument.get_long()?) })
    });
    let mut secrets: Vec<Secret> = own.chain(command.get_subcommands().flat_map(secrets_of)).collect();
    secrets.sort();
    secrets.dedup();
    secrets
}

/// What a secret's file holds, without the line break at its end.
pub(super) fn read(variable: &str, path: &Path) -> anyhow::Result<String> {
    let about = || format!("reading {}, which {variable}_FILE names", path.display());
    let file = fs::File::open(path).with_context(about)?;
    let found = file.metadata().with_context(about)?;
    ensure!(found.is_file(), "{} is no file, and {variable}_FILE names it", path.display());
    ensure!(
        found.mode() & 0o022 == 0,
        "others can change {}, which {variable}_FILE names; close it: chmod go-w {}",
        path.display(),
        path.display()
    );
    ensure!(found.len() <= BYTES_MAX, "{} is too large for a secret, and {variable}_FILE names it", path.display());
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text).with_context(about)?;
    let secret = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    ensure!(!secret.trim().is_empty(), "{} is empty, and {variable}_FILE names it", path.display());
    Ok(secret.to_owned())
}

fn settle(command: Command, contents: &BTreeMap<String, String>) -> Command {
    let variables: Vec<String> = command
        .get_arguments()
        .filter(|argument| argument.is_hide_env_values_set())
        .filter_map(|argument| argument.get_env().and_then(OsStr::to_str).map(str::to_owned))
        .collect();
    let command = command
        .mut_args(|argument| settle_argument(argument, contents))
        .mut_subcommands(|subcommand| settle(subcommand, contents));
    let Some(first) = variables.first() else { return command };
    command.after_help(format!(
        "A secret may also come from a file: {first}_FILE names one whose content is {first}, and so for {}. \
         A variable that is set to nothing counts as not set.",
        variables.join(", ")
    ))
}

fn settle_argument(argument: Arg, contents: &BTreeMap<String, String>) -> Arg {
    let Some(variable) = argument.get_env().and_then(OsStr::to_str).map(str::to_owned) else { return argument };
    if let Some(secret) = contents.get(&variable) {
        return argument.env(None::<&'static str>).default_value(secret.clone()).hide_default_value(true);
    }
    if env::var_os(&variable).is_some_and(|value| value.is_empty()) {
        return argument.env(None::<&'static str>);
    }
    argument
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    fn reading(content: &str, mode: u32) -> Result<String, String> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        read("OTRACE_SMTP_URL", &path).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_a_secret() {
        for content in ["a b", "a b\n", "a b\r\n"] {
            assert_eq!(reading(content, 0o600).unwrap(), "a b", "{content:?}");
        }
        assert_eq!(reading(" a\n\n", 0o440).unwrap(), " a\n");
    }

    #[test]
    fn a_file_that_others_can_change_or_that_holds_nothing_is_refused() {
        let large = "a".repeat(70_000);
        for (content, mode, sentence) in [
            ("a", 0o666, "others can change"),
            ("a", 0o620, "others can change"),
            ("\n", 0o600, "is empty"),
            (large.as_str(), 0o600, "is too large"),
        ] {
            let refused = reading(content, mode).unwrap_err();
            assert!(refused.contains(sentence) && refused.contains("OTRACE_SMTP_URL_FILE"), "{refused}");
        }
        let missing = read("OTRACE_SMTP_URL", Path::new("/nowhere/secret")).unwrap_err();
        assert!(format!("{missing:#}").contains("/nowhere/secret"), "{missing:#}");
    }

    #[test]
    fn every_setting_whose_value_is_hidden_is_a_secret() {
        let hidden = |name: &'static str| Arg::new(name).long(name).env(name).hide_env_values(true);
        let below = Command::new("below").arg(hidden("b")).arg(Arg::new("c").long("c").env("c"));
        let command = Command::new("top").arg(hidden("a")).arg(hidden("b")).subcommand(below);
        let variables: Vec<String> = secrets_of(&command).into_iter().map(|secret| secret.variable).collect();
        assert_eq!(variables, ["a", "b"]);
    }
}
