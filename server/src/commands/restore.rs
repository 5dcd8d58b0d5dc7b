//! `otrace-server restore`: a backup, into an empty database and an empty store of contents.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::backup::StoresArguments;
use super::print_json;
use crate::blobs::Blobs;
use crate::database::Database;
use crate::services::backup::{self, Stores};
use crate::telemetry::{self, LogFormat};

/// What is brought back, and where to.
#[derive(Args, Debug)]
pub struct RestoreArguments {
    /// Where the backups are: a folder, or `s3://bucket/prefix`, `gs://bucket`, `az://container`
    #[arg(long, value_name = "PLACE")]
    from: String,
    /// Which one: its name, or a time that it is not younger than [default: the newest]
    #[arg(long, value_name = "TIME", conflicts_with = "list")]
    at: Option<String>,
    /// Restore nothing: say which backups there are, the oldest first
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    stores: StoresArguments,
}

#[derive(Serialize)]
struct Restored {
    backup: String,
    #[serde(flatten)]
    restored: backup::Restored,
}

/// Brings a backup back, or says which there are.
pub async fn run(arguments: RestoreArguments) -> anyhow::Result<()> {
    telemetry::start(LogFormat::Text, "warn");
    let RestoreArguments { from, at, list, stores } = arguments;
    let target = Blobs::at(&from, &stores.for_place())?;
    if list {
        return backup::list(&target).await?.iter().try_for_each(print_json);
    }
    let name = backup::choose(&target, at.as_deref()).await?;
    let contents = stores.contents()?;
    // Not beside a server that runs on the same directory: it would take the rows for its own before they are all there.
    let database = Database::start(&stores.database).await?;
    let of = Stores { pool: &database.pool, contents: &contents };
    let done = backup::alone(of.pool, async || backup::restore(of, &target, &name).await).await;
    database.close().await?;
    let restored = done?;
    let told = writeln!(
        std::io::stderr(),
        "Everybody signs in again. API keys and accounts that were ended since the backup are good again: end them anew."
    );
    told.context("writing to standard error")?;
    print_json(&Restored { backup: name, restored })
}
