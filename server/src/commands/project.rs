//! `otrace-server project`: projects without a browser.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::{DatabaseArguments, print_json};
use crate::config::StorageConfig;
use crate::domain::archive::End;
use crate::domain::{Actor, Project, ProjectId};
use crate::services;
use crate::services::projects::NewProject;

/// So much of an archive is read or written at once, in bytes.
const ARCHIVE_BUFFER: usize = 1024 * 1024;

/// What can be done with projects.
#[derive(Debug, Subcommand)]
pub enum ProjectCommand {
    /// Create a project
    Create(CreateArguments),
    /// Write a project to one file, with its runs and all contents, for another server
    Export(ExportArguments),
    /// Make a project of such a file
    Import(ImportArguments),
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

/// Which project is written, and where to.
#[derive(Args, Debug)]
pub struct ExportArguments {
    /// The project, as it is called in the addresses of its pages
    #[arg(value_name = "NAME")]
    project: String,
    /// The file to write, a tar; there must be none yet
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    storage: StorageConfig,
}

/// What a project is made of, and whose it will be.
#[derive(Args, Debug)]
pub struct ImportArguments {
    /// The file that `project export` wrote
    #[arg(value_name = "FILE")]
    archive: PathBuf,
    /// The e-mail address of the account that will own it
    #[arg(long, value_name = "EMAIL")]
    owner: String,
    /// What it is called here [default: as it was]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    storage: StorageConfig,
}

#[derive(Serialize)]
struct Created {
    id: ProjectId,
    name: String,
    slug: String,
}

/// A project that was written, or read.
#[derive(Serialize)]
struct Moved {
    #[serde(flatten)]
    project: Created,
    #[serde(flatten)]
    end: End,
}

impl ProjectCommand {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(arguments) => arguments.run().await,
            Self::Export(arguments) => arguments.run().await,
            Self::Import(arguments) => arguments.run().await,
        }
    }
}

impl CreateArguments {
    async fn run(self) -> anyhow::Result<()> {
        let Self { owner, name, description, database } = self;
        let project = database
            .with_app(async |app| {
                let owner = services::accounts::find(app, &owner).await?;
                Ok(services::projects::create(app, &owner, &Actor::command(), NewProject { name, description }).await?)
            })
            .await?;
        print_json(&Created::from(project))
    }
}

impl ExportArguments {
    async fn run(self) -> anyhow::Result<()> {
        let Self { project, output, database, storage } = self;
        ensure!(!output.exists(), "{} is there already; name another file", output.display());
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // It gets its name when it is whole.
        let file = NamedTempFile::new_in(folder).with_context(|| format!("creating a file in {}", folder.display()))?;
        let exported = database
            .with_contents(storage, async |app| {
                let out = BufWriter::with_capacity(ARCHIVE_BUFFER, file.as_file());
                Ok(services::archive::export(app, &project, out).await?)
            })
            .await?;
        file.as_file().sync_all().context("writing the archive")?;
        file.persist_noclobber(&output).with_context(|| format!("naming the archive {}", output.display()))?;
        print_json(&Moved { project: exported.project.into(), end: exported.end })
    }
}

impl ImportArguments {
    async fn run(self) -> anyhow::Result<()> {
        let Self { archive, owner, name, database, storage } = self;
        let file = File::open(&archive).with_context(|| format!("opening {}", archive.display()))?;
        let file = BufReader::with_capacity(ARCHIVE_BUFFER, file);
        let imported = database
            .with_contents(storage, async |app| {
                let owner = services::accounts::find(app, &owner).await?;
                Ok(services::archive::import(app, file, &owner, name.as_deref()).await?)
            })
            .await?;
        print_json(&Moved { project: imported.project.into(), end: imported.end })
    }
}

impl From<Project> for Created {
    fn from(project: Project) -> Self {
        Self { id: project.id, name: project.name, slug: project.slug }
    }
}
