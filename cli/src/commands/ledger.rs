//! `otrace ledger`: one line for each of the project's runs.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use otrace_history::ledger;

use super::history::{self, History};
use crate::args::CredentialArgs;
use crate::error::{Error, Result};
use crate::printer;
use crate::printer::raw::Raw;
use crate::workspace::Workspace;

/// `otrace ledger`.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// One JSON object a line, with all that is known of each run, or a table to read
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    pub format: Format,

    /// Where to write it [default: standard output]
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,

    /// Ask no server: take what this workspace has of its runs
    #[arg(long)]
    pub offline: bool,
}

/// The forms of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line
    Jsonl,
    /// A table in Markdown
    Markdown,
}

/// Reads all runs and writes them, the oldest first.
pub async fn run(args: &LedgerArgs) -> Result<ExitCode> {
    let History { project, mut runs } = history::read(&args.credentials, &Workspace::current()?, args.offline).await?;
    runs.sort_by_key(|run| (run.created_at, run.experiment_id));
    let text = match args.format {
        Format::Jsonl => ledger::jsonl(&runs),
        Format::Markdown => ledger::markdown(&project, &runs),
    };
    if let Some(path) = &args.output {
        fs::write(path, text).map_err(|error| Error::file("write", path, &error))?;
    } else {
        let mut stdout = Raw::new();
        stdout.write(text.as_bytes())?;
        stdout.end()?;
    }
    printer::done()
}
