//! `otrace import`: runs that happened elsewhere take the place of a project's runs, or come after them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use otrace_wire::imports::{CommitImport, ImportOutcome};
use uuid::Uuid;

use crate::args::CredentialArgs;
use crate::client::Client;
use crate::commands::changing;
use crate::error::{Error, Result};
use crate::import::files::{Folder, Measured};
use crate::import::manifest::{Manifest, PlannedRun};
use crate::import::sending;
use crate::printer::human;
use crate::secrets::Masker;
use crate::workspace::Workspace;
use crate::{printer, prompts, upload};

/// How long a server that fails is waited for in all.
const PATIENCE: Duration = Duration::from_mins(1);
/// So many mistakes of a manifest are told.
const MISTAKES_MAX: usize = 100;
/// So many files from elsewhere are named.
const OUTSIDE_MAX: usize = 10;

/// `otrace import`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that people type")]
pub struct ImportArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The manifest: a JSON file; its paths begin where it is
    #[arg(long, value_name = "PATH")]
    pub spec: PathBuf,

    /// Check the manifest and its files, and ask no server
    #[arg(long)]
    pub dry_run: bool,

    /// Leave out the runs that are wrong, rather than importing none
    #[arg(long)]
    pub continue_on_error: bool,

    /// Keep the project's runs, rather than moving them to the trash
    #[arg(long)]
    pub append: bool,

    /// Send also files outside of the manifest's folder and the workspace
    #[arg(long)]
    pub outside: bool,

    /// Keep passwords, tokens and other secrets as they are in what is recorded
    #[arg(long)]
    pub no_secret_masking: bool,

    /// Replace the project's runs without asking
    #[arg(long, short)]
    pub yes: bool,
}

/// Checks the manifest, and imports it if that is what is wanted.
pub async fn run(args: &ImportArgs) -> Result<ExitCode> {
    let workspace = Workspace::current()?;
    let Manifest { runs, wrong, mistakes } = Manifest::load(&args.spec, &workspace)?;
    tell(&mistakes);
    let all = human::counted(runs.len() + wrong, "run");
    if wrong > 0 && !args.continue_on_error {
        return Err(Error::new(format!("{wrong} of {all} can't be imported, and nothing was sent"))
            .with_hint("Correct the manifest, or leave them out with --continue-on-error."));
    }
    if runs.is_empty() {
        return Err(Error::new("no run of the manifest can be imported, and nothing was sent"));
    }
    let outside = if args.outside { Vec::new() } else { Folder::of(&args.spec, &workspace)?.outside(&runs)? };
    tell_outside(&outside);
    if args.dry_run {
        printer::line(format_args!("{} can be imported. Nothing was sent.", human::counted(runs.len(), "run")));
    } else {
        may_send(args, &outside)?;
        let masker = if args.no_secret_masking { None } else { Some(Masker::of(&workspace)?) };
        let client = changing::client(&args.credentials).await?.patient(PATIENCE);
        report(&import(&client, args, runs, masker.as_ref()).await?);
        for told in masker.iter().flat_map(Masker::report) {
            printer::warning(told);
        }
    }
    if wrong > 0 {
        printer::warning(format_args!("left out: {wrong} of {all}"));
        return printer::done().map(|_| ExitCode::FAILURE);
    }
    printer::done()
}

fn tell(mistakes: &[String]) {
    for mistake in mistakes.iter().take(MISTAKES_MAX) {
        printer::warning(mistake);
    }
    if mistakes.len() > MISTAKES_MAX {
        let more = human::counted(mistakes.len() - MISTAKES_MAX, "more mistake");
        printer::warning(format_args!("and {more}, which are not listed"));
    }
}

fn tell_outside(outside: &[String]) {
    for file in outside.iter().take(OUTSIDE_MAX) {
        printer::warning(format_args!("outside of the manifest's folder and the workspace: {file}"));
    }
    if outside.len() > OUTSIDE_MAX {
        let more = human::counted(outside.len() - OUTSIDE_MAX, "more file");
        printer::warning(format_args!("and {more} there, which are not listed"));
    }
}

