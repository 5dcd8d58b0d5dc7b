//! What the store holds and no row names: objects of which the row was never written or went before them, what clients
//! put into a bucket and never told of, files that were not finished.
//!
//! What belongs to a project that this database never had stays: the database may be the wrong one, or an empty one.

use std::collections::HashSet;
use std::mem;

use futures_util::TryStreamExt;
use otrace_wire::Sha256Digest;
use time::OffsetDateTime;
use uuid::Uuid;

use super::report::{Freed, Reason};
use super::{GRACE, Sweep, name_of};
use crate::app::AppState;
use crate::blobs::{ObjectName, StoredObject, UnfinishedFile};
use crate::domain::ProjectId;
use crate::error::Result;
use crate::store;

/// So many objects are looked up at once.
pub(super) const GROUP: usize = 1_000;

/// Which projects the database has or once had, as far as it was asked.
#[derive(Default)]
pub(super) struct Known {
    known: HashSet<ProjectId>,
    unknown: HashSet<ProjectId>,
}

impl Known {
    /// Asks the database for those of these that it was not asked for yet.
    pub(super) async fn look_up(&mut self, app: &AppState, projects: HashSet<ProjectId>) -> Result<()> {
        let is_new = |project: &ProjectId| !self.known.contains(project) && !self.unknown.contains(project);
        let asked: Vec<ProjectId> = projects.into_iter().filter(is_new).collect();
        if !asked.is_empty() {
            let found = store::sweep::contents::known(&mut *app.pool.acquire().await?, &asked).await?;
            self.known.extend(found);
            let unknown = asked.into_iter().filter(|project| !self.known.contains(project));
            self.unknown.extend(unknown);
        }
        Ok(())
    }

    /// Whether a project that was looked up is known.
    pub(super) fn has(&self, project_id: ProjectId) -> bool {
        self.known.contains(&project_id)
    }

    /// Whether any of those that were looked up is known.
    pub(super) fn has_any(&self) -> bool {
        !self.known.is_empty()
    }

    /// Those that were looked up and are not known.
    pub(super) fn unknown(&self) -> impl Iterator<Item = ProjectId> {
        self.unknown.iter().copied()
    }

    /// Says in the log that some are not.
    pub(super) fn warn(&self) {
        if let Some(one) = self.unknown.iter().min() {
            tracing::error!(
                unknown = self.unknown.len(),
                one = %one,
                "the store holds projects that this database never had; their objects stay: is it the right database? \
                 `otrace-server sweep --unknown-projects` says what they take"
            );
        }
    }
}

impl Sweep<'_> {
    /// Removes objects that no row names, going through all that the store holds.
    pub(super) async fn unnamed(&mut self) -> Result<()> {
        let mut listing = self.app.blobs.stored(None);
        let mut group = Vec::with_capacity(GROUP);
        loop {
            let found = listing.try_next().await?;
            let is_end = found.is_none();
            group.extend(found);
            if is_end || group.len() == GROUP {
                for object in without_a_row(self.app, &mut self.known, self.now, mem::take(&mut group)).await? {
                    let bytes = self.app.blobs.remove(object.project_id, object.name).await?;
                    let name = name_of(&self.names, object.project_id);
                    self.report.add(&name, reason_of(&object), 1, Freed::one(bytes));
                }
            }
            if is_end {
                return Ok(());
            }
        }
    }

    /// Removes files that were not finished.
    pub(super) async fn unfinished(&mut self) -> Result<()> {
        for file in unfinished(self.app, &mut self.known, self.now).await? {
            self.app.blobs.remove_unfinished(&file).await?;
            let name = name_of(&self.names, file.project_id);
            self.report.add(&name, Reason::Unfinished, 1, Freed::one(file.size_bytes));
        }
        Ok(())
    }

    /// Removes all objects of a project that is no more.
    pub(super) async fn all_objects(&self, project_id: ProjectId) -> Result<Freed> {
        let mut listing = self.app.blobs.stored(Some(project_id));
        let mut freed = Freed::default();
        let mut group = Vec::with_capacity(GROUP);
        loop {
            let found = listing.try_next().await?;
            let is_end = found.is_none();
            group.extend(found.map(|object| object.name));
            if is_end || group.len() == GROUP {
                freed = freed.plus(self.remove_objects(project_id, mem::take(&mut group)).await?);
            }
            if is_end {
                return Ok(freed);
            }
        }
    }
}

/// Why an object goes that no row names.
pub(super) const fn reason_of(object: &StoredObject) -> Reason {
    match object.name {
        ObjectName::Incoming(_) => Reason::Unfinished,
        ObjectName::Object(_) | ObjectName::Content(_) => Reason::Unnamed,
    }
}

/// Files that were not finished, and are too old to be about to be, of projects that are known.
pub(super) async fn unfinished(app: &AppState, known: &mut Known, now: OffsetDateTime) -> Result<Vec<UnfinishedFile>> {
    let mut files = app.blobs.unfinished(now - GRACE).await?;
    known.look_up(app, files.iter().map(|file| file.project_id).collect()).await?;
    files.retain(|file| known.has(file.project_id));
    Ok(files)
}

/// Those of the objects that no row names, and that are too old to be about to get one, of projects that are known.
pub(super) async fn without_a_row(
    app: &AppState,
    known: &mut Known,
    now: OffsetDateTime,
    mut objects: Vec<StoredObject>,
) -> Result<Vec<StoredObject>> {
    objects.retain(|object| object.modified_at < now - GRACE);
    known.look_up(app, objects.iter().map(|object| object.project_id).collect()).await?;
    objects.retain(|object| known.has(object.project_id));
    if objects.is_empty() {
        return Ok(objects);
    }
    let by_id = |object: &StoredObject| match object.name {
        ObjectName::Object(id) => Some(id),
        ObjectName::Content(_) | ObjectName::Incoming(_) => None,
    };
    let by_hash = |object: &StoredObject| match object.name {
        ObjectName::Content(digest) => Some((object.project_id, digest)),
        ObjectName::Object(_) | ObjectName::Incoming(_) => None,
    };
    let ids: Vec<Uuid> = objects.iter().filter_map(by_id).collect();
    let hashes: Vec<(ProjectId, Sha256Digest)> = objects.iter().filter_map(by_hash).collect();
    let mut connection = app.pool.acquire().await?;
    let named_objects: HashSet<(ProjectId, Uuid)> = if ids.is_empty() {
        HashSet::new()
    } else {
        store::sweep::contents::named_objects(&mut connection, &ids).await?.into_iter().collect()
    };
    let named_contents: HashSet<_> = if hashes.is_empty() {
        HashSet::new()
    } else {
        store::sweep::contents::named_contents(&mut connection, &hashes).await?.into_iter().collect()
    };
    objects.retain(|object| match object.name {
        ObjectName::Object(id) => !named_objects.contains(&(object.project_id, id)),
        ObjectName::Content(digest) => !named_contents.contains(&(object.project_id, digest)),
        ObjectName::Incoming(_) => true,
    });
    Ok(objects)
}
