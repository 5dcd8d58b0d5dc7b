//! `otrace delete`: takes runs away. `otrace restore` brings them back.

use std::process::ExitCode;

use clap::Args;

use crate::args::CredentialArgs;
use crate::commands::changing;
use crate::error::{Error, Result};
use crate::printer::human;
use crate::{printer, prompts};

/// `otrace delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The runs, such as exp042
    #[arg(value_name = "EXP_ID", required = true)]
    pub experiments: Vec<String>,

    /// Delete them without asking
    #[arg(long, short)]
    pub yes: bool,
}

/// Deletes them, if all of them are there and that is what is wanted.
pub async fn run(args: &DeleteArgs) -> Result<ExitCode> {
    if !args.yes && !prompts::can_ask() {
        let told = Error::new("nobody is there to confirm it");
        return Err(told.with_hint("Add --yes to delete without asking.").unasked());
    }
    let client = changing::client(&args.credentials).await?;
    let mut names = Vec::new();
    for experiment in &args.experiments {
        let run = client.run(experiment).await?;
        let name = run.experiment_id.to_string();
        if names.contains(&name) {
            continue;
        }
        if !args.yes {
            let title = run.title.as_deref().unwrap_or_else(|| human::first_line(&run.intent));
            printer::note(format_args!("{name}  {title}"));
        }
        names.push(name);
    }
    let runs = human::counted(names.len(), "run");
    if !args.yes && !prompts::confirmed(&format!("Delete {runs}? (y/N)"))? {
        return Err(Error::new("nothing was deleted"));
    }
    for name in &names {
        client.delete_run(name).await?;
        printer::line(format_args!("Deleted {name}"));
    }
    printer::note(format_args!("`otrace restore {}` brings back what was deleted.", names.join(" ")));
    printer::done()
}
