//! Deleting a project, and bringing it back.
//!
//! A deleted project is hidden with all that is in it: it is found by nobody, and its keys, run tokens and
//! invitations open nothing. None of them is changed, so that all of it works again once the project is back.

use time::Duration;

use crate::app::AppState;
use crate::auth::{ProjectMember, SignedIn};
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::text::without_nul;
use crate::domain::{Account, Project, Role};
use crate::error::{AppError, Result};
use crate::services::audit;
use crate::services::runs::COUNTED_MAX;
use crate::store;
use crate::store::projects::deletion::DeletedProject;

/// So long an owner can bring a deleted project back.
pub const RESTORABLE: Duration = Duration::days(30);

/// Deletes the project, if its owner has typed its name or its word in addresses.
pub async fn delete(app: &AppState, by: &ProjectMember, typed: &str) -> Result<()> {
    by.require(Role::Owner)?;
    let typed = typed.trim();
    if typed != by.project.name && typed != by.project.slug {
        return Err(AppError::invalid("Type the project's name as it stands above, to show that you mean this one."));
    }
    let (project_id, now) = (by.project.id, app.clock.now());
    let mut transaction = app.pool.begin().await?;
    let owners = store::members::lock_owners(&mut transaction, project_id).await?;
    let is_there = store::projects::find(&mut transaction, project_id).await?.is_some();
    if !is_there || !owners.contains(&by.account.id) {
        return Err(AppError::NotFound("Project"));
    }
    let members = store::members::list(&mut transaction, project_id).await?;
    store::projects::deletion::hide(&mut transaction, project_id, by.account.id, now).await?;
    let event = NewEvent::new(Action::ProjectDeleted, by.project.slug.clone());
    audit::record(&mut transaction, Chain::Project(project_id), &by.actor(), event, now).await?;
    transaction.commit().await?;
    app.key_cache.forget_all();
    for member in members {
        app.live.publish_access_change(member.account.id);
    }
    tracing::info!(project = %project_id, "a project was deleted");
    Ok(())
}

/// Brings back a project that was deleted within the last 30 days. To all but its owners it is not there.
pub async fn restore(app: &AppState, signed_in: &SignedIn, slug: &str) -> Result<Project> {
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    let (account_id, slug) = (signed_in.account.id, without_nul(slug));
    let found = store::projects::deletion::lock_deleted(&mut transaction, account_id, &slug, now - RESTORABLE).await?;
    let project = found.ok_or(AppError::NotFound("Project"))?;
    store::projects::deletion::show(&mut transaction, project.id).await?;
    let event = NewEvent::new(Action::ProjectRestored, project.slug.clone());
    audit::record(&mut transaction, Chain::Project(project.id), &signed_in.actor(), event, now).await?;
    transaction.commit().await?;
    tracing::info!(project = %project.id, "a project was brought back");
    Ok(project)
}

/// The projects that the account can bring back, the last deleted first.
pub async fn deleted(app: &AppState, account: &Account) -> Result<Vec<DeletedProject>> {
    let since = app.clock.now() - RESTORABLE;
    let mut connection = app.pool.acquire().await?;
    Ok(store::projects::deletion::list(&mut connection, account.id, since, COUNTED_MAX).await?)
}
