//! The rows of a table: out of the database, compressed, and back.

use std::io::Write;
use std::mem;

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::PgConnection;
use zstd::stream::write::{Decoder, Encoder};

use super::manifest::damaged;
use crate::blobs::{Blobs, Hasher, ObjectWriter};
use crate::domain::backup::{self, TableDump};
use crate::error::{AppError, Result};
use crate::store;
use crate::store::archive::tables::Table;

/// Fast, and close to what slower ones make of rows.
const LEVEL: i32 = 3;
/// So much is gathered before it is passed on, in bytes.
const PIECE: usize = 256 * 1024;
/// So much of a dump is decompressed at once, in bytes: it may become thousands of times as long.
const COMPRESSED_PIECE: usize = 16 * 1024;

/// Dumps a table to its place in a backup.
pub(super) async fn dump(
    connection: &mut PgConnection,
    target: &Blobs,
    name: &str,
    table: &Table,
) -> Result<TableDump> {
    let key = backup::table_key(name, &table.name);
    let copied = store::archive::tables::copy_out(connection, table).await?;
    let mut writer = target.begin_object(&key);
    let rows = match compress(copied, &mut writer).await {
        Ok(rows) => rows,
        Err(error) => {
            writer.give_up().await;
            return Err(error);
        }
    };
    let written = writer.finish().await?;
    Ok(TableDump {
        table: table.name.clone(),
        columns: table.columns.clone(),
        rows,
        key,
        size_bytes: written.size_bytes,
        sha256: written.digest,
    })
}

/// Writes rows, and returns how many there were.
async fn compress(mut copied: BoxStream<'_, sqlx::Result<Bytes>>, writer: &mut ObjectWriter) -> Result<u64> {
    let mut encoder = Encoder::new(Vec::new(), LEVEL).map_err(anyhow::Error::new)?;
    let mut rows = 0;
    while let Some(bytes) = copied.try_next().await? {
        // Each row ends a line; a line break in a value is written otherwise.
        rows += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        encoder.write_all(&bytes).map_err(anyhow::Error::new)?;
        if encoder.get_ref().len() >= PIECE {
            writer.write(&mem::take(encoder.get_mut())).await?;
        }
    }
    writer.write(&encoder.finish().map_err(anyhow::Error::new)?).await?;
    Ok(rows)
}

/// Brings the rows of a table back, if the dump is what the manifest says; else nothing must be committed.
pub(super) async fn load(connection: &mut PgConnection, target: &Blobs, name: &str, dump: &TableDump) -> Result<()> {
    let Some((_, mut bytes)) = target.object(&dump.key).await? else { return Err(is_damaged(name, dump)) };
    let mut copy = store::archive::tables::copy_in(connection, &dump.table, &dump.columns).await?;
    let mut decoder = Decoder::new(Vec::new()).map_err(anyhow::Error::new)?;
    let mut hasher = Hasher::default();
    while let Some(chunk) = bytes.try_next().await? {
        hasher.update(&chunk);
        for piece in chunk.chunks(COMPRESSED_PIECE) {
            decoder.write_all(piece).map_err(|_| is_damaged(name, dump))?;
            if decoder.get_ref().len() >= PIECE {
                copy.send(mem::take(decoder.get_mut())).await?;
            }
        }
    }
    decoder.flush().map_err(|_| is_damaged(name, dump))?;
    copy.send(mem::take(decoder.get_mut())).await?;
    let read = hasher.finish();
    if read.digest != dump.sha256 || read.size_bytes != dump.size_bytes {
        copy.abort("the dump is damaged").await?;
        return Err(is_damaged(name, dump));
    }
    if copy.finish().await? != dump.rows {
        return Err(is_damaged(name, dump));
    }
    Ok(())
}

/// What is said of a dump that is not what the manifest says.
pub(super) fn is_damaged(name: &str, dump: &TableDump) -> AppError {
    damaged(name, &format!("the table {} is not what its manifest says", dump.table))
}