/// Whether files from elsewhere may be sent. Agreeing to replace runs is not agreeing to that.
fn may_send(args: &ImportArgs, outside: &[String]) -> Result<()> {
    if outside.is_empty() {
        return Ok(());
    }
    let files = human::counted(outside.len(), "file");
    if args.yes || !prompts::can_ask() {
        let told = format!("the manifest names {files} from elsewhere, and nobody has agreed to send what is there");
        return Err(Error::new(told).with_hint("Look at the names, and add --outside to send it.").unasked());
    }
    let question = format!("Send {files} from outside of the manifest's folder and the workspace, as they are? (y/N)");
    if prompts::confirmed(&question)? {
        return Ok(());
    }
    Err(Error::new("the import was cancelled, and nothing was sent"))
}

/// Imports runs. Whatever goes wrong, the project stays as it is.
async fn import(
    client: &Client,
    args: &ImportArgs,
    runs: Vec<PlannedRun>,
    masker: Option<&Masker>,
) -> Result<ImportOutcome> {
    let begun = client.begin_import(Uuid::now_v7()).await?;
    let replaced = if args.append { 0 } else { begun.existing_runs };
    let imported = match may_replace(args, replaced, runs.len()) {
        Ok(()) => place(client, begun.id, args, runs, masker).await,
        Err(error) => Err(error),
    };
    if imported.is_err() {
        // A server that can't be told so removes it by itself.
        let _ = client.abandon_import(begun.id).await;
    }
    imported
}

/// Whether the project's runs may go.
fn may_replace(args: &ImportArgs, replaced: u64, count: usize) -> Result<()> {
    if replaced == 0 || args.yes {
        return Ok(());
    }
    let existing = human::counted(usize::try_from(replaced).unwrap_or(usize::MAX), "run");
    if !prompts::can_ask() {
        let told =
            format!("the project has {existing}, which would go to the trash, and nobody is there to confirm it");
        return Err(Error::new(told).with_hint("Add --yes to replace them, or --append to keep them.").unasked());
    }
    let new = human::counted(count, "run");
    if prompts::confirmed(&format!("Import {new}, and move the {existing} of this project to the trash? (y/N)"))? {
        return Ok(());
    }
    Err(Error::new("the import was cancelled, and nothing was changed"))
}

/// Contents first, then the runs that name them, and last their place.
async fn place(
    client: &Client,
    import: Uuid,
    args: &ImportArgs,
    mut runs: Vec<PlannedRun>,
    masker: Option<&Masker>,
) -> Result<ImportOutcome> {
    if let Some(masker) = masker {
        runs = runs.into_iter().map(|run| run.masked(masker)).collect();
    }
    let measured = Measured::of(&runs, masker)?;
    let unsent = upload::contents(client, &measured.to_send(&runs), true).await;
    if let Some(reason) = unsent.reason {
        return Err(reason);
    }
    let count = u32::try_from(runs.len()).unwrap_or(u32::MAX);
    sending::stage(client, import, runs, &measured).await?;
    client.commit_import(import, &CommitImport { replace: !args.append, runs: count }).await
}

fn report(outcome: &ImportOutcome) {
    let count = |count: u32| human::counted(usize::try_from(count).unwrap_or(usize::MAX), "run");
    let imported = count(outcome.imported);
    match (outcome.first, outcome.last) {
        (Some(first), Some(last)) if first != last => {
            printer::line(format_args!("Imported {imported}: {first} to {last}"));
        }
        (Some(only), _) => printer::line(format_args!("Imported {imported}: {only}")),
        (None, _) => printer::line(format_args!("Imported {imported}")),
    }
    if outcome.deleted > 0 {
        let deleted = count(outcome.deleted);
        printer::note(format_args!("{deleted} went to the trash. `otrace restore EXP_ID` brings one back."));
    }
}
