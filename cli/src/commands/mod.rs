//! One module for each command.

mod init;
mod login;
mod run;
mod whoami;

use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::error::Result;
use crate::settings::{ApiKey, Settings};
use crate::{printer, prompts};

/// Runs the command that was typed.
pub async fn dispatch(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Init(args) => init::run(&args).await?,
        Command::Login(args) => login::run(&args).await?,
        Command::Whoami(args) => whoami::run(&args).await?,
        Command::Run(args) => return run::run(&args).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks for a key if there is none and there is somebody to ask.
fn with_key(settings: Settings) -> Result<Settings> {
    if settings.api_key().is_ok() || !prompts::can_ask() {
        return Ok(settings);
    }
    printer::line(format_args!("Make an API key at {}/projects and paste it here.", settings.api_url));
    let key = ApiKey::new(&prompts::secret("API key:")?)?;
    Ok(settings.with_api_key(key))
}
