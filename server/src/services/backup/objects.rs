//! The objects of the store of contents, copied to where the backup is: those that are not there yet.

use std::collections::HashMap;
use std::iter::Peekable;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, stream};
use otrace_wire::Sha256Digest;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::manifest::{ManifestWriter, Objects, overview};
use super::{Spool, Spooled};
use crate::blobs::{self, Blobs, ByteStream, Hasher, beside};
use crate::domain::ProjectId;
use crate::domain::backup::{self, Line, StoredObject};
use crate::domain::blob::{Blob, Extent, Place};
use crate::error::{AppError, Result};

/// So many objects are copied at once.
pub(super) const AT_ONCE: usize = 8;
/// An object that is longer, in bytes, is not taken into memory. Only the first versions made such.
pub(super) const WHOLE_MAX: u64 = 16 * 1024 * 1024;

/// A content, and where in which object it lies.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Held {
    project: Uuid,
    /// `None`: one that is called after the content's hash.
    object: Option<Uuid>,
    start: u64,
    frames: Option<Vec<u32>>,
    sha256: Sha256Digest,
    size_bytes: u64,
}

impl Held {
    /// One that the database names.
    pub fn of(ProjectId(project): ProjectId, blob: Blob) -> Self {
        let Blob { sha256, size_bytes, place } = blob;
        let (object, start, frames) = match place {
            Place::Object(Extent { object, start, frames }) => (Some(object), start, frames),
            Place::Named | Place::Parts => (None, 0, None),
        };
        Self { project, object, start, frames, sha256, size_bytes }
    }

    fn blob(self) -> Blob {
        let Self { object, start, frames, sha256, size_bytes, .. } = self;
        let place = object.map_or(Place::Named, |object| Place::Object(Extent { object, start, frames }));
        Blob { sha256, size_bytes, place }
    }

    /// Whether both lie in the same object.
    fn is_beside(&self, other: &Self) -> bool {
        let is_same = self.project == other.project && self.object == other.object;
        is_same && (self.object.is_some() || self.sha256 == other.sha256)
    }
}

/// An object, and what it is to hold.
struct Group {
    project_id: ProjectId,
    key: String,
    contents: Vec<Blob>,
}

/// The objects that are to be copied, in the order of their keys.
struct Groups {
    held: Peekable<Spooled<Held>>,
}

impl Groups {
    fn next(&mut self) -> Result<Option<Group>> {
        let Some(first) = self.held.next().transpose()? else { return Ok(None) };
        let mut others = Vec::new();
        while let Some(next) = self.held.next_if(|next| next.as_ref().is_ok_and(|next| next.is_beside(&first))) {
            others.push(next?.blob());
        }
        let project_id = ProjectId(first.project);
        let mut contents = vec![first.blob()];
        let key = blobs::key_of(project_id, &contents[0]).unwrap_or_default();
        contents.append(&mut others);
        Ok(Some(Group { project_id, key, contents }))
    }
}

/// What was sent to the backup's place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub objects: u64,
    pub bytes: u64,
}

/// An object that the backup has now.
struct Copied {
    object: StoredObject,
    is_sent: bool,
}

/// What is to be done about an object.
enum Task {
    /// Nothing: a former backup names it, and it is there.
    None(StoredObject),
    /// It is copied, unless it is there already with this size.
    Copy(Group, Option<u64>),
}

/// Finds out what there is to do.
struct Plan<'a> {
    target: &'a Blobs,
    groups: Groups,
    /// The objects of the youngest backup.
    former: Option<Objects>,
    /// The project whose objects are being looked at, and those that are there, with their sizes.
    project: Option<ProjectId>,
    present: HashMap<String, u64>,
}

impl Plan<'_> {
    async fn next(&mut self) -> Result<Option<Task>> {
        let Some(group) = self.groups.next()? else { return Ok(None) };
        if self.project != Some(group.project_id) {
            self.present = present(self.target, &backup::kept_key(&blobs::key_of_project(group.project_id))).await?;
            self.project = Some(group.project_id);
        }
        let size = self.present.get(&backup::kept_key(&group.key)).copied();
        let named = match &mut self.former {
            Some(former) => former.find(&group.key).await?,
            None => None,
        };
        Ok(Some(match named {
            Some(object) if size == Some(object.size_bytes) => Task::None(object),
            _ => Task::Copy(group, size),
        }))
    }
}

/// The objects of a former backup, if its manifest is whole: hashes are taken over from there.
async fn objects_of(target: &Blobs, name: &str) -> Option<Objects> {
    let opened = async {
        overview(target, name).await?;
        Objects::open(target, name).await
    };
    // One that is damaged is no reason to make no other.
    opened.await.inspect_err(|error| tracing::warn!(%error, "the former backup is not relied upon")).ok()
}

