//! `otrace artifacts`: the files that are kept with a run.

use std::process::ExitCode;

use clap::Args;
use otrace_wire::{Artifact, ExperimentId};
use serde::Serialize;

use crate::args::CredentialArgs;
use crate::commands::{connect, load_settings};
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

    /// Only those of this type, such as metrics or log
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,

    /// Only those in whose path, type or text all of these words are
    #[arg(long, value_name = "WORDS")]
    pub query: Option<String>,

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
    let client = connect(&load_settings(&args.credentials, &Workspace::current()?)?).await?;
    let run = client.run(&args.experiment).await?;
    let has_any = !run.artifacts.is_empty();
    let mut artifacts = run.artifacts;
    artifacts.retain(|artifact| is_wanted(artifact, args));
    if args.json {
        for artifact in &mut artifacts {
            // What is in them is `otrace download`'s to tell.
            artifact.text_content = None;
        }
        printer::json(&Told { experiment_id: run.experiment_id, artifacts })?;
    } else if artifacts.is_empty() {
        let such = if has_any { "such " } else { "" };
        printer::note(format_args!("{} has no {such}artifacts.", run.experiment_id));
    } else {
        table(&artifacts).print();
    }
    printer::done()
}

fn is_wanted(artifact: &Artifact, args: &ArtifactsArgs) -> bool {
    let kind = artifact.kind.as_deref().unwrap_or_default();
    if args.kind.as_deref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(kind)) {
        return false;
    }
    let Some(query) = &args.query else { return true };
    let id = artifact.id.map(|id| id.to_string());
    let texts = [
        id.as_deref(),
        artifact.original_path.as_deref(),
        artifact.stored_path.as_deref(),
        artifact.kind.as_deref(),
        artifact.content_type.as_deref(),
        artifact.text_content.as_deref(),
    ];
    let texts: Vec<_> = texts.into_iter().flatten().map(str::to_lowercase).collect();
    query.to_lowercase().split_whitespace().all(|word| texts.iter().any(|text| text.contains(word)))
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
