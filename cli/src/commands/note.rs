//! `otrace note`: writes down what was learned from a run.

use std::io::{self, Read as _};
use std::process::ExitCode;

use clap::Args;
use uuid::Uuid;

use crate::args::CredentialArgs;
use crate::client::reading::experiment;
use crate::commands::changing;
use crate::error::{Error, Result};
use crate::printer;

/// The longest note that the server takes, in bytes.
const TEXT_MAX: u64 = 64 * 1024;

/// `otrace note`.
#[derive(Debug, Args)]
pub struct NoteArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The run, such as exp042
    #[arg(value_name = "EXP_ID")]
    pub experiment: String,

    /// What to write, in Markdown; #insight in it makes the run one of the notebook's insights; `-` reads it from
    /// standard input
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub text: String,
}

/// Sends it.
pub async fn run(args: &NoteArgs) -> Result<ExitCode> {
    let text = if args.text == "-" { piped()? } else { args.text.clone() };
    if text.trim().is_empty() {
        return Err(Error::new("a note needs a text").with_hint("Put it in quotes after the experiment."));
    }
    if text.len() as u64 > TEXT_MAX {
        return Err(Error::new("a note has at most 64 KiB").with_hint("Keep the rest in a file of the run."));
    }
    let client = changing::client(&args.credentials).await?;
    client.add_note(&args.experiment, Uuid::now_v7(), &text).await?;
    printer::note(format_args!("Noted on {}.", experiment(&args.experiment)?));
    printer::done()
}

fn piped() -> Result<String> {
    let mut text = String::new();
    let read = io::stdin().lock().take(TEXT_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Error::new(format!("could not read standard input: {error}")))?;
    Ok(text)
}
