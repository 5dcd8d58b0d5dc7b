//! `otrace-server project`: projects without a browser.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{DatabaseArguments, print_json};
use crate::domain::{Actor, ProjectId};
use crate::services;
use crate::services::projects::NewProject;

/// What can be done with projects.
#[derive(Debug, Subcommand)]
pub enum ProjectCommand {
    /// Create a project
    Create(CreateArguments),
}

/// What a project is made of.
#[derive(Args, Debug)]
pub struct CreateArguments {
    /// The e-mail address of the account that owns it
    #[arg(long)]
    owner: String,
    /// Its name
    #[arg(long)]
    name: String,
    /// What is researched in it
    #[arg(long, default_value = "")]
    description: String,
    #[command(flatten)]
    database: DatabaseArguments,
}

#[derive(Serialize)]
struct Created {
    id: ProjectId,
    name: String,
    slug: String,
}

impl ProjectCommand {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self::Create(arguments) = self;
        let CreateArguments { owner, name, description, database } = arguments;
        let project = database
            .with_app(async |app| {
                let owner = services::accounts::find(app, &owner).await?;
                Ok(services::projects::create(app, &owner, &Actor::command(), NewProject { name, description }).await?)
            })
            .await?;
        print_json(&Created { id: project.id, name: project.name, slug: project.slug })
    }
}
