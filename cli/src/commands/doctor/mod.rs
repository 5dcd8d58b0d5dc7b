//! `otrace doctor`: looks at everything that a run needs, and says what to do about what is wrong.
//!
//! It changes nothing. One line for each check, as soon as it is known: [`server`] asks the server, [`machine`] looks
//! at this machine and the workspace.

mod machine;
mod server;

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;
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

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Runs are recorded, though not as well as they could be.
    Warning,
    /// Runs are not recorded, or not sent.
    Failed,
}

/// What came of a check, in words that say what to do.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    name: &'static str,
    status: Status,
    message: String,
}

/// The checks so far.
pub struct Report {
    checks: Vec<Check>,
    is_json: bool,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        })
    }
}

impl Check {
    fn new(name: &'static str, status: Status, message: impl fmt::Display) -> Self {
        // A server may say several lines.
        let message = message.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Self { name, status, message }
    }

    fn ok(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, Status::Ok, message)
    }

    fn warning(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, Status::Warning, message)
    }

    fn failed(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, Status::Failed, message)
    }
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
        printer::line(json!({ "ok": report.is_good(), "checks": report.checks }));
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
