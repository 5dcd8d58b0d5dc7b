//! Bringing a backup back: into an empty database and an empty store of contents, and nowhere else.
//!
//! First all that can be checked is checked, the dumps of the tables included. Then contents come, each held to its
//! hash before its object is there, and then all rows in one transaction, which commits once every content that a row
//! names is found in the store. So a restore that breaks off leaves an empty database, and can be begun again: a mark in
//! the store tells that what lies there is a restore's. Nobody is signed in afterwards.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use super::manifest::{Objects, Overview, damaged, overview};
use super::objects::{AT_ONCE, WHOLE_MAX, collect, present};
use super::verifying::holds;
use super::{Stores, dump};
use crate::blobs::{self, Blobs, Hasher};
use crate::database;
use crate::domain::backup::{self, Heading, StoredObject, TableDump};
use crate::error::{AppError, Result};
use crate::store;
use crate::store::archive::tables::{self, Table};

/// Tells that a store was empty before what now lies in it.
const MARK: &str = "restoring";

/// What lets somebody in without a password or a key. Of what was ended or used since the backup, nothing may be good
/// again.
const SIGN_INS: [&str; 4] = ["sessions", "one_time_links", "device_logins", "provider_attempts"];

/// A backup that was brought back.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    /// The moment that it shows.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The version of the server that made it.
    pub server: String,
    /// How many tables came back.
    pub tables: u64,
    /// How many rows.
    pub rows: u64,
    /// How many objects with contents.
    pub objects: u64,
    /// How many bytes those have.
    pub bytes: u64,
    /// Tables of the backup that the server does not make; they did not come back.
    pub left_out: Vec<String>,
}

/// Brings a backup back.
pub async fn restore(stores: Stores<'_>, target: &Blobs, name: &str) -> Result<Restored> {
    let Stores { pool, contents } = stores;
    let Overview { heading, tables, end } = overview(target, name).await?;
    let last = check_version(name, &heading)?;
    for dump in &tables {
        if !holds(target, &dump.key, dump.size_bytes, &dump.sha256).await? {
            return Err(dump::is_damaged(name, dump));
        }
    }
    check_database(&mut *pool.acquire().await?, &heading).await?;
    let is_begun = check_store(contents).await?;

    contents.put_object(MARK, Bytes::from_static(b"A restore has begun here.\n")).await?;
    bring_objects_back(contents, target, name, is_begun).await?;
    database::migrate_until(pool, last).await?;
    let left_out = bring_rows_back(pool, contents, target, name, &heading, &tables).await?;
    // What a younger server adds to the schema.
    database::migrate(pool).await?;
    contents.remove_object(MARK).await?;
    Ok(Restored {
        at: heading.at,
        server: heading.server,
        tables: end.tables,
        rows: end.rows,
        objects: end.objects,
        bytes: end.bytes,
        left_out,
    })
}

/// The last migration of a backup that this server can bring back.
fn check_version(name: &str, heading: &Heading) -> Result<i64> {
    let last = heading.migrations.last().ok_or_else(|| damaged(name, "it tells no migration"))?;
    if !backup::can_be_made_by(&heading.migrations, &database::known_migrations()) {
        return Err(AppError::Conflict(
            format!(
                "The backup {name} was made by otrace-server {}, whose database this version can't make. Restore it \
                 with that version.",
                heading.server
            )
            .into(),
        ));
    }
    Ok(last.version)
}

/// Refuses a database in which there is anything, or that another version has set up.
async fn check_database(connection: &mut PgConnection, heading: &Heading) -> Result<()> {
    let found = tables::list(connection).await?;
    let seen = tables::migrations(connection).await?.unwrap_or_default();
    for table in &found {
        if seen.is_empty() || !tables::is_empty(connection, &table.name).await? {
            return Err(AppError::Conflict(
                format!(
                    "The database is not empty: it has a table {}. Nothing was changed. Name a new database, or another \
                     data directory.",
                    table.name
                )
                .into(),
            ));
        }
    }
    if !seen.is_empty() && seen != heading.migrations {
        return Err(AppError::Conflict(
            "The database is empty, but another version of the server has set it up. Nothing was changed. Name a new \
             database, or another data directory."
                .into(),
        ));
    }
    Ok(())
}