/// The objects below a key, with their sizes in bytes.
pub(super) async fn present(store: &Blobs, below: &str) -> Result<HashMap<String, u64>> {
    store.objects(below).map_ok(|object| (object.key, object.size_bytes)).try_collect().await
}

/// Copies the objects that the backup lacks, and names all in its manifest.
pub(super) async fn copy_all(
    manifest: &mut ManifestWriter,
    contents: &Blobs,
    target: &Blobs,
    held: Spool<Held>,
    former: Option<&str>,
) -> Result<Sent> {
    let former = match former {
        Some(name) => objects_of(target, name).await,
        None => None,
    };
    let groups = Groups { held: held.read()?.peekable() };
    let plan = Plan { target, groups, former, project: None, present: HashMap::new() };
    let tasks =
        stream::try_unfold(
            plan,
            |mut plan| async move { Ok::<_, AppError>(plan.next().await?.map(|task| (task, plan))) },
        );
    let mut copied = pin!(tasks.map_ok(|task| carry_out(contents, target, task)).try_buffered(AT_ONCE));
    let mut sent = Sent::default();
    while let Some(Copied { object, is_sent }) = copied.try_next().await? {
        if is_sent {
            sent.objects += 1;
            sent.bytes += object.size_bytes;
        }
        manifest.write(&Line::Object(object)).await?;
    }
    Ok(sent)
}

async fn carry_out(contents: &Blobs, target: &Blobs, task: Task) -> Result<Copied> {
    let (group, size_there) = match task {
        Task::None(object) => return Ok(Copied { object, is_sent: false }),
        Task::Copy(group, size_there) => (group, size_there),
    };
    let Group { key, contents: named, .. } = group;
    let Some((size_bytes, bytes)) = contents.object(&key).await? else { return Err(is_missing(&key)) };
    // A backup that was broken off left it there, and objects are never changed.
    let is_sent = size_there != Some(size_bytes);
    let sha256 = if size_bytes <= WHOLE_MAX {
        let bytes = collect(bytes).await?;
        let (bytes, digest) = check(bytes, named, &key).await?;
        if is_sent {
            target.put_object(&backup::kept_key(&key), bytes).await?;
        }
        digest
    } else {
        copy_long(target, &key, bytes, &named, is_sent).await?
    };
    Ok(Copied { object: StoredObject { key, size_bytes, sha256 }, is_sent })
}

/// All bytes of an object, which is not long.
pub(super) async fn collect(mut bytes: ByteStream) -> Result<Bytes> {
    let mut collected = BytesMut::new();
    while let Some(chunk) = bytes.try_next().await? {
        collected.extend_from_slice(&chunk);
    }
    Ok(collected.freeze())
}

/// The hash of an object that holds what the database says.
async fn check(object: Bytes, named: Vec<Blob>, key: &str) -> Result<(Bytes, Sha256Digest)> {
    let checking = beside(move || {
        let is_right = |blob: &Blob| {
            blobs::content_in(&object, blob)
                .is_ok_and(|found| found.digest == blob.sha256 && found.size_bytes == blob.size_bytes)
        };
        let digest = named.iter().all(is_right).then(|| Hasher::digest_of(&object));
        (object, digest)
    });
    let (object, digest) = checking.await?;
    Ok((object, digest.ok_or_else(|| is_damaged(key))?))
}

/// Copies an object that is a whole content, piece by piece.
async fn copy_long(
    target: &Blobs,
    key: &str,
    mut bytes: ByteStream,
    named: &[Blob],
    is_sent: bool,
) -> Result<Sha256Digest> {
    let mut writer = is_sent.then(|| target.begin_object(&backup::kept_key(key)));
    let mut hasher = Hasher::default();
    while let Some(chunk) = bytes.try_next().await? {
        hasher.update(&chunk);
        if let Some(writer) = &mut writer {
            writer.write(&chunk).await?;
        }
    }
    let digest = hasher.finish().digest;
    let is_right = matches!(named, [Blob { place: Place::Named, sha256, .. }] if *sha256 == digest);
    match writer {
        Some(writer) if is_right => {
            writer.finish().await?;
        }
        Some(writer) => writer.give_up().await,
        None => {}
    }
    if is_right { Ok(digest) } else { Err(is_damaged(key)) }
}

fn is_missing(key: &str) -> AppError {
    AppError::Conflict(
        format!(
            "No backup was made: the store of contents lacks {key}, which the database names. Check that the database \
             and the store belong together, or put it back from a former backup, where it is contents/{key}."
        )
        .into(),
    )
}

fn is_damaged(key: &str) -> AppError {
    AppError::Conflict(
        format!(
            "No backup was made: in the store of contents {key} is not what the database says. Put it back from a \
             former backup, where it is contents/{key}."
        )
        .into(),
    )
}
