//! What the store holds of projects that the database never had: what an import of a project left that was killed.
//!
//! Ordinary sweeps leave it, as the database may be the wrong one. Who asks for this says that it is the right one; the
//! store must hold something of a project that it knows, all the same. An import has the lock of sweeps until its rows
//! are there, so that none that is under way loses its contents.

use std::collections::BTreeSet;
use std::future::ready;

use futures_util::TryStreamExt;
use time::OffsetDateTime;

use super::contents::OBJECTS_AT_ONCE;
use super::objects::Known;
use super::report::{Freed, Reason, Report};
use super::{GRACE, alone};
use crate::app::AppState;
use crate::domain::ProjectId;
use crate::error::{AppError, Result};

/// Says what the store holds of projects that the database never had, and unless it is a dry run removes it, but for
/// what is less than a day old. `None`: a sweep, a backup or an import is under way, on this server or another one.
pub async fn sweep_unknown_projects(app: &AppState, is_dry_run: bool) -> Result<Option<Report>> {
    if is_dry_run {
        return swept(app, true).await.map(Some);
    }
    alone(app, swept(app, false)).await
}

async fn swept(app: &AppState, is_dry_run: bool) -> Result<Report> {
    let before = app.clock.now() - GRACE;
    let mut report = Report::new(is_dry_run);
    let unknown = unknown_projects(app).await?;
    for project_id in &unknown {
        let freed = objects(app, *project_id, before, is_dry_run).await?;
        report.add(&project_id.to_string(), Reason::UnknownProject, freed.objects, freed);
    }
    for file in app.blobs.unfinished(before).await? {
        if !unknown.contains(&file.project_id) {
            continue;
        }
        if !is_dry_run {
            app.blobs.remove_unfinished(&file).await?;
        }
        report.add(&file.project_id.to_string(), Reason::UnknownProject, 1, Freed::one(file.size_bytes));
    }
    Ok(report)
}

/// The projects in the store that the database never had. Refused, where it never had any of those in the store.
async fn unknown_projects(app: &AppState) -> Result<BTreeSet<ProjectId>> {
    let folders = app.blobs.projects().await?;
    let mut known = Known::default();
    known.look_up(app, folders.into_iter().collect()).await?;
    if !known.has_any() && known.unknown().next().is_some() {
        return Err(AppError::Conflict(
            "This database never had any of the projects in this store, so that one of them is another server's. \
             Nothing was removed: check DATABASE_URL and OTRACE_STORAGE_URL."
                .into(),
        ));
    }
    Ok(known.unknown().collect())
}

/// Goes through the objects of a project that were written before this moment, and removes them unless it is a dry run.
async fn objects(app: &AppState, project_id: ProjectId, before: OffsetDateTime, is_dry_run: bool) -> Result<Freed> {
    let old = app.blobs.stored(Some(project_id)).try_filter(|object| ready(object.modified_at < before));
    let going = old.map_ok(|object| {
        let blobs = app.blobs.clone();
        async move { if is_dry_run { Ok(object.size_bytes) } else { blobs.remove(project_id, object.name).await } }
    });
    let all = going.try_buffer_unordered(OBJECTS_AT_ONCE);
    all.try_fold(Freed::default(), async |freed, bytes| Ok(freed.plus(Freed::one(bytes)))).await
}
