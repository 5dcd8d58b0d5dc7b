//! `otrace download`: files that are kept with a run, into a folder; or one artifact by its id.

mod artifact;
pub(crate) mod folder;
pub(crate) mod plan;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use crate::args::CredentialArgs;
use crate::client::Client;
use crate::commands::{connect, load_settings};
use crate::error::{Error, Result};
use crate::printer::progress::{Meter, Progress};
use crate::printer::{self, human};
use crate::workspace::Workspace;
use folder::Folder;
use plan::Wanted;

/// `otrace download`.
#[derive(Debug, Args)]
pub struct DownloadArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The run, such as exp042, or an artifact's UUID
    #[arg(value_name = "EXP_ID")]
    pub experiment: String,

    /// Which of its files: a path, a folder or a glob such as 'outputs/*.json' [default: all]
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,

    /// Where to: a folder [default: one that is named after the run, such as exp042]; of an artifact, the file
    #[arg(long, short, value_name = "PATH")]
    pub output: Option<PathBuf>,

    /// Write files anew that are there already and differ
    #[arg(long)]
    pub force: bool,

    /// Print one JSON object, for scripts and agents
    #[arg(long)]
    pub json: bool,
}

/// Asks the server which files there are, and brings those that are wanted.
pub async fn run(args: &DownloadArgs) -> Result<ExitCode> {
    let client = connect(&load_settings(&args.credentials, &Workspace::current()?)?).await?;
    let found = client.run(&args.experiment).await;
    if let (Err(error), Ok(id)) = (&found, args.experiment.trim().parse::<Uuid>())
        && error.is_absent()
        && args.paths.is_empty()
    {
        return artifact::run(&client, args, id).await;
    }
    let run = found?;
    let experiment = run.experiment_id.to_string();
    let plan = plan::plan(&run.artifacts, &args.paths, &experiment)?;
    for (name, reason) in &plan.left_out {
        printer::warning(format_args!("{name} is left out: {reason}"));
    }
    let paths = if plan.wanted.is_empty() {
        printer::note(format_args!("{experiment} has no files to download."));
        Vec::new()
    } else {
        let folder = match &args.output {
            Some(path) => Folder::given(path)?,
            None => Folder::ours(&experiment)?,
        };
        fetch_all(&client, &folder, &plan.wanted, args).await?
    };
    if args.json {
        let paths: Vec<_> = paths.iter().map(|path| path.to_string_lossy()).collect();
        printer::json(&json!({ "experiment_id": experiment, "paths": paths }))?;
    }
    printer::done()
}

/// Brings them all, one after the other. Where they are then.
async fn fetch_all(client: &Client, folder: &Folder, wanted: &[Wanted], args: &DownloadArgs) -> Result<Vec<PathBuf>> {
    let progress = Progress::receiving(wanted.iter().map(|wanted| wanted.size).sum());
    let (mut paths, mut failed) = (Vec::new(), 0);
    for wanted in wanted {
        if wanted.is_doubtful && !client.has_content(&wanted.digest).await? {
            printer::warning(format_args!("{} is left out: its content is not stored", wanted.name));
            continue;
        }
        match fetch(client, folder, wanted, args.force, &progress.meter()).await {
            Ok(path) => {
                if !args.json {
                    printer::line(path.display());
                }
                paths.push(path);
            }
            Err(error) if error.is_unreachable() => return Err(error),
            Err(error) => {
                printer::warning(error.context(&format!("{} was not downloaded:", wanted.name)));
                failed += 1;
            }
        }
    }
    drop(progress);
    let files = human::counted(paths.len() + failed, "file");
    if failed > 0 {
        return Err(Error::new(format!("{failed} of {files} were not downloaded")));
    }
    printer::note(format_args!("Downloaded: {files}"));
    Ok(paths)
}

/// Brings one file, unless it is there as it is on the server; where it is then.
pub(crate) async fn fetch(
    client: &Client,
    folder: &Folder,
    wanted: &Wanted,
    force: bool,
    meter: &Meter,
) -> Result<PathBuf> {
    let target = folder.place(&wanted.place)?;
    if folder::is_there(&target, &wanted.digest, wanted.size) {
        meter.add(wanted.size);
    } else {
        client.download_in_sight(&wanted.digest, wanted.size, &target, force, meter).await?;
    }
    Ok(target)
}
