//! Whether the store does all that contents need of it: for `otrace-server doctor`.

use std::path::Path as Folder;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use uuid::Uuid;

use super::Blobs;

/// Where probes lie for a moment; contents never do.
const PREFIX: &str = "health";

impl Blobs {
    /// A folder as it is: neither made nor closed to others.
    pub fn in_folder_as_it_is(folder: &Folder) -> anyhow::Result<Self> {
        let store = LocalFileSystem::new_with_prefix(folder)
            .with_context(|| format!("opening {}", folder.display()))?
            .with_fsync(true);
        Ok(Self::of(Arc::new(store)))
    }

    /// Puts an object, reads it, finds it among the others and deletes it.
    pub async fn probe(&self) -> anyhow::Result<()> {
        let location = Path::from(format!("{PREFIX}/{}", Uuid::now_v7()));
        let content = Bytes::from_static(b"otrace-server doctor\n");
        self.writes.put(&location, content.clone().into()).await.context("an object can't be written")?;
        let found = self.find_probe(&location, &content).await;
        let deleted = self.writes.delete(&location).await.context("an object can't be deleted");
        found.and(deleted)
    }

    async fn find_probe(&self, location: &Path, content: &Bytes) -> anyhow::Result<()> {
        let read = self.reads.get(location).await.context("an object can't be read")?;
        let bytes = read.bytes().await.context("an object can't be read")?;
        ensure!(bytes == content, "an object is not what was written");
        let mut objects = self.reads.list(Some(&Path::from(PREFIX)));
        while let Some(object) = objects.try_next().await.context("objects can't be listed")? {
            if object.location == *location {
                return Ok(());
            }
        }
        bail!("an object that was written is not in the list")
    }
}
