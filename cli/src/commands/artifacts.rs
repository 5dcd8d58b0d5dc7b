//! `otrace artifacts`: the files that are kept with a run.

use std::process::ExitCode;

use clap::Args;
use otrace_wire::{Artifact, ExperimentId};
use serde::Serialize;

use crate::args::CredentialArgs;
use crate::client::Client;
use crate::commands::load_settings;
use crate::error::Result;
use crate::printer;
use crate::printer::table::{Cell, Heading, Table};
use crate::workspace::Workspace;

/// `otrace artifacts`.
#[derive(Debug, Args)]
pub struct ArtifactsArgs {
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

/// What is told of them.
#[derive(Serialize)]
struct Told {
    experiment_id: ExperimentId,
    artifacts: Vec<Artifact>,
}

/// Asks the server and prints them.
pub async fn run(args: &ArtifactsArgs) -> Result<ExitCode> {
    let client = Client::new(&load_settings(&args.credentials, &Workspace::current()?)?)?;
    let run = client.run(&args.experiment).await?;
    if args.json {
        let mut artifacts = run.artifacts;
        for artifact in &mut artifacts {
            // What is in them is `otrace download`'s to tell.
            artifact.text_content = None;
        }
        printer::json(&Told { experiment_id: run.experiment_id, artifacts })?;
    } else if run.artifacts.is_empty() {
        printer::note(format_args!("{} has no artifacts.", run.experiment_id));
    } else {
        table(&run.artifacts).print();
    }
    printer::done()
}

/// They in a table.
pub(super) fn table(artifacts: &[Artifact]) -> Table {
    let headings = vec![Heading::new("path").shrinking(), Heading::new("type"), Heading::new("size").right()];
    let mut table = Table::new(headings);
    for artifact in artifacts {
        let kind = artifact.kind.clone().unwrap_or_default();
        table.row(vec![Cell::new(name(artifact)), Cell::new(kind), size(artifact.size_bytes)]);
    }
    table
}

/// What an artifact is called.
pub(super) fn name(artifact: &Artifact) -> &str {
    artifact.original_path.as_deref().or(artifact.stored_path.as_deref()).unwrap_or_default()
}

/// A size, if it is known.
pub(super) fn size(bytes: Option<i64>) -> Cell {
    let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok());
    bytes.map_or_else(Cell::default, |bytes| Cell::both(printer::bytes(bytes), bytes.to_string()))
}
