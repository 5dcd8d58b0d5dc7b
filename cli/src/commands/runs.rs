//! `otrace runs`: the project's runs, in a table.

mod columns;

use std::process::ExitCode;

use clap::Args;
use otrace_wire::{Run, RunStatus};
use serde::Serialize;

use crate::args::CredentialArgs;
use crate::client::Client;
use crate::client::reading::RunsQuery;
use crate::commands::{connect, load_settings};
use crate::error::Result;
use crate::printer;
use crate::printer::table::Table;
use crate::workspace::Workspace;
use columns::Column;

/// What is shown unless told.
const USUAL: [&str; 6] = ["id", "status", "created", "duration", "tags", "title"];
/// So many are asked for at once.
const PAGE: usize = 100;

/// `otrace runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// Only runs that match, such as `status:failed metrics.accuracy > 0.9 NOT tag:old "free text"`
    #[arg(long, value_name = "QUERY", allow_hyphen_values = true)]
    pub query: Option<String>,

    /// Only runs with this status: created, running, completed, failed or `capture_failed`
    #[arg(long, value_name = "STATUS")]
    pub status: Option<RunStatus>,

    /// Only runs with this tag; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,

    /// What to order by: created, number, duration, status, title, metrics.NAME or config.NAME; with a minus before
    /// it, the other way round [default: the newest first]
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    pub sort: Option<String>,

    /// How many to show at most; 0 shows all
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: usize,

    /// What to show of each, in this order, such as `id,status,metrics.accuracy`
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub columns: Vec<String>,

    /// Print one JSON object, for scripts and agents
    #[arg(long)]
    pub json: bool,
}

/// What was found.
#[derive(Serialize)]
struct Found {
    runs: Vec<Run>,
    /// Whether there are others that match.
    has_more: bool,
}

/// Asks the server and prints them.
pub async fn run(args: &RunsArgs) -> Result<ExitCode> {
    let columns = chosen_columns(args)?;
    let client = connect(&load_settings(&args.credentials, &Workspace::current()?)?).await?;
    let found = collect(&client, args).await?;
    if args.json {
        printer::json(&found)?;
        return printer::done();
    }
    if found.runs.is_empty() {
        printer::note(if is_filtered(args) { "No run matches." } else { "The project has no runs yet." });
        return printer::done();
    }
    let mut table = Table::new(columns.iter().map(Column::heading).collect());
    for run in &found.runs {
        table.row(columns.iter().map(|column| column.cell(run)).collect());
    }
    table.print();
    if found.has_more {
        let shown = found.runs.len();
        printer::note(format_args!("{shown} runs are shown, and there are more: `--limit` says how many to show."));
    }
    printer::done()
}

fn chosen_columns(args: &RunsArgs) -> Result<Vec<Column>> {
    if !args.columns.is_empty() {
        return args.columns.iter().map(|name| Column::named(name)).collect();
    }
    let mut columns = USUAL.iter().map(|name| Column::named(name)).collect::<Result<Vec<_>>>()?;
    // Whoever orders by something wants to see it.
    let sort = args.sort.as_deref().map(|sort| sort.trim_start_matches('-')).unwrap_or_default();
    if sort.starts_with(columns::METRICS) {
        columns.insert(columns.len() - 1, Column::named(sort)?);
    }
    Ok(columns)
}

async fn collect(client: &Client, args: &RunsArgs) -> Result<Found> {
    let wanted = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut query = RunsQuery {
        query: args.query.clone(),
        status: args.status.map(|status| status.to_string()),
        tags: args.tags.clone(),
        sort: args.sort.clone(),
        limit: None,
        cursor: None,
    };
    let mut runs: Vec<Run> = Vec::new();
    loop {
        query.limit = u32::try_from((wanted - runs.len()).min(PAGE)).ok();
        let page = client.runs(&query).await?;
        let brought_any = !page.runs.is_empty();
        runs.extend(page.runs);
        query.cursor = page.next_cursor.filter(|_| brought_any);
        if query.cursor.is_none() || runs.len() >= wanted {
            break;
        }
    }
    let has_more = query.cursor.is_some() || runs.len() > wanted;
    runs.truncate(wanted);
    Ok(Found { runs, has_more })
}

fn is_filtered(args: &RunsArgs) -> bool {
    args.query.is_some() || args.status.is_some() || !args.tags.is_empty()
}
