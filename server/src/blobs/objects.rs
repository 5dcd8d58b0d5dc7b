//! Objects as they lie in a store, by their keys: what backups copy and bring back, and where they keep it.

use std::collections::HashSet;
use std::fmt;
use std::future::ready;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{GetResult, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt};
use url::Url;

use super::frames::Frames;
use super::{Blobs, ByteStream, Hashed, Hasher, file, key};
use crate::config::StorageConfig;
use crate::domain::ProjectId;
use crate::domain::blob::{Blob, Extent, Place};
use crate::error::Result;

/// What is longer goes to the store in parts of this length, in bytes: S3 takes 10,000 of them, which is 160 GB.
const LONG: usize = 16 * 1024 * 1024;
/// So many objects are removed at once.
const REMOVED_AT_ONCE: usize = 16;

/// An object of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size_bytes: u64,
}

impl Blobs {
    /// The store that a person names: a folder, which must be there and stays as it is, or a bucket by URL.
    pub fn at(place: &str, config: &StorageConfig) -> anyhow::Result<Self> {
        if let Some(folder) = folder_named(place)? {
            ensure!(folder.is_dir(), "there is no folder {}", folder.display());
        }
        Self::made_at(place, config)
    }

    /// The same; a folder is made, and closed to others, where there is none.
    pub fn made_at(place: &str, config: &StorageConfig) -> anyhow::Result<Self> {
        match folder_named(place)? {
            // Who made it has said who may look into it, and reading one may be all that we can.
            Some(folder) if folder.is_dir() => return Self::in_folder_as_it_is(&folder),
            Some(folder) => return Self::in_folder(&folder),
            None => {}
        }
        // Clients have no business there.
        let config = StorageConfig { direct_uploads: false, ..config.with_secrets_of_files()? };
        let url = Url::parse(place)?;
        Self::in_bucket(&url, &config).with_context(|| format!("opening {url}: check the store's credentials"))
    }

