//! `otrace-server key`: project API keys without a browser.

use clap::{Args, Subcommand};
use serde::Serialize;
use uuid::Uuid;

use super::{DatabaseArguments, print_json};
use crate::domain::{ApiKeyId, ProjectId};
use crate::services;
use crate::services::api_keys::NewKeyInput;

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Create a project API key, and show it this once
    Create(CreateArguments),
}

/// What a key is made of.
#[derive(Args, Debug)]
pub struct CreateArguments {
    /// The id of the project that it opens
    #[arg(long)]
    project: Uuid,
    /// Where it will live
    #[arg(long)]
    name: String,
    /// What it may do: write (and read), or only read
    #[arg(long, default_value = "write", value_parser = ["write", "read"])]
    scope: String,
    /// How many days it works [default: for ever, as a script that makes keys is there to make the next]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
    expires_days: Option<u16>,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Serialize)]
struct Created {
    id: ApiKeyId,
    name: String,
    key: String,
    prefix: String,
}

impl KeyCommand {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self::Create(arguments) = self;
        let CreateArguments { project, name, scope, expires_days, database } = arguments;
        let input = NewKeyInput { name, scope: scope.parse()?, lifetime_days: expires_days };
        let created = database
            .with_app(async |app| Ok(services::api_keys::create_for_owner(app, ProjectId(project), input).await?))
            .await?;
        print_json(&Created {
            id: created.record.id,
            name: created.record.name,
            key: created.key,
            prefix: created.record.prefix,
        })
    }
}
