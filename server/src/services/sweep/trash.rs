//! The trash, and artifacts that expired.

use time::OffsetDateTime;

use super::Sweep;
use super::report::{Freed, Reason};
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::{Actor, ProjectId};
use crate::error::Result;
use crate::services::projects::RESTORABLE;
use crate::services::{audit, retention};
use crate::store;
use crate::store::sweep::SweptProject;

/// So many runs are removed in one transaction, with all that belongs to them.
const RUNS_AT_ONCE: i64 = 20;
/// So many rows of other kinds.
const ROWS_AT_ONCE: i64 = 5_000;

impl Sweep<'_> {
    /// Removes runs that were deleted over 30 days ago, and what only they needed.
    pub(super) async fn trash(&mut self, project: &SweptProject, as_of: OffsetDateTime) -> Result<()> {
        loop {
            let mut transaction = self.app.pool.begin().await?;
            store::sweep::trash::take_time(&mut transaction).await?;
            let deleted_before = self.now - RESTORABLE;
            let runs =
                store::sweep::trash::lock_runs(&mut transaction, project.id, deleted_before, RUNS_AT_ONCE).await?;
            if runs.is_empty() {
                return Ok(());
            }
            let contents = store::sweep::trash::contents_of(&mut transaction, &runs).await?;
            let count = store::sweep::trash::remove_runs(&mut transaction, project.id, &runs).await?;
            transaction.commit().await?;
            self.report.add(&project.slug, Reason::Trash, count, Freed::default());
            self.remove(project, as_of, Reason::Trash, contents).await?;
        }
    }

    /// Takes their contents off the artifacts that the project's rules delete, and removes what only they needed.
    pub(super) async fn expired(&mut self, project: &SweptProject, as_of: OffsetDateTime) -> Result<()> {
        let mut runs = retention::Unchanged::of(self.app, project.id, self.now).await?;
        while let Some(page) = runs.next(self.app).await? {
            let mut transaction = self.app.pool.begin().await?;
            let locked = store::retention::lock_expiring(&mut transaction, project.id, &page, self.now).await?;
            if locked.is_empty() {
                continue;
            }
            let (count, contents) = store::retention::expire(&mut transaction, project.id, &locked, self.now).await?;
            transaction.commit().await?;
            self.report.add(&project.slug, Reason::Retention, count, Freed::default());
            self.remove(project, as_of, Reason::Retention, contents).await?;
        }
        Ok(())
    }

    /// Removes a project that was deleted over 30 days ago. What was recorded of it stays in its audit log and the
    /// server's.
    pub(super) async fn whole_project(&mut self, project: &SweptProject) -> Result<()> {
        let deleted_before = self.now - RESTORABLE;
        loop {
            let mut transaction = self.app.pool.begin().await?;
            store::sweep::trash::take_time(&mut transaction).await?;
            if !store::sweep::trash::lock_project(&mut transaction, project.id, deleted_before).await? {
                return Ok(());
            }
            let runs = store::sweep::trash::any_runs(&mut transaction, project.id, RUNS_AT_ONCE).await?;
            if runs.is_empty() {
                break;
            }
            store::sweep::trash::remove_runs(&mut transaction, project.id, &runs).await?;
            transaction.commit().await?;
        }
        self.contents_of_project(project.id).await?;
        let mut transaction = self.app.pool.begin().await?;
        store::sweep::trash::take_time(&mut transaction).await?;
        if !store::sweep::trash::remove_project(&mut transaction, project.id, deleted_before).await? {
            return Ok(());
        }
        let event = NewEvent::new(Action::ProjectRemoved, project.slug.clone());
        audit::record(&mut transaction, Chain::Server, &Actor::command(), event.clone(), self.now).await?;
        audit::record(&mut transaction, Chain::Project(project.id), &Actor::command(), event, self.now).await?;
        transaction.commit().await?;
        let freed = self.all_objects(project.id).await?;
        self.report.add(&project.slug, Reason::DeletedProject, 1, freed);
        Ok(())
    }

    /// Removes the rows of a project's contents, which nothing refers to any more.
    async fn contents_of_project(&self, project_id: ProjectId) -> Result<()> {
        let mut connection = self.app.pool.acquire().await?;
        // What they are made of first: the parts of a content can't go before it.
        loop {
            if store::sweep::trash::remove_parts(&mut connection, project_id, ROWS_AT_ONCE).await? == 0 {
                break;
            }
        }
        loop {
            if store::sweep::trash::remove_contents(&mut connection, project_id, ROWS_AT_ONCE).await? == 0 {
                return Ok(());
            }
        }
    }
}
