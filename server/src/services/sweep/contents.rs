//! Contents that nothing needs: their rows, then their objects.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use otrace_wire::Sha256Digest;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Sweep;
use super::report::{Freed, Reason};
use crate::blobs::ObjectName;
use crate::domain::ProjectId;
use crate::error::{AppError, Result};
use crate::store;
use crate::store::sweep::SweptProject;
use crate::store::sweep::contents::RemovedContent;

/// So many contents are looked at in one statement.
pub(super) const PAGE: i64 = 500;
/// So many are locked at once: whoever wants to refer to one of them waits as long.
const LOCKED_AT_ONCE: usize = 200;
/// So many objects are removed at once.
pub(super) const OBJECTS_AT_ONCE: usize = 16;

/// What one transaction removed.
#[derive(Default)]
struct Removed {
    contents: u64,
    /// What they were made of.
    parts: Vec<Sha256Digest>,
    /// The objects that no row names any more.
    objects: Vec<ObjectName>,
}

impl Sweep<'_> {
    /// Removes contents that nothing needs, going through all of the project's.
    pub(super) async fn unneeded(&mut self, project: &SweptProject, as_of: OffsetDateTime) -> Result<()> {
        let mut after = None;
        loop {
            let mut connection = self.app.pool.acquire().await?;
            let page = store::sweep::contents::page(&mut connection, project.id, after, as_of, PAGE).await?;
            drop(connection);
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(*last);
            let unneeded = page.iter().filter(|(_, is_unneeded)| *is_unneeded).map(|(digest, _)| *digest).collect();
            let count = self.remove(project, as_of, Reason::Unneeded, unneeded).await?;
            self.report.add(&project.slug, Reason::Unneeded, count, Freed::default());
        }
    }

    /// Removes those of these contents that nothing needs, and then the parts that they were made of. Returns how many
    /// contents went; what the store gave back is in the report.
    pub(super) async fn remove(
        &mut self,
        project: &SweptProject,
        as_of: OffsetDateTime,
        reason: Reason,
        contents: Vec<Sha256Digest>,
    ) -> Result<u64> {
        let (mut contents, mut count) = (contents, 0);
        while !contents.is_empty() {
            let mut parts = Vec::new();
            for group in contents.chunks(LOCKED_AT_ONCE) {
                let removed = self.remove_rows(project.id, as_of, group).await?;
                count += removed.contents;
                parts.extend(removed.parts);
                let freed = self.remove_objects(project.id, removed.objects).await?;
                self.report.add(&project.slug, reason, 0, freed);
            }
            parts.sort_unstable();
            parts.dedup();
            // Parts have no parts.
            contents = parts;
        }
        Ok(count)
    }

    async fn remove_rows(
        &self,
        project_id: ProjectId,
        as_of: OffsetDateTime,
        contents: &[Sha256Digest],
    ) -> Result<Removed> {
        let mut transaction = self.app.pool.begin().await?;
        let locked = store::sweep::contents::lock(&mut transaction, project_id, contents, as_of).await?;
        if locked.is_empty() {
            return Ok(Removed::default());
        }
        let parts = store::sweep::contents::parts_of(&mut transaction, project_id, &locked).await?;
        let removed = store::sweep::contents::remove_unneeded(&mut transaction, project_id, &locked).await?;
        let within: HashSet<Uuid> = removed.iter().filter_map(|content| content.object).collect();
        let within: Vec<Uuid> = within.into_iter().collect();
        let named = store::sweep::contents::named_objects(&mut transaction, &within).await?;
        transaction.commit().await?;
        let own = |content: &RemovedContent| content.is_named.then_some(ObjectName::Content(content.sha256));
        let mut objects: Vec<ObjectName> = removed.iter().filter_map(own).collect();
        let is_named = |object: &Uuid| named.iter().any(|(_, named)| named == object);
        objects.extend(within.into_iter().filter(|object| !is_named(object)).map(ObjectName::Object));
        Ok(Removed { contents: removed.len() as u64, parts, objects })
    }

    /// Removes objects that no row names.
    pub(super) async fn remove_objects(&self, project_id: ProjectId, objects: Vec<ObjectName>) -> Result<Freed> {
        let removing = stream::iter(objects).map(|object| {
            let blobs = self.app.blobs.clone();
            async move { Ok::<_, AppError>(Freed::one(blobs.remove(project_id, object).await?)) }
        });
        let all = removing.buffer_unordered(OBJECTS_AT_ONCE);
        all.try_fold(Freed::default(), async |freed, one| Ok(freed.plus(one))).await
    }
}
