//! `otrace notebook`: the project's runs, told as one document.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use otrace_history::notebook::{Mode, Notebook};
use otrace_wire::{ExperimentId, Run};
use serde_json::json;

use super::history::{self, History};
use crate::args::CredentialArgs;
use crate::client::reading::experiment;
use crate::error::{Error, Result};
use crate::workspace::Workspace;
use crate::{printer, private_files};

/// What it is called in `.trace/notebook/`.
const MARKDOWN: &str = "generated.md";
const JSON: &str = "generated.json";

/// `otrace notebook`.
#[derive(Debug, Args)]
pub struct NotebookArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: NotebookCommand,
}

/// What there is to do with a notebook.
#[derive(Debug, Subcommand)]
pub enum NotebookCommand {
    /// Write the notebook of the project's runs, as Markdown and as JSON: the same runs give the same bytes
    Generate(GenerateArgs),
}

/// `otrace notebook generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// Which runs to tell of: `chronological` is all of them, `branch` the active experiment, its ancestors and its
    /// descendants, `insights` those with an #insight note
    #[arg(long, value_name = "MODE", default_value_t = Mode::Chronological)]
    pub mode: Mode,

    /// The run whose branch to tell of [default: the active experiment of this workspace]
    #[arg(long, value_name = "EXP_ID")]
    pub run: Option<String>,

    /// Where to write the Markdown [default: .trace/notebook/generated.md]; the JSON is always in
    /// .trace/notebook/generated.json
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,

    /// Ask no server: take what this workspace has of its runs
    #[arg(long)]
    pub offline: bool,

    /// Print one JSON object about what was written, for scripts and agents
    #[arg(long)]
    pub json: bool,
}

/// Does it.
pub async fn run(args: &NotebookArgs) -> Result<ExitCode> {
    let NotebookCommand::Generate(args) = &args.what;
    let workspace = Workspace::current()?;
    let History { project, runs } = history::read(&args.credentials, &workspace, args.offline).await?;
    let active = match args.mode {
        Mode::Branch => Some(active(args, &workspace, &runs)?),
        Mode::Chronological | Mode::Insights => None,
    };
    let notebook = Notebook::new(&project, &runs, args.mode, active);
    workspace.prepare()?;
    let folder = workspace.trace_dir().join("notebook");
    let json = folder.join(JSON);
    write_private(&json, &notebook.json())?;
    let markdown = args.output.clone().unwrap_or_else(|| folder.join(MARKDOWN));
    if args.output.is_some() {
        fs::write(&markdown, notebook.markdown()).map_err(|error| Error::file("write", &markdown, &error))?;
    } else {
        write_private(&markdown, &notebook.markdown())?;
    }
    let [markdown, json] = [markdown, json].map(|path| workspace.relative(&path));
    let count = notebook.entries.len();
    if args.json {
        let (mode, project) = (args.mode, &notebook.project);
        printer::json(&json!({
            "markdown": markdown, "json": json, "mode": mode, "project": project, "experiments": count,
        }))?;
    } else {
        let experiments = printer::human::counted(count, "experiment");
        printer::line(format_args!("Notebook of {experiments}: {markdown} and {json}"));
    }
    printer::done()
}

/// The run that a branch is of.
fn active(args: &GenerateArgs, workspace: &Workspace, runs: &[Run]) -> Result<ExperimentId> {
    if let Some(named) = &args.run {
        let name = experiment(named)?;
        let is_named = |run: &&Run| run.experiment_id.to_string() == name || run.id.to_string() == name;
        let found = runs.iter().find(is_named).map(|run| run.experiment_id);
        return found.ok_or_else(|| Error::new(format!("Unknown experiment: {name}")));
    }
    let found = workspace.active_experiment().and_then(|id| runs.iter().find(|run| run.id == id));
    found.map(|run| run.experiment_id).ok_or_else(|| {
        Error::new("this workspace has no active experiment, so that there is no branch to tell of")
            .with_hint("Name one with `--run exp042`, or record one with `otrace run`.")
    })
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    let write = || -> io::Result<()> { private_files::file(path)?.write_all(text.as_bytes()) };
    write().map_err(|error| Error::file("write", path, &error))
}
