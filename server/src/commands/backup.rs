//! `otrace-server backup`: the database and the contents that it names, to a folder or a bucket.

use std::io::Write;
use std::num::NonZeroU16;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;
use nix::sys::stat::{Mode, umask};
use serde::Serialize;

use super::print_json;
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::{Config, DatabaseConfig, HttpConfig, SecretsConfig, StorageConfig};
use crate::database::Database;
use crate::services::backup::{self, Stores};
use crate::telemetry::{self, LogFormat};

/// What the variables begin with that are a backup's place's and not the store's of contents.
const PREFIX: &str = "OTRACE_BACKUP_";

/// What is backed up, and where to.
#[derive(Args, Debug)]
pub struct BackupArguments {
    /// Where to: a folder, or `s3://bucket/prefix`, `gs://bucket`, `az://container`. Contents that are there already are
    /// not sent again
    #[arg(long, value_name = "PLACE", required_unless_present = "verify", conflicts_with = "verify")]
    to: Option<String>,
    /// Keep only so many of the newest backups there, and remove the older ones with all that only they need
    #[arg(long, value_name = "COUNT", requires = "to")]
    keep: Option<NonZeroU16>,
    /// Make no backup: read all of one again, and say what of it is damaged
    #[arg(long, value_name = "PLACE")]
    verify: Option<String>,
    /// Which backup to read: its name, or a time that it is not younger than [default: the newest]
    #[arg(long, value_name = "TIME", requires = "verify")]
    at: Option<String>,
    #[command(flatten)]
    stores: StoresArguments,
    /// Only to say where the keys are, which are not part of a backup.
    #[command(flatten)]
    secrets: SecretsConfig,
}

/// Whose database and contents are meant.
#[derive(Args, Debug)]
pub(super) struct StoresArguments {
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub storage: StorageConfig,
}

impl StoresArguments {
    /// The store of contents.
    pub fn contents(&self) -> anyhow::Result<Blobs> {
        let http = HttpConfig::local(([127, 0, 0, 1], 8000).into());
        Blobs::open(&Config { storage: self.storage.clone(), ..Config::new(http, self.database.clone()) })
    }

    /// How a backup's place is reached: by its own variables, else by those of the contents.
    pub fn for_place(&self) -> StorageConfig {
        let own = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.to_str()?.strip_prefix(PREFIX)?.to_owned(), value.into_string().ok()?))
        });
        let own = StorageConfig { storage_url: None, direct_uploads: false, variables: own.collect() };
        let is_told = own.variables.all().next().is_some();
        if is_told { own } else { StorageConfig { variables: self.storage.variables.clone(), ..own } }
    }
}

#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    backup: backup::Made,
    removed_backups: u64,
    removed_objects: u64,
    removed_bytes: u64,
    /// Where the keys are that it does not hold.
    signing_keys_file: PathBuf,
}

#[derive(Serialize)]
struct Verified {
    backup: String,
    #[serde(flatten)]
    verified: backup::Verified,
}

/// Makes a backup, or reads one again.
pub async fn run(arguments: BackupArguments) -> anyhow::Result<()> {
    telemetry::start(LogFormat::Text, "warn");
    match (&arguments.to, &arguments.verify) {
        (Some(to), _) => make(&arguments, to).await,
        (None, Some(from)) => verify(&arguments, from).await,
        (None, None) => anyhow::bail!("say where the backup goes, with --to"),
    }
}

async fn make(arguments: &BackupArguments, to: &str) -> anyhow::Result<()> {
    let BackupArguments { keep, stores, secrets, .. } = arguments;
    let target = Blobs::made_at(to, &stores.for_place())?;
    let contents = stores.contents()?;
    let database = Database::join(&stores.database).await?;
    // Not before: a private PostgreSQL may run as another user, who needs the way to its data.
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
    let of = Stores { pool: &database.pool, contents: &contents };
    let done = backup::alone(of.pool, async || {
        let now = Clock::System.now();
        let made = backup::make(of, &target, now).await?;
        let pruned = match keep {
            Some(keep) => backup::prune(&target, usize::from(keep.get()), now).await?,
            None => backup::Pruned::default(),
        };
        Ok((made, pruned))
    });
    let done = done.await;
    database.close().await?;
    let (backup, pruned) = done?;
    let signing_keys_file = secrets.signing_keys_file(&stores.database.data_dir());
    let told = writeln!(
        std::io::stderr(),
        "The signing keys are not in the backup. Keep {} apart from it, encrypted: whoever has it can sign for the server.",
        signing_keys_file.display()
    );
    told.context("writing to standard error")?;
    print_json(&Made {
        backup,
        removed_backups: pruned.backups,
        removed_objects: pruned.objects,
        removed_bytes: pruned.bytes,
        signing_keys_file,
    })
}

async fn verify(arguments: &BackupArguments, from: &str) -> anyhow::Result<()> {
    let target = Blobs::at(from, &arguments.stores.for_place())?;
    let name = backup::choose(&target, arguments.at.as_deref()).await?;
    let verified = backup::verify(&target, &name).await?;
    let is_whole = verified.damaged == 0;
    print_json(&Verified { backup: name.clone(), verified })?;
    ensure!(is_whole, "the backup {name} is damaged: do not rely on it, and make another one in a new place");
    Ok(())
}
