//! What the store holds, read from the store itself: for whoever removes what no row names.
//!
//! Only names that are ours ([`super::key`]) are ever told or removed; what else lies there is somebody else's.

use std::fs;
use std::io;
use std::path::{Path as FilePath, PathBuf};

use anyhow::Context as _;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore as _};
use otrace_wire::Sha256Digest;
use time::OffsetDateTime;
use uuid::Uuid;

use super::write::beside;
use super::{Blobs, key};
use crate::domain::ProjectId;
use crate::error::{AppError, Result};

/// What an object of a project is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectName {
    /// By an id of ours.
    Object(Uuid),
    /// After the hash of its content, as the first versions called them.
    Content(Sha256Digest),
    /// After the hash that a client announced before it put the content there.
    Incoming(Sha256Digest),
}

/// An object that the store holds.
#[derive(Clone, Copy, Debug)]
pub struct StoredObject {
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// What it is called.
    pub name: ObjectName,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was written, by the store's clock.
    pub modified_at: OffsetDateTime,
}

/// A file that was to become an object of a folder, and did not.
#[derive(Clone, Debug)]
pub struct UnfinishedFile {
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// Its size in bytes.
    pub size_bytes: u64,
    path: PathBuf,
}

impl Blobs {
    /// The objects of a project, or of all, in no order. They come as the store lists them, never all at once.
    pub fn stored(&self, project_id: Option<ProjectId>) -> BoxStream<'static, Result<StoredObject>> {
        let prefix = project_id.map_or_else(key::of_projects, key::of_project);
        let listed = self.reads.list(Some(&prefix)).map_err(AppError::from);
        listed.try_filter_map(async |found| Ok(StoredObject::of(&found))).boxed()
    }

    /// The projects that anything lies in the store of.
    pub async fn projects(&self) -> Result<Vec<ProjectId>> {
        let folders = self.folders(key::of_projects().as_ref()).await?;
        Ok(folders.iter().filter_map(|name| Some(ProjectId(name.parse().ok()?))).collect())
    }

    /// How long an object is, in bytes; 0, where there is none.
    pub async fn size_of(&self, project_id: ProjectId, name: ObjectName) -> Result<u64> {
        Ok(self.object_size(key_of(project_id, name).as_ref()).await?.unwrap_or_default())
    }

    /// Removes an object for good, and returns how long it was, in bytes; 0, where there was none. No row may name it.
    pub async fn remove(&self, project_id: ProjectId, name: ObjectName) -> Result<u64> {
        let size_bytes = self.size_of(project_id, name).await?;
        self.remove_object(key_of(project_id, name).as_ref()).await?;
        Ok(size_bytes)
    }

    /// Files that were begun before this moment and never became objects, as after a crash. A bucket has none: what
    /// is not written whole is not there.
    pub async fn unfinished(&self, begun_before: OffsetDateTime) -> Result<Vec<UnfinishedFile>> {
        let Some(folder) = self.folder.clone() else { return Ok(Vec::new()) };
        let found = beside(move || unfinished_in(&folder, begun_before)).await?;
        Ok(found.context("looking through the folder of contents")?)
    }

    /// Removes such a file.
    pub async fn remove_unfinished(&self, file: &UnfinishedFile) -> Result<()> {
        let path = file.path.clone();
        let removed = beside(move || match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        });
        removed.await?.context("removing a file that was not finished")?;
        Ok(())
    }
}

fn key_of(project_id: ProjectId, name: ObjectName) -> Path {
    match name {
        ObjectName::Object(object) => key::of_object(project_id, object),
        ObjectName::Content(digest) => key::of_named(project_id, &digest),
        ObjectName::Incoming(digest) => key::of_incoming(project_id, &digest),
    }
}

