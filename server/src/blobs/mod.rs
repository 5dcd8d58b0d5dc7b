//! Contents: in `object_store`, known by their SHA-256, apart for each project.
//!
//! Streams in, streams out: nothing large is ever whole in memory. A write returns once the object
//! is durable, and only then may a row name it. The database is none of this room's business.

mod bucket;
mod content;
mod failure;
mod key;
mod spill;
mod upload;

use std::fmt;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::StreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{GetOptions, GetRange, ObjectStore};
use otrace_wire::Sha256Digest;
use tokio::time::timeout;
use url::Url;

use crate::config::{Config, StorageConfig};
use crate::domain::ProjectId;
use crate::error::{AppError, Result};

pub use content::{Content, Encoding};
pub use failure::refusal;
pub use spill::{Spill, SpillWriter};
pub use upload::{Hashed, hash};

/// How long the store may take to show that it is there.
const CHECK_TIME: Duration = Duration::from_secs(5);

/// The store of contents.
#[derive(Clone)]
pub struct Blobs {
    /// The store, with the patience that writing a part needs.
    writes: Arc<dyn ObjectStore>,
    /// The same store, with the patience that reading needs.
    reads: Arc<dyn ObjectStore>,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blobs({})", self.writes)
    }
}

impl Blobs {
    /// The store that the settings name: a bucket by URL, or `blobs` in the data directory.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        match &config.storage.storage_url {
            None => Self::in_folder(&config.database.data_dir().join("blobs")),
            Some(url) if url.scheme() == "file" => {
                let folder =
                    url.to_file_path().map_err(|()| anyhow::anyhow!("{url} is no folder; write file:///folder"))?;
                Self::in_folder(&folder)
            }
            Some(url) => Self::in_bucket(url, &config.storage)
                .with_context(|| format!("opening {url}: check OTRACE_STORAGE_URL and the store's credentials")),
        }
    }

    /// A folder of our own: closed to others, everything written with fsync.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("creating {} for contents", folder.display()))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self::of(Arc::new(store)))
    }

    /// Nowhere but in memory: for commands that touch no contents.
    pub fn in_memory() -> Self {
        Self::of(Arc::new(InMemory::new()))
    }

    /// A bucket. Credentials and endpoints come from the store's usual environment variables.
    fn in_bucket(url: &Url, config: &StorageConfig) -> anyhow::Result<Self> {
        Ok(Self { writes: bucket::for_writing(url, config)?, reads: bucket::for_reading(url, config)? })
    }

    fn of(store: Arc<dyn ObjectStore>) -> Self {
        Self { writes: Arc::clone(&store), reads: store }
    }

    /// A content from its start to its end, or the part in `range`. One that is not there is not found,
    /// and the log says so: a row names it.
    pub async fn read(
        &self,
        project_id: ProjectId,
        digest: &Sha256Digest,
        range: Option<Range<u64>>,
    ) -> Result<impl Stream<Item = object_store::Result<Bytes>> + Send + use<>> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        match self.reads.get_opts(&key::of(project_id, digest), options).await {
            Ok(found) => Ok(found.into_stream()),
            Err(object_store::Error::NotFound { path, .. }) => {
                tracing::error!(path, "a row names a content that the store does not hold");
                Err(AppError::NotFound("Content"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The part of a content in `range`, which the caller keeps small.
    pub async fn read_part(&self, project_id: ProjectId, digest: &Sha256Digest, range: Range<u64>) -> Result<Vec<u8>> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let mut stream = std::pin::pin!(self.read(project_id, digest, Some(range)).await?);
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes)
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
