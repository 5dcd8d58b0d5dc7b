//! Backups: a database and the contents that it names, as they were at one moment, while servers go on.
//!
//! [`make`] looks at the database in one snapshot, dumps its tables, and notes which objects hold its contents. Then the
//! snapshot ends, and those objects are copied that the backup's place lacks: objects are never changed, and [`alone`]
//! keeps sweeps from removing any meanwhile. The manifest is written last; what has none is no backup. All that is
//! written is hashed on its way, each content is held to its own hash before that, and [`verify`] reads all of it again.
//!
//! Tables are told by COPY, over the connection that the server has anyway, and not by `pg_dump`: that program must be
//! there, in a version not older than the database, and brings a schema along. Here the schema is the migrations, which
//! every server has, so that a backup goes into any PostgreSQL, and each row that came back is counted.

mod dump;
mod manifest;
mod objects;
mod pruning;
mod restoring;
mod spool;
mod verifying;

use std::time::Duration;

use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use crate::blobs::Blobs;
use crate::domain::backup::{self, FORMAT, Heading, Line};
use crate::error::{AppError, Result};
use crate::store;
use crate::store::archive::tables::Table;

pub use manifest::{Listed, choose, list};
pub use pruning::{Pruned, prune};
pub use restoring::{Restored, restore};
pub(in crate::services) use spool::{Spool, Spooled};
pub use verifying::{Verified, verify};

use manifest::ManifestWriter;
use objects::Held;

/// What a reader begins with, so that nothing moves meanwhile.
pub(in crate::services) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// So long a sweep or another backup is waited for, and how often it is looked whether it has ended.
const PATIENCE: Duration = Duration::from_mins(10);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A database and the store of its contents.
#[derive(Clone, Copy, Debug)]
pub struct Stores<'a> {
    /// The database.
    pub pool: &'a PgPool,
    /// The contents.
    pub contents: &'a Blobs,
}

/// A backup that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// What it is called.
    #[serde(rename = "backup")]
    pub name: String,
    /// How many rows it has.
    pub rows: u64,
    /// How many objects with contents it names.
    pub objects: u64,
    /// How many bytes those have.
    pub bytes: u64,
    /// How many of them its place did not have yet.
    pub sent_objects: u64,
    /// How many bytes those have.
    pub sent_bytes: u64,
}

/// The database as it is at one moment.
#[derive(Debug)]
pub struct Snapshot {
    transaction: Transaction<'static, Postgres>,
    tables: Vec<Table>,
}

impl Snapshot {
    /// The database as it is now.
    pub async fn take(pool: &PgPool) -> Result<Self> {
        let tables = store::archive::tables::list(&mut *pool.acquire().await?).await?;
        let mut transaction = pool.begin_with(SNAPSHOT).await?;
        store::archive::tables::settle(&mut transaction).await?;
        // Before the first query, which settles what is seen: a server that migrates waits from here on.
        store::archive::tables::hold(&mut transaction, &tables).await?;
        let tables = store::archive::tables::list(&mut transaction).await?;
        Ok(Self { transaction, tables })
    }

    /// The connection that sees it.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}

/// Makes a backup in its place, which [`alone`] is to be around.
pub async fn make(stores: Stores<'_>, target: &Blobs, now: OffsetDateTime) -> Result<Made> {
    make_of(Snapshot::take(stores.pool).await?, stores.contents, target, now).await
}

/// Does something while no sweep removes what the database has just named, and no other backup or restore of it is under
/// way: they all take the same turns.
pub async fn alone<T>(pool: &PgPool, work: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
    let give_up = Instant::now() + PATIENCE;
    let turn = loop {
        if let Some(turn) = store::sweep::lock(pool.acquire().await?).await? {
            break turn;
        }
        if Instant::now() > give_up {
            return Err(AppError::Conflict(
                "A sweep or another backup of this database has been under way for 10 minutes. Try again when it has \
                 ended."
                    .into(),
            ));
        }
        sleep(LOOK_EVERY).await;
    };
    let done = work().await;
    // It ends with the connection all the same.
    if let Err(error) = store::sweep::unlock(turn).await {
        tracing::warn!(%error, "could not give the turn of backups and sweeps back");
    }
    done
}

/// Makes a backup of a snapshot.
pub async fn make_of(snapshot: Snapshot, contents: &Blobs, target: &Blobs, now: OffsetDateTime) -> Result<Made> {
    let name = backup::name_of(now)?;
    if target.object_size(&backup::manifest_key(&name)).await?.is_some() {
        return Err(AppError::Conflict(format!("There is a backup {name} already. Try again in a second.").into()));
    }
    let made = try_to_make(snapshot, contents, target, &name, now).await;
    if made.is_err()
        && let Err(error) = pruning::remove_folder(target, &name).await
    {
        tracing::warn!(%error, name, "could not remove what there is of a backup that broke off");
    }
    made
}

async fn try_to_make(
    mut snapshot: Snapshot,
    contents: &Blobs,
    target: &Blobs,
    name: &str,
    now: OffsetDateTime,
) -> Result<Made> {
    let mut lines = vec![Line::Backup(heading(&mut snapshot, now).await?)];
    for table in snapshot.tables.clone() {
        lines.push(Line::Table(dump::dump(snapshot.connection(), target, name, &table).await?));
    }
    let mut held = Spool::new()?;
    let mut named = store::archive::contents::in_objects(snapshot.connection());
    while let Some((project_id, blob)) = named.try_next().await? {
        held.push(&Held::of(project_id, blob))?;
    }
    drop(named);
    // Copying may take hours, in which the database should not keep old rows for us.
    snapshot.transaction.rollback().await?;

    let mut manifest = ManifestWriter::begin(target, name);
    let sent = match write(&mut manifest, lines, contents, target, held).await {
        Ok(sent) => sent,
        Err(error) => {
            manifest.give_up().await;
            return Err(error);
        }
    };
    let end = manifest.finish().await?;
    Ok(Made {
        name: name.to_owned(),
        rows: end.rows,
        objects: end.objects,
        bytes: end.bytes,
        sent_objects: sent.objects,
        sent_bytes: sent.bytes,
    })
}

async fn heading(snapshot: &mut Snapshot, now: OffsetDateTime) -> Result<Heading> {
    let seen = store::archive::tables::migrations(snapshot.connection()).await?;
    let migrations = seen.filter(|seen| !seen.is_empty()).ok_or_else(|| {
        AppError::invalid("The database is empty: no server has ever run on it. Check which one was named.")
    })?;
    let known = crate::database::known_migrations();
    if !backup::can_be_made_by(&migrations, &known) {
        return Err(AppError::Conflict(
            "The database belongs to another version of the server. Make the backup with that version.".into(),
        ));
    }
    Ok(Heading { format: FORMAT, at: now, server: env!("CARGO_PKG_VERSION").to_owned(), migrations })
}

/// Writes the manifest, but for its end, and copies the objects that it names.
async fn write(
    manifest: &mut ManifestWriter,
    lines: Vec<Line>,
    contents: &Blobs,
    target: &Blobs,
    held: Spool<Held>,
) -> Result<objects::Sent> {
    // Looked for before this one is among them.
    let former = manifest::names(target).await?.pop();
    for line in lines {
        manifest.write(&line).await?;
    }
    objects::copy_all(manifest, contents, target, held, former.as_deref()).await
}
