//! `otrace-server secrets`: the keys that the server signs with.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::print_json;
use crate::clock::Clock;
use crate::config::{DatabaseConfig, SecretsConfig};
use crate::tokens;

/// What can be done with the server's secrets.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Make the file of the signing keys, for servers that are given it; one that is there stays as it is
    Create(KeysArguments),
    /// Add a signing key; servers take it over within a minute, and what older keys signed stays good
    Rotate(KeysArguments),
}

/// Which keys are meant.
#[derive(Args, Debug)]
pub struct KeysArguments {
    #[command(flatten)]
    secrets: SecretsConfig,
    /// Only for the data directory.
    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Serialize)]
struct Created {
    file: String,
}

#[derive(Serialize)]
struct Rotated {
    kid: String,
    file: String,
}

impl KeysArguments {
    fn file(&self) -> PathBuf {
        self.secrets.signing_keys_file(&self.database.data_dir())
    }
}

impl SecretsCommand {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<()> {
        let now = Clock::System.now();
        match self {
            Self::Create(keys) => {
                let file = keys.file();
                tokens::create(&file, now)?;
                print_json(&Created { file: file.display().to_string() })
            }
            Self::Rotate(keys) => {
                let file = keys.file();
                let kid = tokens::rotate(&file, now)?;
                print_json(&Rotated { kid, file: file.display().to_string() })
            }
        }
    }
}