/// Refuses a store in which there is anything but what a restore has left. Returns whether one has.
async fn check_store(contents: &Blobs) -> Result<bool> {
    if contents.object_size(MARK).await?.is_some() {
        return Ok(true);
    }
    match contents.objects("").try_next().await? {
        None => Ok(false),
        Some(found) => Err(AppError::Conflict(
            format!(
                "The store of contents is not empty: it has {}. Nothing was changed. Name an empty folder or bucket with \
                 --storage-url, or another data directory.",
                found.key
            )
            .into(),
        )),
    }
}

async fn bring_objects_back(contents: &Blobs, target: &Blobs, name: &str, is_begun: bool) -> Result<()> {
    let objects = Objects::open(target, name).await?.into_stream();
    let brought = objects.map_ok(|object| async move {
        let StoredObject { key, size_bytes, sha256 } = &object;
        if is_begun && holds(contents, key, *size_bytes, sha256).await? {
            return Ok(());
        }
        bring_back(contents, target, name, &object).await
    });
    brought.try_buffered(AT_ONCE).try_collect::<()>().await
}

/// Copies an object out of a backup, if it is what the manifest says.
async fn bring_back(contents: &Blobs, target: &Blobs, name: &str, object: &StoredObject) -> Result<()> {
    let StoredObject { key, size_bytes, sha256 } = object;
    let is_damaged = || damaged(name, &format!("{} is not what its manifest says", backup::kept_key(key)));
    let found = target.object(&backup::kept_key(key)).await?;
    let (_, mut bytes) = found.filter(|(size, _)| size == size_bytes).ok_or_else(is_damaged)?;
    if *size_bytes <= WHOLE_MAX {
        let bytes = collect(bytes).await?;
        if Hasher::digest_of(&bytes) != *sha256 {
            return Err(is_damaged());
        }
        return contents.put_object(key, bytes).await;
    }
    let mut writer = contents.begin_object(key);
    while let Some(chunk) = bytes.try_next().await? {
        writer.write(&chunk).await?;
    }
    if writer.written().digest != *sha256 {
        writer.give_up().await;
        return Err(is_damaged());
    }
    writer.finish().await?;
    Ok(())
}

/// Brings all rows back, in one transaction. Returns the tables that were left out.
async fn bring_rows_back(
    pool: &PgPool,
    contents: &Blobs,
    target: &Blobs,
    name: &str,
    heading: &Heading,
    dumps: &[TableDump],
) -> Result<Vec<String>> {
    let mut transaction = pool.begin().await?;
    tables::settle(&mut transaction).await?;
    let found = tables::list(&mut transaction).await?;
    tables::close(&mut transaction, &found).await?;
    // Once more, now that nobody else can add anything.
    check_database(&mut transaction, heading).await?;
    let refers = found.iter().map(|table| (table.name.clone(), table.refers_to.clone())).collect();
    for table in backup::in_order(refers)? {
        let Some(dump) = dumps.iter().find(|dump| dump.table == table) else {
            return Err(damaged(name, &format!("it lacks the table {table}")));
        };
        tables::let_triggers_act(&mut transaction, &table, false).await?;
        dump::load(&mut transaction, target, name, dump).await?;
        tables::let_triggers_act(&mut transaction, &table, true).await?;
    }
    tables::empty(&mut transaction, &found, &SIGN_INS).await?;
    for table in &found {
        tables::take_over(&mut transaction, table).await?;
    }
    check_contents(&mut transaction, contents, name).await?;
    transaction.commit().await?;
    let is_made = |dump: &TableDump| found.iter().any(|table: &Table| table.name == dump.table);
    Ok(dumps.iter().filter(|dump| !is_made(dump)).map(|dump| dump.table.clone()).collect())
}

/// Looks whether every content that a row names is in the store, as long as it has to be.
async fn check_contents(connection: &mut PgConnection, contents: &Blobs, name: &str) -> Result<()> {
    if store::archive::contents::count_broken(connection).await? > 0 {
        return Err(damaged(name, "a content is not as long as its parts"));
    }
    let mut named = store::archive::contents::in_objects(connection);
    let (mut project, mut sizes) = (None, HashMap::new());
    while let Some((project_id, blob)) = named.try_next().await? {
        if project != Some(project_id) {
            sizes = present(contents, &blobs::key_of_project(project_id)).await?;
            project = Some(project_id);
        }
        let size = blobs::key_of(project_id, &blob).and_then(|key| sizes.get(&key).copied());
        if size.is_none_or(|size| size < blobs::end_in_object(&blob)) {
            return Err(damaged(name, &format!("it lacks the content {}", blob.sha256)));
        }
    }
    Ok(())
}
