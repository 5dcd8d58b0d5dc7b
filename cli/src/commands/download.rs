//! `otrace download`: files that are kept with a run, into a folder.

pub(crate) mod folder;
pub(crate) mod plan;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::args::CredentialArgs;
use crate::client::Client;
use crate::commands::load_settings;
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

    /// The run, such as exp042
    #[arg(value_name = "EXP_ID")]
    pub experiment: String,

    /// Which of its files: a path, a folder or a glob such as 'outputs/*.json' [default: all]
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,

    /// Where to [default: a folder that is named after the run, such as exp042]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Write files anew that are there already and differ
    #[arg(long)]
    pub force: bool,
}

/// Asks the server which files there are, and brings those that are wanted.
pub async fn run(args: &DownloadArgs) -> Result<ExitCode> {
    let client = Client::new(&load_settings(&args.credentials, &Workspace::current()?)?)?;
    let run = client.run(&args.experiment).await?;
    let experiment = run.experiment_id.to_string();
    let plan = plan::plan(&run.artifacts, &args.paths, &experiment)?;
    for (name, reason) in &plan.left_out {
        printer::warning(format_args!("{name} is left out: {reason}"));
    }
    if plan.wanted.is_empty() {
        printer::note(format_args!("{experiment} has no files to download."));
        return printer::done();
    }
    let folder = match &args.output {
        Some(path) => Folder::given(path)?,
        None => Folder::ours(&experiment)?,
    };
    let bytes: u64 = plan.wanted.iter().map(|wanted| wanted.size).sum();
    let progress = Progress::receiving(bytes);
    let (mut fetched, mut failed) = (0, 0);
    for wanted in &plan.wanted {
        if wanted.is_doubtful && !client.has_content(&wanted.digest).await? {
            printer::warning(format_args!("{} is left out: its content is not stored", wanted.name));
            continue;
        }
        fetched += 1;
        match fetch(&client, &folder, wanted, args.force, &progress.meter()).await {
            Ok(path) => printer::line(path.display()),
            Err(error) if error.is_unreachable() => return Err(error),
            Err(error) => {
                printer::warning(error.context(&format!("{} was not downloaded:", wanted.name)));
                failed += 1;
            }
        }
    }
    drop(progress);
    let files = human::counted(fetched, "file");
    if failed > 0 {
        return Err(Error::new(format!("{failed} of {files} were not downloaded")));
    }
    printer::note(format_args!("Downloaded: {files}"));
    printer::done()
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
