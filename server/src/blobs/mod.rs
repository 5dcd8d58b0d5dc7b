//! Contents: in `object_store`, known by their SHA-256, apart for each project.
//!
//! Streams in, streams out: nothing large is ever whole in memory. A write returns once the object
//! is durable, and only then may a row name it. The database is none of this room's business.

mod content;
mod key;
mod spill;
mod upload;

use std::fmt;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::StreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use otrace_wire::Sha256Digest;
use url::Url;

use crate::config::Config;
use crate::domain::ProjectId;
use crate::error::{AppError, Result};

pub use content::{Content, Encoding};
pub use spill::{Spill, SpillWriter};
pub use upload::{Hashed, hash};

/// The store of contents.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blobs({})", self.store)
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
            Some(url) => Self::in_bucket(url),
        }
    }

    /// A folder of our own: closed to others, everything written with fsync.
    pub fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("creating {} for contents", folder.display()))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self { store: Arc::new(store) })
    }

    /// Nowhere but in memory: for commands that touch no contents.
    pub fn in_memory() -> Self {
        Self { store: Arc::new(InMemory::new()) }
    }

    /// A bucket. Credentials and endpoints come from the store's usual environment variables.
    fn in_bucket(url: &Url) -> anyhow::Result<Self> {
        let options = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let (store, prefix) = object_store::parse_url_opts(url, options)
            .with_context(|| format!("opening {url}: check OTRACE_STORAGE_URL and the store's credentials"))?;
        Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)) })
    }

    /// A content from its start to its end, or the part in `range`.
    pub async fn read(
        &self,
        project_id: ProjectId,
        digest: &Sha256Digest,
        range: Option<Range<u64>>,
    ) -> Result<impl Stream<Item = object_store::Result<Bytes>> + Send + use<>> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        match self.store.get_opts(&key::of(project_id, digest), options).await {
            Ok(found) => Ok(found.into_stream()),
            Err(object_store::Error::NotFound { path, .. }) => Err(AppError::Internal(anyhow::anyhow!(
                "a row names the content {path}, which the store does not hold"
            ))),
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

    /// Asks the store for something that is not there: whether it answers at all.
    pub async fn check(&self) -> Result<()> {
        match self.store.head(&object_store::path::Path::from("health")).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
