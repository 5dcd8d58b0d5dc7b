//! What those who run the server do: accounts, projects, the rule of signing up.
//!
//! An admin sees what a project takes, not what is in it. Who wants to look into one lets themselves
//! in, which its members see in their list and in its audit log.

use sqlx::{PgConnection, Postgres, Transaction};

use crate::app::AppState;
use crate::auth::SignedIn;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::{Account, AccountId, Project, Role, SignUpPolicy};
use crate::error::{AppError, Result};
use crate::services::{audit, links};
use crate::store;
use crate::store::accounts::{Change, ListedAccount};
use crate::store::projects::{StoredProject, Usage};

/// So many accounts or projects a page shows.
pub const PAGE: i64 = 100;

/// What the whole server keeps.
pub async fn usage(app: &AppState, admin: &SignedIn) -> Result<Usage> {
    admin.require_admin()?;
    Ok(store::projects::usage(&mut *app.pool.acquire().await?).await?)
}

/// Accounts whose address follows `after`, by address.
pub async fn accounts(app: &AppState, admin: &SignedIn, after: &str) -> Result<Vec<ListedAccount>> {
    admin.require_admin()?;
    Ok(store::accounts::list(&mut *app.pool.acquire().await?, after, PAGE).await?)
}

/// Projects whose slug follows `after`, by slug.
pub async fn projects(app: &AppState, admin: &SignedIn, after: &str) -> Result<Vec<StoredProject>> {
    admin.require_admin()?;
    Ok(store::projects::list(&mut *app.pool.acquire().await?, after, PAGE).await?)
}

/// Begins a change of who may do what on the server: nobody else makes one meanwhile, and the admin still
/// is one.
async fn lock(app: &AppState, transaction: &mut PgConnection, admin: &SignedIn) -> Result<()> {
    admin.require_admin_with_proof(app)?;
    let admins = store::accounts::lock_admins(transaction).await?;
    if admins.contains(&admin.account.id) { Ok(()) } else { Err(AppError::NotFound("Page")) }
}

/// Refuses to leave the server without anybody who runs it.
async fn keep_an_admin(transaction: &mut PgConnection) -> Result<()> {
    if store::accounts::lock_admins(transaction).await?.is_empty() {
        return Err(AppError::Conflict("Somebody has to run this server: make another account an admin first.".into()));
    }
    Ok(())
}

/// Closes an account: its sessions end, and its keys open nothing while it is closed.
pub async fn disable(app: &AppState, admin: &SignedIn, id: AccountId) -> Result<()> {
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    lock(app, &mut transaction, admin).await?;
    let change = store::accounts::set_disabled(&mut transaction, id, Some(now)).await?;
    let change = change.ok_or(AppError::NotFound("Account"))?;
    keep_an_admin(&mut transaction).await?;
    store::sessions::delete_others(&mut transaction, id, None).await?;
    store::one_time_links::delete_of(&mut transaction, id).await?;
    finish(app, transaction, admin, change, Action::AccountDisabled).await?;
    app.key_cache.forget_all();
    app.live.publish_access_change(id);
    Ok(())
}

/// Opens a closed account.
pub async fn enable(app: &AppState, admin: &SignedIn, id: AccountId) -> Result<()> {
    let mut transaction = app.pool.begin().await?;
    lock(app, &mut transaction, admin).await?;
    let change = store::accounts::set_disabled(&mut transaction, id, None).await?;
    finish(app, transaction, admin, change.ok_or(AppError::NotFound("Account"))?, Action::AccountEnabled).await
}

/// Makes an account an admin, or takes that from it; somebody always stays one.
pub async fn set_admin(app: &AppState, admin: &SignedIn, id: AccountId, is_admin: bool) -> Result<()> {
    let mut transaction = app.pool.begin().await?;
    lock(app, &mut transaction, admin).await?;
    let change = store::accounts::set_admin(&mut transaction, id, is_admin).await?;
    let change = change.ok_or(AppError::NotFound("Account"))?;
    keep_an_admin(&mut transaction).await?;
    let action = if is_admin { Action::AdminGranted } else { Action::AdminRevoked };
    finish(app, transaction, admin, change, action).await
}

/// Records a change, if it was one, and commits it.
async fn finish(
    app: &AppState,
    mut transaction: Transaction<'static, Postgres>,
    admin: &SignedIn,
    change: Change,
    action: Action,
) -> Result<()> {
    if change.is_new {
        let event = NewEvent::new(action, change.email);
        audit::record(&mut transaction, Chain::Server, &admin.actor(), event, app.clock.now()).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// A link to choose a new password with, to be handed over by the admin.
pub async fn make_reset_link(app: &AppState, admin: &SignedIn, id: AccountId) -> Result<(Account, String)> {
    admin.require_admin_with_proof(app)?;
    let account = store::accounts::find(&mut *app.pool.acquire().await?, id).await?;
    let account = account.ok_or(AppError::NotFound("Account"))?;
    let link = links::make_reset(app, &account, &admin.actor()).await?;
    Ok((account, link))
}

/// Sets the rule by which people sign up.
pub async fn set_policy(app: &AppState, admin: &SignedIn, policy: &SignUpPolicy) -> Result<()> {
    admin.require_admin_with_proof(app)?;
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    store::sign_up_policy::set(&mut transaction, policy, admin.account.id, now).await?;
    let mut event = NewEvent::new(Action::SignUpPolicyChanged, policy.as_str());
    if let SignUpPolicy::Domains(domains) = policy {
        event = event.with("domains", domains.join(" "));
    }
    audit::record(&mut transaction, Chain::Server, &admin.actor(), event, now).await?;
    transaction.commit().await?;
    Ok(())
}

/// Lets an admin into a project, as a member whom the others see. Recorded in the project's log and
/// in the server's.
pub async fn enter_project(app: &AppState, admin: &SignedIn, slug: &str, role: Role) -> Result<Project> {
    admin.require_admin_with_proof(app)?;
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    let project = store::projects::find_by_slug(&mut transaction, slug).await?;
    let project = project.ok_or(AppError::NotFound("Project"))?;
    if !store::members::insert(&mut transaction, project.id, admin.account.id, role, now).await? {
        return Err(AppError::Conflict("You are a member of this project already.".into()));
    }
    let event = NewEvent::new(Action::AdminEntered, project.slug.clone()).with("role", role.as_str());
    // The server's chain first, as everywhere: two who lock both never wait for each other.
    audit::record(&mut transaction, Chain::Server, &admin.actor(), event.clone(), now).await?;
    audit::record(&mut transaction, Chain::Project(project.id), &admin.actor(), event, now).await?;
    transaction.commit().await?;
    Ok(project)
}
