//! `otrace`: records why a command ran, what it ran on, and what came of it.
//!
//! Reads its arguments ([`args`]), runs one command ([`commands`]), and turns an error into a line, a hint
//! and an exit code. Where to look next: [`commands::run`] is the main job, [`client`] is all
//! that talks to the server, [`printer`] all that talks to people.

use std::process::ExitCode;

use clap::Parser as _;

mod args;
mod browser;
mod capture;
mod checkout;
mod child;
mod client;
mod clock;
mod commands;
mod declared_files;
mod env_file;
mod error;
mod export;
mod import;
mod log_tee;
mod mcp;
mod outputs;
mod printer;
mod private_files;
mod prompts;
mod run_spec;
mod saved_login;
mod secrets;
mod series;
mod settings;
mod signals;
mod small_files;
mod spool;
mod stored_log;
mod system_metrics;
mod terminal;
mod traceignore;
mod ui;
mod upload;
mod version;
mod workspace;

use crate::args::Cli;
use crate::error::{Error, Result};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return args::explain(&refusal),
    };
    if cli.quiet {
        printer::be_quiet();
    }
    match start(cli) {
        Ok(code) => code,
        Err(error) => {
            printer::error(&error);
            error.exit_code()
        }
    }
}

/// Runs one command to its end. One thread is enough: nearly all the time is spent waiting for the
/// wrapped command, and a thread pool would cost start-up time that each run pays.
fn start(cli: Cli) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(format!("could not start: {error}")))?;
    let outcome = runtime.block_on(commands::dispatch(cli));
    // A name look-up that hangs must not hold back an answer that is already known.
    runtime.shutdown_background();
    outcome
}
