//! `otrace checkout`: gets the state that a run ran on back into a folder of its own.

use std::borrow::Cow;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::args::CredentialArgs;
use crate::checkout::destination::Destination;
use crate::checkout::{self, CheckedOut};
use crate::commands::{connect, load_settings};
use crate::error::{Error, Result};
use crate::workspace::Workspace;
use crate::{printer, prompts};

/// `otrace checkout`.
#[derive(Debug, clap::Args)]
pub struct CheckoutArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The run: its number, such as exp042, or its UUID
    #[arg(value_name = "EXP_ID")]
    pub experiment: String,

    /// Where to: an empty folder, or one that is not there [default: `../<directory>.trace-checkouts/<EXP_ID>`]
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,

    /// Not done by otrace: it would write over your own work
    #[arg(long)]
    pub in_place: bool,

    /// Do not ask about files that other programs run by themselves
    #[arg(long)]
    pub yes: bool,

    /// Print one JSON object, for scripts and agents
    #[arg(long)]
    pub json: bool,
}

/// Checks it out, and says how faithful that is.
pub async fn run(args: &CheckoutArgs) -> Result<ExitCode> {
    if args.in_place {
        return Err(Error::new("--in-place is not automated: it would write over your own work.")
            .with_hint("Leave it out, or choose an empty path with --path."));
    }
    let workspace = Workspace::current()?;
    let client = connect(&load_settings(&args.credentials, &workspace)?).await?;
    let run = client.run(&args.experiment).await?;
    let experiment = run.experiment_id.to_string();
    let path = match &args.path {
        Some(path) => workspace.root().join(path),
        None => Destination::usual(&workspace, &experiment),
    };
    let destination = Destination::at(path)?;
    let made = checkout::check_out(&client, &workspace, &run, destination, |risky| agree(args, risky)).await?;
    if args.json {
        printer::json(&json!({
            "experiment_id": experiment,
            "run_id": run.id,
            "path": made.path.to_string_lossy(),
            "base": made.base,
            "how_well": made.how_well,
            "reasons": made.reasons,
            "notes": made.notes,
            "artifacts": made.artifacts,
            "script": made.script,
        }))?;
    } else {
        print(&experiment, &made);
    }
    printer::done()
}

fn agree(args: &CheckoutArgs, risky: &str) -> Result<()> {
    let told = format!("this run brings files that other programs run by themselves: {risky}");
    if args.yes {
        printer::warning(told);
        return Ok(());
    }
    if !prompts::can_ask() || args.json {
        return Err(Error::new(told).with_hint("If you trust who recorded it, repeat this with --yes.").unasked());
    }
    printer::warning(told);
    if prompts::confirmed("Check it out? (y/N)")? { Ok(()) } else { Err(Error::new("nothing was checked out")) }
}

fn print(experiment: &str, made: &CheckedOut) {
    let artifacts = match made.artifacts {
        1 => "1 artifact".to_owned(),
        count => format!("{count} artifacts"),
    };
    printer::line(format_args!("Checked out {experiment} to {} ({artifacts})", made.path.display()));
    printer::line(made.verdict);
    for reason in &made.reasons {
        printer::line(format_args!("  {}", one_line(reason)));
    }
    for note in &made.notes {
        printer::line(format_args!("Note: {}", one_line(note)));
    }
    printer::line(format_args!("Repeat it: cd {} && bash {}", quoted(&made.path), made.script));
}

/// Reasons hold names from the server.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    shlex::try_quote(&path).map_or_else(|_| path.to_string(), Cow::into_owned)
}
