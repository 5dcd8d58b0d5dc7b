//! What a sweep would come to, without one: nothing is changed, and no lock is taken.
//!
//! The database tells of each content why it would go, as if the trash were empty and the rules applied; the store
//! tells how long its objects are.

use std::collections::{HashMap, HashSet};
use std::mem;

use futures_util::{StreamExt, TryStreamExt, stream};
use time::OffsetDateTime;
use uuid::Uuid;

use super::contents::{OBJECTS_AT_ONCE, PAGE};
use super::objects::{GROUP, Known, reason_of, unfinished, without_a_row};
use super::report::{Freed, Reason, Report};
use super::{Projects, as_of, is_past_restoring, name_of};
use crate::app::AppState;
use crate::blobs::{ObjectName, StoredObject};
use crate::domain::ProjectId;
use crate::error::{AppError, Result};
use crate::services::projects::RESTORABLE;
use crate::services::{imports, retention};
use crate::store;
use crate::store::sweep::SweptProject;
use crate::store::sweep::contents::{DoomedContent, Supposed};

/// Says what a sweep that began now would come to.
pub async fn rehearse(app: &AppState) -> Result<Report> {
    let mut rehearsal = Rehearsal {
        app,
        now: app.clock.now(),
        names: HashMap::new(),
        doomed: HashSet::new(),
        known: Known::default(),
        report: Report::new(true),
    };
    rehearsal.everything().await?;
    Ok(rehearsal.report)
}

struct Rehearsal<'a> {
    app: &'a AppState,
    now: OffsetDateTime,
    /// What the projects are called that were seen.
    names: HashMap<ProjectId, String>,
    /// Those that would go as a whole.
    doomed: HashSet<ProjectId>,
    known: Known,
    report: Report,
}

impl Rehearsal<'_> {
    async fn everything(&mut self) -> Result<()> {
        let mut projects = Projects::default();
        while let Some(some) = projects.next(self.app).await? {
            for project in &some {
                self.names.insert(project.id, project.slug.clone());
                self.project(project).await?;
            }
        }
        self.unnamed().await?;
        self.unfinished().await?;
        self.known.warn();
        Ok(())
    }

    async fn project(&mut self, project: &SweptProject) -> Result<()> {
        if is_past_restoring(project, self.now) {
            self.doomed.insert(project.id);
            let all = self.app.blobs.stored(Some(project.id));
            let freed =
                all.try_fold(Freed::default(), async |freed, one| Ok(freed.plus(Freed::one(one.size_bytes)))).await?;
            self.report.add(&project.slug, Reason::DeletedProject, 1, freed);
            return Ok(());
        }
        let deleted_before = self.now - RESTORABLE;
        let mut connection = self.app.pool.acquire().await?;
        let runs = store::sweep::trash::count(&mut connection, project.id, deleted_before).await?;
        let since = Some(self.now - imports::FORGOTTEN_AFTER);
        let staged_since = store::sweep::contents::staged_since(&mut connection, project.id, since).await?;
        drop(connection);
        let (artifacts, _) = retention::expiring(self.app, project.id, self.now).await?;
        self.report.add(&project.slug, Reason::Trash, runs.unsigned_abs(), Freed::default());
        self.report.add(&project.slug, Reason::Retention, artifacts.unsigned_abs(), Freed::default());
        let as_of = as_of(self.now, staged_since);
        self.contents(project, Supposed { as_of, deleted_before, expired_by: self.now }).await
    }

    async fn contents(&mut self, project: &SweptProject, supposed: Supposed) -> Result<()> {
        let mut after = None;
        loop {
            let mut connection = self.app.pool.acquire().await?;
            let (doomed, last) =
                store::sweep::contents::doomed_page(&mut connection, project.id, after, supposed, PAGE).await?;
            let Some(last) = last else { return Ok(()) };
            let within: HashSet<Uuid> = doomed.iter().filter_map(|content| content.object).collect();
            let within: Vec<Uuid> = within.into_iter().collect();
            let emptied =
                store::sweep::contents::doomed_objects(&mut connection, project.id, &within, after, supposed).await?;
            drop(connection);
            let unneeded = doomed.iter().filter(|content| content.why == 0).count() as u64;
            self.report.add(&project.slug, Reason::Unneeded, unneeded, Freed::default());
            let own = |content: &DoomedContent| {
                content.is_named.then_some((ObjectName::Content(content.sha256), content.why))
            };
            let objects = emptied.into_iter().map(|(object, why)| (ObjectName::Object(object), why));
            let objects = objects.chain(doomed.iter().filter_map(own)).collect();
            self.weigh(project, objects).await?;
            after = Some(last);
        }
    }

    /// Adds what these objects would give back.
    async fn weigh(&mut self, project: &SweptProject, objects: Vec<(ObjectName, i32)>) -> Result<()> {
        let project_id = project.id;
        let weighing = stream::iter(objects).map(|(object, why)| {
            let blobs = self.app.blobs.clone();
            async move { Ok::<_, AppError>((blobs.size_of(project_id, object).await?, why)) }
        });
        let weighed: Vec<(u64, i32)> = weighing.buffer_unordered(OBJECTS_AT_ONCE).try_collect().await?;
        for (bytes, why) in weighed {
            let reason = usize::try_from(why).ok().and_then(|why| Reason::OF_CONTENTS.get(why).copied());
            self.report.add(&project.slug, reason.unwrap_or(Reason::Unneeded), 0, Freed::one(bytes));
        }
        Ok(())
    }

    async fn unnamed(&mut self) -> Result<()> {
        let mut listing = self.app.blobs.stored(None);
        let mut group: Vec<StoredObject> = Vec::with_capacity(GROUP);
        loop {
            let found = listing.try_next().await?;
            let is_end = found.is_none();
            group.extend(found.filter(|object| !self.doomed.contains(&object.project_id)));
            if is_end || group.len() == GROUP {
                for object in without_a_row(self.app, &mut self.known, self.now, mem::take(&mut group)).await? {
                    let name = name_of(&self.names, object.project_id);
                    self.report.add(&name, reason_of(&object), 1, Freed::one(object.size_bytes));
                }
            }
            if is_end {
                return Ok(());
            }
        }
    }

    async fn unfinished(&mut self) -> Result<()> {
        for file in unfinished(self.app, &mut self.known, self.now).await? {
            let name = name_of(&self.names, file.project_id);
            self.report.add(&name, Reason::Unfinished, 1, Freed::one(file.size_bytes));
        }
        Ok(())
    }
}
