//! One module for each command.

pub mod artifacts;
mod changing;
pub mod checkout;
pub mod completions;
pub mod delete;
mod device_login;
pub mod diff;
pub mod doctor;
pub mod download;
pub mod export;
mod history;
pub mod import;
mod init;
pub mod ledger;
mod login;
pub mod logout;
pub mod logs;
pub mod man;
pub mod mcp;
pub mod note;
pub mod notebook;
pub mod open;
pub mod restore;
mod run;
pub mod runs;
pub mod scaffold;
pub mod show;
mod status;
mod sync;
pub mod tag;
pub mod ui;
mod whoami;

use std::process::ExitCode;

use crate::args::{Cli, Command, CredentialArgs};
use crate::child::heir;
use crate::client::Client;
use crate::error::Result;
use crate::settings::{ApiKey, Settings};
use crate::workspace::Workspace;
use crate::{printer, prompts};

/// Runs the command that was typed.
pub async fn dispatch(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Init(args) => init::run(&args).await?,
        Command::Login(args) => login::run(&args).await?,
        Command::Whoami(args) => whoami::run(&args).await?,
        Command::Run(args) => return run::run(&args).await,
        Command::Sync(args) => sync::run(&args).await?,
        Command::Status(args) => return status::run(&args),
        Command::Runs(args) => return runs::run(&args).await,
        Command::Show(args) => return show::run(&args).await,
        Command::Artifacts(args) => return artifacts::run(&args).await,
        Command::Download(args) => return download::run(&args).await,
        Command::Logs(args) => return logs::run(&args).await,
        Command::Diff(args) => return diff::run(&args).await,
        Command::Note(args) => return note::run(&args).await,
        Command::Tag(args) => return tag::run(&args).await,
        Command::Open(args) => return open::run(&args).await,
        Command::Ui(args) => return ui::run(&args).await,
        Command::Delete(args) => return delete::run(&args).await,
        Command::Restore(args) => return restore::run(&args).await,
        Command::Import(args) => return import::run(&args).await,
        Command::Checkout(args) => return checkout::run(&args).await,
        Command::Export(args) => return export::run(&args).await,
        Command::Logout(args) => logout::run(&args).await?,
        Command::Doctor(args) => return doctor::run(&args).await,
        Command::Notebook(args) => return notebook::run(&args).await,
        Command::Ledger(args) => return ledger::run(&args).await,
        Command::Scaffold(args) => scaffold::run(&args)?,
        Command::Mcp(args) => mcp::run(args).await?,
        Command::Completions(args) => completions::run(&args),
        Command::Heir(args) => heir::run(&args)?,
        Command::Man(args) => man::run(&args)?,
    }
    printer::done()
}

/// The settings in force, where the key may be piped in: `--api-key -`.
fn load_settings(flags: &CredentialArgs, workspace: &Workspace) -> Result<Settings> {
    let mut flags = flags.clone();
    if flags.api_key.as_deref() == Some("-") {
        let key = ApiKey::new(&prompts::piped_line()?)?;
        flags.api_key = Some(key.expose().to_owned());
    }
    Settings::load(&flags, workspace)
}

/// A client for these settings. Where a flag says which project is meant, a key of another one is refused before
/// anything else is asked.
pub async fn connect(settings: &Settings) -> Result<Client> {
    let client = Client::new(settings)?;
    if settings.has_project_flag() {
        settings.check_flags(&client.whoami().await?.project)?;
    }
    Ok(client)
}

/// Asks for a key. Where there is nobody to ask, the key in force is good, if there is one.
fn ask_for_key(settings: &Settings) -> Result<ApiKey> {
    if !prompts::can_ask() {
        return settings.api_key().cloned();
    }
    printer::line(format_args!("Make an API key at {}/projects and paste it here.", settings.api_url));
    ApiKey::new(&prompts::secret("API key:")?)
}
