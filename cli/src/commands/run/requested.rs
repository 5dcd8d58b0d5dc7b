//! Which run is meant: from options, from a `RunSpec` file, or from the answers to questions.

use std::path::PathBuf;

use serde_json::json;

use crate::args::{NO_COMMAND, RunArgs};
use crate::error::{Error, Result};
use crate::prompts;
use crate::run_spec::{RunSpec, file};
use crate::workspace::Workspace;

/// A run that somebody wants.
#[derive(Debug)]
pub struct Requested {
    /// The run.
    pub spec: RunSpec,
    /// The file that it stands in, or will stand in.
    pub path: PathBuf,
    /// Whether that file is still to be written.
    pub is_new: bool,
}

/// Finds out, without any effect.
pub fn resolve(args: &RunArgs, workspace: &Workspace) -> Result<Requested> {
    if let Some(path) = &args.spec {
        if args.describes_a_run() {
            return Err(Error::new("Do not combine --spec with other run options or a command.")
                .with_hint("Put them into the file, or leave --spec out."));
        }
        return from_file(workspace.root().join(path));
    }
    let path = file::default_path(workspace);
    let is_there = path.exists();
    if is_there && !args.describes_a_run() {
        return from_file(path);
    }
    Ok(Requested { spec: from_options(args)?, path, is_new: !is_there })
}

fn from_file(path: PathBuf) -> Result<Requested> {
    Ok(Requested { spec: file::load(&path)?, path, is_new: false })
}

fn from_options(args: &RunArgs) -> Result<RunSpec> {
    if args.command.is_empty() && (args.gives_fields() || !prompts::can_ask()) {
        return Err(Error::new(NO_COMMAND));
    }
    let mut args = args.clone();
    if prompts::can_ask() {
        ask_for_missing(&mut args)?;
    }
    let missing = missing(&args);
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(Error::new(format!("Missing required run fields: {missing}")));
    }
    // The same way as a file takes, so that the same rules hold.
    Ok(RunSpec::from_value(&json!({
        "intent": args.intent,
        "setup": args.setup,
        "command": args.command,
        "config_paths": args.config_paths,
        "expected_artifact_paths": args.expected_artifact_paths,
        "expected_log_paths": args.expected_log_paths,
        "title": args.title,
        "tags": args.tags,
    }))?)
}

fn is_blank(text: Option<&String>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

fn declares_nothing(args: &RunArgs) -> bool {
    [&args.config_paths, &args.expected_artifact_paths, &args.expected_log_paths]
        .into_iter()
        .flatten()
        .all(|path| path.trim().is_empty())
}

fn missing(args: &RunArgs) -> Vec<&'static str> {
    [
        (is_blank(args.intent.as_ref()), "intent (--intent TEXT)"),
        (is_blank(args.setup.as_ref()), "setup (--setup TEXT)"),
        (declares_nothing(args), "expected paths (--expect-artifact PATH or --expect-log PATH)"),
        (args.command.is_empty(), "command (after --)"),
    ]
    .into_iter()
    .filter_map(|(is_missing, name)| is_missing.then_some(name))
    .collect()
}

fn ask_for_missing(args: &mut RunArgs) -> Result<()> {
    if is_blank(args.intent.as_ref()) {
        args.intent = Some(prompts::text_that("Intent (why is it run?):", an_answer)?);
    }
    if is_blank(args.setup.as_ref()) {
        args.setup = Some(prompts::text_that("Setup (what is it run on, and what is assumed?):", an_answer)?);
    }
    if declares_nothing(args) {
        let help = "With commas between them; globs and folders are fine. Empty if it writes only logs.";
        args.expected_artifact_paths = paths(&prompts::text("Files it will write:", help)?);
        let question = "Log files it will write:";
        let logs = if args.expected_artifact_paths.is_empty() {
            prompts::text_that(question, a_path)?
        } else {
            prompts::text(question, "Empty if it writes none.")?
        };
        args.expected_log_paths = paths(&logs);
    }
    if args.command.is_empty() {
        args.command = shlex::split(&prompts::text_that("Command:", a_command)?).unwrap_or_default();
    }
    Ok(())
}

/// What is missing of an answer, if anything is; likewise below.
fn an_answer(answer: &str) -> Option<&'static str> {
    answer.is_empty().then_some("This is needed: whoever finds the run later reads it first.")
}

fn a_path(answer: &str) -> Option<&'static str> {
    paths(answer).is_empty().then_some("At least one file has to be named, here or in the question before.")
}

fn a_command(answer: &str) -> Option<&'static str> {
    match shlex::split(answer) {
        None => Some("It has a quote that is not closed."),
        Some(words) => words.is_empty().then_some("A command is needed, such as: python3 train.py"),
    }
}

/// `a.json, logs/*.log`
fn paths(answer: &str) -> Vec<String> {
    answer.split(',').map(str::trim).filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> RunArgs {
        RunArgs {
            intent: Some("why".to_owned()),
            setup: Some("what".to_owned()),
            expected_log_paths: vec!["out.log".to_owned()],
            command: vec!["true".to_owned()],
            ..RunArgs::default()
        }
    }

    #[test]
    fn a_complete_line_misses_nothing() {
        assert!(missing(&complete()).is_empty());
        assert_eq!(from_options(&complete()).expect("a spec").intent, "why");
    }

    #[test]
    fn everything_that_is_missing_is_named() {
        let blank = RunArgs { intent: Some(" ".to_owned()), ..RunArgs::default() };
        assert_eq!(missing(&blank).len(), 4);
    }

    #[test]
    fn options_without_a_command_are_told_how_to_give_one() {
        let args = RunArgs { command: Vec::new(), ..complete() };
        let error = from_options(&args).expect_err("no command").to_string();
        assert_eq!(error, "No command provided. Use `otrace run --intent ... -- <command>`.");
    }
    #[test]
    fn an_answer_that_would_not_do_is_asked_for_again() {
        assert_eq!(paths(" a.json, logs/*.log,, "), ["a.json", "logs/*.log"]);
        assert!(a_path(" , ").is_some() && a_path("a.json").is_none());
        assert!(a_command("").is_some() && a_command("echo 'open").is_some() && a_command("echo 'a b'").is_none());
    }
}
