//! `otrace-server secrets`: the keys that the server signs with.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::print_json;
use crate::clock::Clock;
use crate::config::{DatabaseConfig, SecretsConfig};
use crate::tokens;

/// What can be done with the server's secrets.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Add a signing key; servers take it over within a minute, and what older keys signed stays good
    Rotate(RotateArguments),
}

/// Which keys are meant.
#[derive(Args, Debug)]
pub struct RotateArguments {
    #[command(flatten)]
    secrets: SecretsConfig,
    /// Only for the data directory.
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Serialize)]
struct Rotated {
    kid: String,
    file: String,
}

impl SecretsCommand {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let Self::Rotate(RotateArguments { secrets, database }) = self;
        let file = secrets.signing_keys_file(&database.data_dir());
        let kid = tokens::rotate(&file, Clock::System.now())?;
        print_json(&Rotated { kid, file: file.display().to_string() })
    }
}