    /// All objects below a key, in no order; of no key, all that there are.
    pub fn objects(&self, below: &str) -> BoxStream<'static, Result<Object>> {
        let prefix = Some(Path::from(below)).filter(|path| !path.is_root());
        let found = self
            .reads
            .list(prefix.as_ref())
            .map_ok(|found| Object { key: String::from(found.location), size_bytes: found.size });
        found.err_into().boxed()
    }

    /// What the folders right below a key are called, in their order.
    pub async fn folders(&self, below: &str) -> Result<Vec<String>> {
        let found = self.reads.list_with_delimiter(Some(&Path::from(below))).await?;
        let names = found.common_prefixes.iter().filter_map(Path::filename);
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The size of an object in bytes; `None`: there is none of this key.
    pub async fn object_size(&self, key: &str) -> Result<Option<u64>> {
        match self.reads.head(&Path::from(key)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// An object's size in bytes, and its bytes; `None`: there is none of this key.
    pub async fn object(&self, key: &str) -> Result<Option<(u64, ByteStream)>> {
        match self.reads.get(&Path::from(key)).await {
            Ok(GetResult { payload: GetResultPayload::File(object, _), range, .. }) => {
                Ok(Some((range.end - range.start, file::read(object, range))))
            }
            Ok(found) => Ok(Some((found.meta.size, found.into_stream().err_into().boxed()))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes an object. It is there, whole and durable, when this returns.
    pub async fn put_object(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.writes.put(&Path::from(key), bytes.into()).await?;
        Ok(())
    }

    /// Begins an object of any length. None is there before its end.
    pub fn begin_object(&self, key: &str) -> ObjectWriter {
        ObjectWriter {
            store: Arc::clone(&self.writes),
            location: Path::from(key),
            upload: None,
            waiting: BytesMut::new(),
            hasher: Hasher::default(),
        }
    }

    /// Removes an object, if there is one.
    pub async fn remove_object(&self, key: &str) -> Result<()> {
        match self.writes.delete(&Path::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the objects below a key, but for those with a key that is needed. Returns how many there were, and how
    /// many bytes they had.
    pub async fn remove_objects(&self, below: &str, needed: &HashSet<String>) -> Result<(u64, u64)> {
        let found: Vec<Object> =
            self.objects(below).try_filter(|object| ready(!needed.contains(&object.key))).try_collect().await?;
        let bytes = found.iter().map(|object| object.size_bytes).sum();
        let count = found.len() as u64;
        let removed = stream::iter(found).map(|object| async move { self.remove_object(&object.key).await });
        removed.buffer_unordered(REMOVED_AT_ONCE).try_collect::<()>().await?;
        Ok((count, bytes))
    }
}

/// The folder that a person named, unless it is a bucket.
fn folder_named(place: &str) -> anyhow::Result<Option<PathBuf>> {
    ensure!(!place.is_empty(), "name a folder, or s3://bucket/prefix, gs://bucket or az://container");
    if !place.contains("://") {
        return Ok(Some(PathBuf::from(place)));
    }
    let url = Url::parse(place).with_context(|| format!("{place} is no URL"))?;
    match (url.scheme(), url.to_file_path()) {
        ("file", Ok(folder)) => Ok(Some(folder)),
        ("file", Err(())) => bail!("{url} is no folder; write file:///folder"),
        _ => Ok(None),
    }
}

/// The key of the object that a content lies in; `None`: it is made of parts.
pub fn key_of(project_id: ProjectId, blob: &Blob) -> Option<String> {
    match &blob.place {
        Place::Named => Some(key::of_named(project_id, &blob.sha256).into()),
        Place::Object(Extent { object, .. }) => Some(key::of_object(project_id, *object).into()),
        Place::Parts => None,
    }
}

/// Below which all objects of a project are.
pub fn key_of_project(project_id: ProjectId) -> String {
    key::of_project(project_id).into()
}

/// Where the bytes of a content end in its object.
pub fn end_in_object(blob: &Blob) -> u64 {
    match &blob.place {
        Place::Object(Extent { start, frames: Some(ends), .. }) => start + ends.last().copied().map_or(0, u64::from),
        Place::Object(Extent { start, frames: None, .. }) => start + blob.size_bytes,
        Place::Named | Place::Parts => blob.size_bytes,
    }
}

/// What the content is that lies in an object, all of whose bytes are here.
pub fn content_in(object: &Bytes, blob: &Blob) -> anyhow::Result<Hashed> {
    let part = |start: u64, end: u64| {
        let (start, end) = (usize::try_from(start)?, usize::try_from(end)?);
        ensure!(start <= end && end <= object.len(), "an object is cut short");
        anyhow::Ok(object.slice(start..end))
    };
    let mut hasher = Hasher::default();
    match &blob.place {
        Place::Named => hasher.update(object),
        Place::Object(Extent { start, frames: Some(ends), .. }) if blob.size_bytes > 0 => {
            let frames = Frames::of(ends, &(0..blob.size_bytes))?;
            let bytes = part(start + frames.place.start, start + frames.place.end)?;
            for piece in frames.decompress(bytes) {
                hasher.update(&piece?);
            }
        }
        Place::Object(Extent { start, .. }) => hasher.update(&part(*start, start + blob.size_bytes)?),
        Place::Parts => bail!("a content in parts lies in no object"),
    }
    Ok(hasher.finish())
}

/// An object that is being written.
pub struct ObjectWriter {
    store: Arc<dyn ObjectStore>,
    location: Path,
    /// `None` as long as all of it is waiting.
    upload: Option<Box<dyn MultipartUpload>>,
    waiting: BytesMut,
    hasher: Hasher,
}

impl fmt::Debug for ObjectWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectWriter({})", self.location)
    }
}

impl ObjectWriter {
    /// Adds bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.waiting.extend_from_slice(bytes);
        while self.waiting.len() >= LONG {
            let part = self.waiting.split_to(LONG).freeze();
            self.send(part).await?;
        }
        Ok(())
    }

    async fn send(&mut self, part: Bytes) -> Result<()> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.store.put_multipart(&self.location).await?),
        };
        upload.put_part(part.into()).await?;
        Ok(())
    }

    /// What was written so far.
    pub fn written(&self) -> Hashed {
        self.hasher.clone().finish()
    }

    /// Ends the object: it is there, whole and durable, when this returns.
    pub async fn finish(mut self) -> Result<Hashed> {
        let finished = self.try_finish().await;
        if finished.is_err() {
            self.give_up().await;
        }
        finished
    }

    async fn try_finish(&mut self) -> Result<Hashed> {
        let rest = mem::take(&mut self.waiting).freeze();
        if self.upload.is_none() {
            self.store.put(&self.location, rest.into()).await?;
        } else {
            if !rest.is_empty() {
                self.send(rest).await?;
            }
            if let Some(upload) = &mut self.upload {
                upload.complete().await?;
            }
        }
        Ok(self.written())
    }

    /// Leaves nothing of the object, as far as the store can be reached.
    pub async fn give_up(mut self) {
        if let Some(upload) = &mut self.upload
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(%error, location = %self.location, "could not take back a part of an object");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(store: &Blobs, key: &str) -> Option<Vec<u8>> {
        let (size, bytes) = store.object(key).await.unwrap()?;
        let read: Vec<Bytes> = bytes.try_collect().await.unwrap();
        assert_eq!(read.iter().map(|piece| piece.len() as u64).sum::<u64>(), size);
        Some(read.concat())
    }

    #[tokio::test]
    async fn an_object_of_any_length_is_there_at_its_end_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let store = Blobs::in_folder(folder.path()).unwrap();
        for length in [0, 1, LONG - 1, LONG, 2 * LONG + 7] {
            let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
            let key = format!("backups/{length}");
            let mut writer = store.begin_object(&key);
            for piece in bytes.chunks(1_000_003) {
                writer.write(piece).await.unwrap();
            }
            assert_eq!(read(&store, &key).await, None, "{length}");
            let written = writer.finish().await.unwrap();
            assert_eq!((written.digest, written.size_bytes), (Hasher::digest_of(&bytes), length as u64));
            assert!(read(&store, &key).await.unwrap() == bytes, "{length}");
        }
        let mut writer = store.begin_object("backups/given-up");
        writer.write(&vec![0; LONG + 1]).await.unwrap();
        writer.give_up().await;
        let mut left: Vec<String> = store.objects("backups").map_ok(|object| object.key).try_collect().await.unwrap();
        left.sort_unstable();
        assert_eq!(left.len(), 5, "{left:?}");
        assert_eq!(store.folders("").await.unwrap(), ["backups"]);
    }

    #[test]
    fn a_place_is_a_folder_or_a_bucket() {
        let named = |place: &str| folder_named(place).map(|folder| folder.map(|path| path.display().to_string()));
        assert_eq!(named("backups").unwrap().as_deref(), Some("backups"));
        assert_eq!(named("file:///var/backups").unwrap().as_deref(), Some("/var/backups"));
        assert_eq!(named("s3://bucket/prefix").unwrap(), None);
        assert!(named("").is_err() && named("file://elsewhere/x").is_err());
    }
}
