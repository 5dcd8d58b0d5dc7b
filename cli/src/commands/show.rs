//! `otrace show`: one run, from why it was run to what came of it.

use std::process::ExitCode;

use clap::Args;
use otrace_wire::details::HowWell;
use otrace_wire::{LogStream, Run, Snapshot};
use serde_json::Value;

use crate::args::CredentialArgs;
use crate::commands::{connect, load_settings};
use crate::error::Result;
use crate::printer::table::{Cell, Heading, Table};
use crate::printer::{self, PLAIN, STRONG, human};
use crate::workspace::Workspace;

/// `otrace show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The run, such as exp042
    #[arg(value_name = "EXP_ID")]
    pub experiment: String,

    /// Print one JSON object, for scripts and agents
    #[arg(long)]
    pub json: bool,
}

/// Asks the server and prints it.
pub async fn run(args: &ShowArgs) -> Result<ExitCode> {
    let client = connect(&load_settings(&args.credentials, &Workspace::current()?)?).await?;
    let run = client.run(&args.experiment).await?;
    if args.json {
        printer::json(&run)?;
        return printer::done();
    }
    print_head(&run);
    if let Some(snapshot) = &run.snapshot {
        print_state(snapshot);
    }
    print_results(&run);
    print_files(&run);
    print_notes(&run);
    printer::done()
}

fn print_head(run: &Run) {
    let title = run.title.as_ref().map(|title| format!("  {title}")).unwrap_or_default();
    printer::painted(&[(STRONG, &run.experiment_id.to_string()), (PLAIN, &title)]);
    fact("Status", &human::status(run));
    if !run.tags.is_empty() {
        fact("Tags", &run.tags.join(", "));
    }
    fact("Recorded", &format!("{} UTC", human::moment(run.created_at)));
    if let Some(seconds) = run.duration_seconds {
        fact("Duration", &human::duration(seconds));
    }
    fact("Intent", run.intent.trim());
    fact("Setup", run.setup.trim());
    fact("Command", run.command.trim());
    if let Some(directory) = &run.working_directory {
        fact("Directory", directory);
    }
}

fn print_state(snapshot: &Snapshot) {
    if let Some(commit) = &snapshot.git_commit {
        let branch = snapshot.git_branch.as_ref().map(|branch| format!(" on {branch}")).unwrap_or_default();
        let dirty = if snapshot.git_dirty == Some(true) { ", with changes that are not committed" } else { "" };
        fact("Code", &format!("commit {}{branch}{dirty}", human::short_commit(commit)));
    }
    let python = snapshot.python_version.as_ref().map(|version| format!("Python {version}"));
    let machine = [snapshot.hostname.clone(), snapshot.platform.clone(), python];
    let machine: Vec<_> = machine.into_iter().flatten().collect();
    if !machine.is_empty() {
        fact("Machine", &machine.join(", "));
    }
    if let Some(rebuild) = &snapshot.rebuild {
        let how_well = match rebuild.how_well {
            HowWell::Fully => "yes",
            HowWell::Partly => "partly",
            HowWell::No => "no",
        };
        let why = if rebuild.reasons.is_empty() { String::new() } else { format!(": {}", rebuild.reasons.join("; ")) };
        fact("Reproducible", &format!("{how_well}{why}"));
    }
}

fn print_results(run: &Run) {
    if run.results.is_empty() && run.tables.is_empty() {
        return;
    }
    heading("Results");
    let mut table = Table::new(vec![Heading::new("name").shrinking(), Heading::new("value").right(), source()]);
    for result in &run.results {
        let name = result.name.clone().unwrap_or_default();
        let from = result.source_path.clone().unwrap_or_default();
        table.row(vec![Cell::new(name), Cell::new(human::value(&result.value)), Cell::new(from)]);
    }
    if !run.results.is_empty() {
        table.print();
    }
    for table in &run.tables {
        let rows = table.row_count.unwrap_or_default();
        let from = table.source_path.as_deref().unwrap_or("a table");
        printer::line(format_args!("{from}: a table of {rows} rows ({})", table.columns.join(", ")));
    }
}

fn source() -> Heading {
    Heading::new("from").shrinking()
}

fn print_files(run: &Run) {
    if !run.artifacts.is_empty() {
        heading("Artifacts");
        super::artifacts::table(&run.artifacts).print();
    }
    let missing = run.snapshot.iter().flat_map(|snapshot| &snapshot.missing_expected_paths);
    let told = |missing: &Value| match (missing["path"].as_str()?, missing["reason"].as_str()) {
        (path, Some(reason)) => Some(format!("{path} ({reason})")),
        (path, None) => Some(path.to_owned()),
    };
    let missing: Vec<_> = missing.filter_map(told).collect();
    if !missing.is_empty() {
        heading("Declared, and not there");
        missing.iter().for_each(printer::line);
    }
    if !run.logs.is_empty() {
        heading("Logs");
        let mut table = Table::new(vec![Heading::new("log").shrinking(), Heading::new("size").right()]);
        for log in &run.logs {
            let name = match (log.stream, &log.path) {
                (LogStream::Log, Some(path)) => path.clone(),
                (stream, _) => stream.as_str().to_owned(),
            };
            table.row(vec![Cell::new(name), super::artifacts::size(log.size_bytes)]);
        }
        table.print();
    }
}

fn print_notes(run: &Run) {
    if run.notes.is_empty() {
        return;
    }
    heading("Notes");
    for note in &run.notes {
        printer::painted(&[(STRONG, &note.author), (PLAIN, &format!(", {} UTC", human::moment(note.created_at)))]);
        note.text.trim().lines().for_each(|line| printer::line(format_args!("  {line}")));
    }
}

fn heading(text: &str) {
    printer::line("");
    printer::painted(&[(STRONG, text)]);
}

fn fact(name: &str, text: &str) {
    printer::painted(&[(STRONG, &format!("{name}: ")), (PLAIN, text)]);
}
