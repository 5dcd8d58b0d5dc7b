//! `otrace doctor`: looks at everything that a run needs, and says what to do about what is wrong.
//!
//! It changes nothing. One line for each check, as soon as it is known: [`server`] asks the server, [`machine`] looks
//! at this machine and the workspace.

mod machine;
mod server;

use std::process::ExitCode;

use otrace_doctor::{Check, Status};
use serde_json::json;

use crate::args::CredentialArgs;
use crate::commands::load_settings;
use crate::error::Result;
use crate::workspace::Workspace;
use crate::{printer, version};

/// `otrace doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// Print one JSON object, for scripts and agents
    #[arg(long)]
    pub json: bool,
}

/// The checks so far.
pub struct Report {
    checks: Vec<Check>,
    is_json: bool,
}

impl Report {
    /// Takes a check in, and tells it to whoever waits.
    fn add(&mut self, check: Check) {
        if !self.is_json {
            let Check { name, status, message } = &check;
            printer::line(format_args!("{status:<7}  {name:<9}  {message}"));
        }
        self.checks.push(check);
    }

    fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.status != Status::Failed)
    }
}

/// Checks everything; a failed check makes the exit code 1.
pub async fn run(args: &DoctorArgs) -> Result<ExitCode> {
    let workspace = Workspace::current()?;
    let mut report = Report { checks: Vec::new(), is_json: args.json };
    report.add(Check::ok("otrace", version::FULL));
    match load_settings(&args.credentials, &workspace) {
        Ok(settings) => server::check(&settings, &mut report).await,
        Err(error) => report.add(Check::failed("settings", error)),
    }
    machine::check(&workspace, &mut report).await;
    if args.json {
        printer::json(&json!({ "ok": report.is_good(), "checks": report.checks }))?;
    }
    printer::done()?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
