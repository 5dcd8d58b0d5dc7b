//! Contents: in objects of the `object_store`, apart for each project.
//!
//! An object is written once, holds one content or several small ones, at most a few megabytes, compressed where
//! that helps, and is never changed. A write returns once the object is durable, and only then may a row name it.
//! What a content is called, and which objects it lies in, is for the database, which is none of this room's business.

mod bucket;
mod content;
mod direct;
mod failure;
mod file;
mod frames;
mod key;
mod objects;
mod probe;
mod spill;
mod sweep;
mod write;

use std::fmt;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use metrics::counter;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectStore};
use tokio::time::timeout;
use url::Url;

use crate::config::{Config, StorageConfig};
use crate::domain::ProjectId;
use crate::domain::blob::{Blob, Extent, Place};
use crate::error::{AppError, Result};

pub use content::{Content, Encoding};
pub use failure::refusal;
pub use objects::{Object, ObjectWriter, content_in, end_in_object, key_of, key_of_project};
pub use spill::{Spill, SpillWriter};
pub use sweep::{ObjectName, StoredObject, UnfinishedFile};
pub use write::{Hashed, Hasher, Pieces, Unnamed, beside, hash};

use direct::Direct;
use frames::Frames;

/// The bytes of a content, or of a part of one.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// How long the store may take to show that it is there.
const CHECK_TIME: Duration = Duration::from_secs(5);

/// The store of contents.
#[derive(Clone)]
pub struct Blobs {
    /// The store, with the patience that writing a part needs.
    writes: Arc<dyn ObjectStore>,
    /// The same store, with the patience that reading needs.
    reads: Arc<dyn ObjectStore>,
    /// How clients put contents there themselves, where they may.
    direct: Option<Direct>,
    /// The folder that it is, unless it is a bucket.
    folder: Option<PathBuf>,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blobs({})", self.writes)
    }
}

impl Blobs {
    /// The store that the settings name: a bucket by URL, or `blobs` in the data directory.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        match (config.storage.folder(&config.database.data_dir())?, &config.storage.storage_url) {
            (None, Some(url)) => Self::in_bucket(url, &config.storage.with_secrets_of_files()?)
                .with_context(|| format!("opening {url}: check OTRACE_STORAGE_URL and the store's credentials")),
            (None, None) => bail!("there is no place for contents: set OTRACE_STORAGE_URL"),
            (Some(folder), _) => Self::in_folder(&folder),
        }
    }

    /// A folder of our own: closed to others, everything written with fsync.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("creating {} for contents", folder.display()))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self { folder: Some(folder.to_owned()), ..Self::of(Arc::new(store)) })
    }

    /// Nowhere but in memory: for commands that touch no contents.
    pub fn in_memory() -> Self {
        Self::of(Arc::new(InMemory::new()))
    }

    /// A bucket. Credentials and endpoints come from the store's usual environment variables.
    fn in_bucket(url: &Url, config: &StorageConfig) -> anyhow::Result<Self> {
        let direct = if config.direct_uploads { Some(bucket::for_clients(url, config)?) } else { None };
        let (writes, reads) = (bucket::for_writing(url, config)?, bucket::for_reading(url, config)?);
        Ok(Self { writes, reads, direct, folder: None })
    }

    fn of(store: Arc<dyn ObjectStore>) -> Self {
        Self { writes: Arc::clone(&store), reads: store, direct: None, folder: None }
    }

    /// The part in `range` of a content that is in one object, the range within the content. An object that is not
    /// there is not found, and the log says so: a row names it.
    pub async fn read(&self, project_id: ProjectId, blob: &Blob, range: Range<u64>) -> Result<ByteStream> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        match &blob.place {
            Place::Named => self.fetch(&key::of_named(project_id, &blob.sha256), range).await,
            Place::Object(Extent { object, start, frames: None }) => {
                let range = start + range.start..start + range.end;
                self.fetch(&key::of_object(project_id, *object), range).await
            }
            Place::Object(Extent { object, start, frames: Some(ends) }) => {
                let frames = Frames::of(ends, &range)?;
                let place = start + frames.place.start..start + frames.place.end;
                let mut fetched = self.fetch(&key::of_object(project_id, *object), place).await?;
                let mut bytes = BytesMut::new();
                while let Some(chunk) = fetched.next().await {
                    bytes.extend_from_slice(&chunk?);
                }
                Ok(stream::iter(frames.decompress(bytes.freeze()).map(|piece| Ok(piece?))).boxed())
            }
            Place::Parts => Err(anyhow::anyhow!("a content in parts is read part by part").into()),
        }
    }

    async fn fetch(&self, location: &object_store::path::Path, range: Range<u64>) -> Result<ByteStream> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let read = match self.reads.get_opts(location, options).await {
            Ok(GetResult { payload: GetResultPayload::File(object, _), range, .. }) => file::read(object, range),
            Ok(found) => found.into_stream().map_err(AppError::from).boxed(),
            Err(object_store::Error::NotFound { path, .. }) => {
                tracing::error!(path, "a row names a content that the store does not hold");
                counter!("otrace_blobs_failures_total", "kind" => "missing").increment(1);
                return Err(AppError::NotFound("Content"));
            }
            Err(error) => return Err(error.into()),
        };
        let counted = counter!("otrace_blobs_read_bytes_total");
        Ok(read.inspect_ok(move |bytes| counted.increment(bytes.len() as u64)).boxed())
    }

    /// Lists what is not there: whether the store answers at all, and has the bucket.
    pub async fn check(&self) -> Result<()> {
        let mut found = self.reads.list(Some(&object_store::path::Path::from("health")));
        match timeout(CHECK_TIME, found.next()).await {
            Ok(None | Some(Ok(_))) => Ok(()),
            Ok(Some(Err(error))) => Err(error.into()),
            Err(_) => Err(AppError::Unavailable("The store of contents does not answer in time.".into())),
        }
    }
}
