//! `otrace-server key`: project API keys without a browser.

use clap::{Args, Subcommand};
use serde::Serialize;
use uuid::Uuid;

use super::{DatabaseArguments, print_json};
use crate::domain::{ApiKeyId, ProjectId};
use crate::services;

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
        let CreateArguments { project, name, database } = arguments;
        let created = database
            .with_app(async |app| Ok(services::api_keys::create_for_owner(app, ProjectId(project), &name).await?))
            .await?;
        print_json(&Created {
            id: created.record.id,
            name: created.record.name,
            key: created.key,
            prefix: created.record.prefix,
        })
    }
}
