//! The contents of an archive: into the store as they come, into rows later.

use std::collections::HashSet;
use std::io::BufRead;
use std::mem;

use bytes::Bytes;
use otrace_wire::Sha256Digest;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::unpacking::Unpacker;
use crate::app::AppState;
use crate::blobs::{Hasher, Unnamed, beside};
use crate::domain::ProjectId;
use crate::domain::blob::Extent;
use crate::error::{AppError, Result};
use crate::services::backup::Spool;
use crate::services::contents::PIECE_BYTES;
use crate::store;

/// What is shorter shares an object with others, in bytes.
const SMALL: usize = 256 * 1024;
/// So much shares one object, in bytes, and so many contents.
const TOGETHER: usize = 4 * 1024 * 1024;
const TOGETHER_MAX: usize = 1_000;
/// So many rows are written at once.
const ROWS_AT_ONCE: usize = 500;

/// A row that a content will have.
#[derive(Serialize, Deserialize)]
enum Row {
    Object { sha256: Sha256Digest, size_bytes: u64, object: Uuid, start: u64, frames: Option<Vec<u32>> },
    Parts { sha256: Sha256Digest, size_bytes: u64, parts: Vec<Sha256Digest> },
}

/// Contents that are in the store, and that no row names yet.
pub(super) struct Arriving {
    project_id: ProjectId,
    unnamed: Unnamed,
    rows: Spool<Row>,
    small: Vec<(Sha256Digest, Bytes)>,
    small_bytes: usize,
    /// How many there are.
    pub contents: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

impl Arriving {
    /// None so far.
    pub fn new(app: &AppState, project_id: ProjectId) -> Result<Self> {
        Ok(Self {
            project_id,
            unnamed: Unnamed::new(&app.blobs, project_id),
            rows: Spool::new()?,
            small: Vec::new(),
            small_bytes: 0,
            contents: 0,
            bytes: 0,
        })
    }

    /// Takes the file that the archive is at, if it is the content that it is called after.
    pub async fn take<R: BufRead>(&mut self, archive: &mut Unpacker<R>, announced: Sha256Digest) -> Result<()> {
        let size_bytes = archive.rest();
        let (first, digest) = hashed(archive.piece(PIECE_BYTES)?.into()).await?;
        if archive.rest() > 0 {
            self.take_long(archive, announced, (first, digest), size_bytes).await?;
        } else if digest != announced {
            return Err(differs(&announced));
        } else if first.len() < SMALL {
            self.small_bytes += first.len();
            self.small.push((digest, first));
            if self.small_bytes >= TOGETHER || self.small.len() == TOGETHER_MAX {
                self.write_small().await?;
            }
        } else {
            let extent = self.unnamed.write(first).await?;
            self.rows.push(&row(digest, size_bytes, extent))?;
        }
        self.contents += 1;
        self.bytes += size_bytes;
        Ok(())
    }

    /// One that is stored in parts, of which the first is read.
    async fn take_long<R: BufRead>(
        &mut self,
        archive: &mut Unpacker<R>,
        announced: Sha256Digest,
        first: (Bytes, Sha256Digest),
        size_bytes: u64,
    ) -> Result<()> {
        let mut whole = Hasher::default();
        let (mut parts, mut seen) = (Vec::new(), HashSet::new());
        let mut next = Some(first);
        while let Some((piece, digest)) = next {
            whole.update(&piece);
            let length = piece.len() as u64;
            // The same again is there already.
            if seen.insert(digest) {
                let extent = self.unnamed.write(piece).await?;
                self.rows.push(&row(digest, length, extent))?;
            }
            parts.push(digest);
            next = if archive.rest() > 0 { Some(hashed(archive.piece(PIECE_BYTES)?.into()).await?) } else { None };
        }
        if whole.finish().digest != announced {
            return Err(differs(&announced));
        }
        self.rows.push(&Row::Parts { sha256: announced, size_bytes, parts })
    }

    async fn write_small(&mut self) -> Result<()> {
        let small = mem::take(&mut self.small);
        self.small_bytes = 0;
        if small.is_empty() {
            return Ok(());
        }
        let (digests, contents): (Vec<Sha256Digest>, Vec<Bytes>) = small.into_iter().unzip();
        let sizes: Vec<u64> = contents.iter().map(|content| content.len() as u64).collect();
        let extents = self.unnamed.write_together(contents).await?;
        for ((digest, size_bytes), extent) in digests.into_iter().zip(sizes).zip(extents) {
            self.rows.push(&row(digest, size_bytes, extent))?;
        }
        Ok(())
    }

    /// No more come. Returns what is to be named.
    pub async fn end(mut self) -> Result<Arrived> {
        self.write_small().await?;
        let Self { project_id, unnamed, rows, contents, bytes, .. } = self;
        Ok(Arrived { project_id, unnamed, rows: Some(rows), contents, bytes })
    }
}

/// All contents of an archive, in the store.
pub(super) struct Arrived {
    project_id: ProjectId,
    unnamed: Unnamed,
    rows: Option<Spool<Row>>,
    /// How many there are.
    pub contents: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

impl Arrived {
    /// Writes their rows.
    pub async fn name(&mut self, connection: &mut PgConnection, now: OffsetDateTime) -> Result<()> {
        let Some(rows) = self.rows.take() else { return Ok(()) };
        let mut objects = Vec::new();
        for row in rows.read()? {
            match row? {
                Row::Object { sha256, size_bytes, object, start, frames } => {
                    objects.push((sha256, size_bytes, Extent { object, start, frames }));
                    if objects.len() == ROWS_AT_ONCE {
                        self.insert(connection, &mut objects, now).await?;
                    }
                }
                Row::Parts { sha256, size_bytes, parts } => {
                    self.insert(connection, &mut objects, now).await?;
                    store::blobs::insert_parts(connection, self.project_id, &sha256, size_bytes, &parts, now).await?;
                }
            }
        }
        self.insert(connection, &mut objects, now).await
    }

    async fn insert(
        &self,
        connection: &mut PgConnection,
        objects: &mut Vec<(Sha256Digest, u64, Extent)>,
        now: OffsetDateTime,
    ) -> Result<()> {
        store::blobs::insert_many(connection, self.project_id, objects, now).await?;
        objects.clear();
        Ok(())
    }

    /// Lets their objects stay.
    pub fn keep(self) {
        self.unnamed.keep();
    }
}

fn row(sha256: Sha256Digest, size_bytes: u64, extent: Extent) -> Row {
    let Extent { object, start, frames } = extent;
    Row::Object { sha256, size_bytes, object, start, frames }
}

async fn hashed(piece: Bytes) -> Result<(Bytes, Sha256Digest)> {
    beside(move || {
        let digest = Hasher::digest_of(&piece);
        (piece, digest)
    })
    .await
}

fn differs(announced: &Sha256Digest) -> AppError {
    AppError::invalid(format!("The archive is damaged: a content in it is not {announced}, as its name says."))
}