impl StoredObject {
    /// An object, if its name is one of ours.
    fn of(found: &ObjectMeta) -> Option<Self> {
        let parts: Vec<String> = found.location.parts().map(|part| part.as_ref().to_owned()).collect();
        let [projects, project, folder, name] = parts.as_slice() else { return None };
        if projects != "projects" {
            return None;
        }
        let project_id = ProjectId(project.parse().ok()?);
        let name = match folder.as_str() {
            "objects" => ObjectName::Object(name.parse().ok()?),
            "incoming" => ObjectName::Incoming(name.parse().ok()?),
            _ => ObjectName::Content(name.parse().ok()?),
        };
        let modified_at = i128::from(found.last_modified.timestamp_micros()) * 1000;
        let modified_at = OffsetDateTime::from_unix_timestamp_nanos(modified_at).ok()?;
        // Another spelling of a name would be another object.
        (key_of(project_id, name) == found.location).then_some(Self {
            project_id,
            name,
            size_bytes: found.size,
            modified_at,
        })
    }
}

/// Goes through the folders of all projects, a name at a time. Writing an object begins with a file beside it, whose
/// name ends with `#` and a number.
fn unfinished_in(folder: &FilePath, begun_before: OffsetDateTime) -> io::Result<Vec<UnfinishedFile>> {
    let mut unfinished = Vec::new();
    for project in entries(&folder.join("projects"))? {
        let project = project?;
        let Some(project_id) = project.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        for objects in entries(&project.path())? {
            for file in entries(&objects?.path())? {
                let file = file?;
                let is_beside = file
                    .file_name()
                    .to_str()
                    .is_some_and(|name| name.rsplit_once('#').is_some_and(|(_, number)| number.parse::<u64>().is_ok()));
                if !is_beside {
                    continue;
                }
                match file.metadata() {
                    Ok(about) if OffsetDateTime::from(about.modified()?) < begun_before => {
                        let (size_bytes, path) = (about.len(), file.path());
                        unfinished.push(UnfinishedFile { project_id: ProjectId(project_id), size_bytes, path });
                    }
                    Ok(_) => {}
                    // It has become an object meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
    Ok(unfinished)
}

/// What is in a folder; nothing, where there is none.
fn entries(folder: &FilePath) -> io::Result<Box<dyn Iterator<Item = io::Result<fs::DirEntry>>>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Box::new(entries)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Box::new(std::iter::empty()))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use object_store::{ObjectStoreExt as _, PutPayload};

    use super::*;

    #[tokio::test]
    async fn only_names_of_ours_are_told() {
        let blobs = Blobs::in_memory();
        let (project_id, object) = (ProjectId(Uuid::now_v7()), Uuid::now_v7());
        let digest = Sha256Digest::new([7; 32]);
        let ours = [ObjectName::Object(object), ObjectName::Content(digest), ObjectName::Incoming(digest)];
        let mut keys: Vec<Path> = ours.iter().map(|name| key_of(project_id, *name)).collect();
        let foreign = [
            "notes.txt".to_owned(),
            format!("projects/{project_id}/README"),
            format!("projects/{project_id}/objects/{}", object.to_string().to_uppercase()),
            format!("projects/{project_id}/ab/{}", digest.hex()),
            format!("projects/somebody/objects/{object}"),
        ];
        keys.extend(foreign.into_iter().map(Path::from));
        for key in &keys {
            blobs.writes.put(key, PutPayload::from_static(b"four")).await.unwrap();
        }
        let found: Vec<StoredObject> = blobs.stored(None).try_collect().await.unwrap();
        let found_names: Vec<ObjectName> = found.iter().map(|found| found.name).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(ours.iter().all(|name| found_names.contains(name)), "{found_names:?}");
        assert_eq!(blobs.remove(project_id, ObjectName::Object(object)).await.unwrap(), 4);
        assert_eq!(blobs.remove(project_id, ObjectName::Object(object)).await.unwrap(), 0, "a second time");
        assert_eq!(blobs.stored(Some(ProjectId(Uuid::now_v7()))).try_collect::<Vec<_>>().await.unwrap().len(), 0);
    }
}
