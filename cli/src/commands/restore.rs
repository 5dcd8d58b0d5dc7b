//! `otrace restore`: brings deleted runs back.

use std::process::ExitCode;

use clap::Args;

use crate::args::CredentialArgs;
use crate::client::reading;
use crate::commands::changing;
use crate::error::Result;
use crate::printer;

/// `otrace restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The runs, such as exp042
    #[arg(value_name = "EXP_ID", required = true)]
    pub experiments: Vec<String>,
}

/// Brings them back, one after the other.
pub async fn run(args: &RestoreArgs) -> Result<ExitCode> {
    let client = changing::client(&args.credentials).await?;
    for experiment in &args.experiments {
        client.restore_run(experiment).await?;
        printer::line(format_args!("Restored {}", reading::experiment(experiment)?));
    }
    printer::done()
}
