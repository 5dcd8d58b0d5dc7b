//! `otrace-server doctor`: looks at everything that the server needs, and says what to do about what is wrong.

use std::io::Write;

use anyhow::{Context, ensure};
use clap::{Args, CommandFactory};
use serde_json::json;

use super::{Arguments, print_json};
use crate::clock::Clock;
use crate::config::{Config, secret_files};
use crate::services::doctor::{Check, Patient, Status, examine};
use crate::telemetry::{self, LogFormat};

/// Which server is looked at: one that would start with these settings.
#[derive(Args, Debug)]
pub struct DoctorArguments {
    #[command(flatten)]
    config: Config,
    /// Print one JSON object, for scripts
    #[arg(long)]
    json: bool,
}

impl DoctorArguments {
    /// Looks, and prints a line for each check as soon as it is known. A failed check is an error.
    pub async fn run(self) -> anyhow::Result<()> {
        telemetry::start(LogFormat::Text, "off");
        let Self { mut config, json } = self;
        config.http.settle(config.http.listen);
        let command = Arguments::command();
        let (files, flags) = (secret_files::files_of(&command), secret_files::flags_of_secrets(&command));
        let patient = Patient { config, files, flags, clock: Clock::System };

        let mut checks = Vec::new();
        let mut printed = Ok(());
        examine(&patient, &mut |check: Check| {
            if !json && printed.is_ok() {
                printed = print_line(&check);
            }
            checks.push(check);
        })
        .await;
        printed?;
        let failed = checks.iter().filter(|check| check.status == Status::Failed).count();
        if json {
            print_json(&json!({ "ok": failed == 0, "checks": checks }))?;
        }
        ensure!(failed == 0, "{failed} of {} checks failed", checks.len());
        Ok(())
    }
}

fn print_line(Check { name, status, message }: &Check) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{status:<7}  {name:<11}  {message}").context("writing to standard output")
}
