//! `otrace diff`: what changed between two runs.

use std::process::ExitCode;

use anstyle::Style;
use clap::Args;
use otrace_history::compare::{self, Comparison, FieldChange, FileChange, ResultChange, Side};
use serde_json::Value;

use crate::args::CredentialArgs;
use crate::commands::{connect, load_settings};
use crate::error::Result;
use crate::printer::table::{Cell, Heading, Table};
use crate::printer::{self, BAD, BUSY, FAINT, GOOD, PLAIN, STRONG, human};
use crate::workspace::Workspace;

/// `otrace diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The run to begin with, such as exp041
    #[arg(value_name = "EXP_ID")]
    pub before: String,

    /// The run to compare it with, such as exp042
    #[arg(value_name = "EXP_ID")]
    pub after: String,

    /// Print one JSON object, for scripts and agents
    #[arg(long)]
    pub json: bool,
}

/// Asks the server for both and prints what differs.
pub async fn run(args: &DiffArgs) -> Result<ExitCode> {
    let client = connect(&load_settings(&args.credentials, &Workspace::current()?)?).await?;
    let (before, after) = (client.run(&args.before).await?, client.run(&args.after).await?);
    let comparison = compare::compare(&client, &before, &after).await;
    if args.json {
        printer::json(&comparison)?;
    } else {
        print(&comparison);
    }
    printer::done()
}

fn print(comparison: &Comparison) {
    print_side("---", BAD, &comparison.before);
    print_side("+++", GOOD, &comparison.after);
    if comparison.is_empty() {
        printer::line("Nothing differs.");
        return;
    }
    print_fields("Run", &comparison.run);
    print_fields("Code", &comparison.code);
    print_files("Changes that are not committed", &comparison.patches);
    print_files("Configs", &comparison.configs);
    print_files("Dependency files", &comparison.dependencies);
    print_fields("Packages", &comparison.packages);
    print_fields("Environment", &comparison.environment);
    print_results(&comparison.results, comparison.same_results);
}

fn print_side(sign: &str, style: Style, side: &Side) {
    let title = side.title.as_ref().map(|title| format!("  {title}")).unwrap_or_default();
    printer::painted(&[(style, &format!("{sign} {}", side.experiment_id)), (PLAIN, &title)]);
}

fn heading(text: &str) {
    printer::line("");
    printer::painted(&[(STRONG, text)]);
}

fn print_fields(title: &str, changes: &[FieldChange]) {
    if changes.is_empty() {
        return;
    }
    heading(title);
    for FieldChange { name, before, after } in changes {
        print_value("-", BAD, name, before.as_deref());
        print_value("+", GOOD, name, after.as_deref());
    }
}

fn print_value(sign: &str, style: Style, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        printer::painted(&[(style, &format!("{sign} {name}: {value}"))]);
    }
}

fn print_files(title: &str, changes: &[FileChange]) {
    if changes.is_empty() {
        return;
    }
    heading(title);
    for change in changes {
        match &change.diff {
            Some(diff) => diff.lines().for_each(|line| printer::painted(&[(look(line), line)])),
            None => printer::line(format_args!("{}: {}", change.path, without_text(change))),
        }
    }
}

/// A file that is no text, too long or not stored.
fn without_text(change: &FileChange) -> &'static str {
    match (&change.before, &change.after) {
        (None, _) => "was added",
        (_, None) => "was removed",
        (Some(_), Some(_)) => "differs",
    }
}

fn look(line: &str) -> Style {
    match line.as_bytes() {
        [b'+', ..] => GOOD,
        [b'-', ..] => BAD,
        [b'@', ..] => BUSY,
        _ => PLAIN,
    }
}

fn print_results(changes: &[ResultChange], same: usize) {
    if changes.is_empty() {
        return;
    }
    heading("Results");
    let headings = ["before", "after", "difference"].map(|title| Heading::new(title).right());
    let mut table = Table::new([vec![Heading::new("name").shrinking()], headings.into()].concat());
    for change in changes {
        let value = |value: Option<&Value>| Cell::new(value.map(human::value).unwrap_or_default());
        let difference = Cell::both(difference(change), change.difference.map(|by| by.to_string()).unwrap_or_default());
        let name = Cell::new(change.name.as_str());
        table.row(vec![name, value(change.before.as_ref()), value(change.after.as_ref()), difference]);
    }
    table.print();
    if same > 0 {
        printer::painted(&[(FAINT, &format!("{} the same", are(same)))]);
    }
}

fn are(count: usize) -> String {
    let results = human::counted(count, "result");
    if count == 1 { format!("{results} is") } else { format!("{results} are") }
}

/// How much more it is, as people read it: `+0.1 (+12.5 %)`.
fn difference(change: &ResultChange) -> String {
    let Some(by) = change.difference else { return String::new() };
    let by = human::difference(by);
    change.percent.map_or_else(|| by.clone(), |percent| format!("{by} ({percent:+.1} %)"))
}
