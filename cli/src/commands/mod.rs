//! One module for each command.

pub mod completions;
mod device_login;
pub mod doctor;
mod init;
mod login;
pub mod logout;
pub mod man;
mod run;
pub mod scaffold;
mod status;
mod sync;
mod whoami;

use std::process::ExitCode;

use crate::args::{Cli, Command, CredentialArgs};
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
        Command::Sync => sync::run().await?,
        Command::Status(args) => status::run(&args)?,
        Command::Logout(args) => logout::run(&args).await?,
        Command::Doctor(args) => return doctor::run(&args).await,
        Command::Scaffold(args) => scaffold::run(&args)?,
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
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

/// Asks for a key. Where there is nobody to ask, the key in force is good, if there is one.
fn ask_for_key(settings: &Settings) -> Result<ApiKey> {
    if !prompts::can_ask() {
        return settings.api_key().cloned();
    }
    printer::line(format_args!("Make an API key at {}/projects and paste it here.", settings.api_url));
    ApiKey::new(&prompts::secret("API key:")?)
}
