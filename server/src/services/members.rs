//! Who may do what in a project.
//!
//! Every change takes the project's lock first, so that the rule "a project keeps an owner" is decided
//! on what is true then.

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::audit::{Action, Chain, NewEvent};
use crate::domain::{Account, AccountId, Role};
use crate::error::{AppError, Result};
use crate::services::audit;
use crate::store;
use crate::store::members::ListedMember;

fn last_owner() -> AppError {
    AppError::Conflict("A project keeps an owner: make somebody else an owner first.".into())
}

/// The project's members, owners first.
pub async fn list(app: &AppState, member: &ProjectMember) -> Result<Vec<ListedMember>> {
    Ok(store::members::list(&mut *app.pool.acquire().await?, member.project.id).await?)
}

/// A member to be changed, in a transaction that holds the project's lock.
struct Target {
    account: Account,
    role: Role,
    is_last_owner: bool,
    is_closed: bool,
}

impl Target {
    /// Refuses to make an owner of somebody whose account is closed.
    fn check_may_own(&self) -> Result<()> {
        if self.is_closed {
            return Err(AppError::Conflict("This account is closed. Choose another member.".into()));
        }
        Ok(())
    }
}

async fn lock(connection: &mut sqlx::PgConnection, by: &ProjectMember, id: AccountId, needed: Role) -> Result<Target> {
    let owners = store::members::lock_owners(connection, by.project.id).await?;
    // The caller's own role may have changed since the request began.
    let own = store::members::find_role(connection, by.project.id, by.account.id).await?;
    ProjectMember { role: own.ok_or(AppError::NotFound("Project"))?, ..by.clone() }.require(needed)?;
    let members = store::members::list(connection, by.project.id).await?;
    let found = members.into_iter().find(|member| member.account.id == id).ok_or(AppError::NotFound("Member"))?;
    let is_last_owner = owners == [id];
    Ok(Target { account: found.account, role: found.role, is_last_owner, is_closed: found.is_disabled })
}

/// Changes what a member may do. Only owners may, and never the last owner's role.
pub async fn change_role(app: &AppState, by: &ProjectMember, id: AccountId, role: Role) -> Result<()> {
    by.require(Role::Owner)?;
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    let target = lock(&mut transaction, by, id, Role::Owner).await?;
    if target.role == role {
        return Ok(());
    }
    if target.is_last_owner {
        return Err(last_owner());
    }
    if role == Role::Owner {
        target.check_may_own()?;
    }
    store::members::set_role(&mut transaction, by.project.id, id, role).await?;
    // Who may make no keys any more has none either.
    let revoked = if role < Role::Editor {
        store::api_keys::revoke_of(&mut transaction, by.project.id, id, now).await?
    } else {
        Vec::new()
    };
    let event = NewEvent::new(Action::MemberRoleChanged, target.account.email)
        .with("from", target.role.as_str())
        .with("to", role.as_str())
        .with("keys_revoked", revoked.len().to_string());
    audit::record(&mut transaction, Chain::Project(by.project.id), &by.actor(), event, now).await?;
    transaction.commit().await?;
    for key_hash in revoked {
        app.key_cache.forget(&key_hash);
    }
    app.live.publish_access_change(id);
    Ok(())
}

/// Takes a member out of the project, and revokes the keys that they made in it. Who takes out
/// themselves leaves; the last owner can't.
pub async fn remove(app: &AppState, by: &ProjectMember, id: AccountId) -> Result<()> {
    let now = app.clock.now();
    let project_id = by.project.id;
    let mut transaction = app.pool.begin().await?;
    let needed = if id == by.account.id { Role::Viewer } else { Role::Owner };
    let target = lock(&mut transaction, by, id, needed).await?;
    if target.is_last_owner {
        return Err(last_owner());
    }
    store::members::delete(&mut transaction, project_id, id).await?;
    let revoked = store::api_keys::revoke_of(&mut transaction, project_id, id, now).await?;
    let action = if id == by.account.id { Action::MemberLeft } else { Action::MemberRemoved };
    let event = NewEvent::new(action, target.account.email)
        .with("role", target.role.as_str())
        .with("keys_revoked", revoked.len().to_string());
    audit::record(&mut transaction, Chain::Project(project_id), &by.actor(), event, now).await?;
    transaction.commit().await?;
    for key_hash in revoked {
        app.key_cache.forget(&key_hash);
    }
    app.live.publish_access_change(id);
    Ok(())
}

/// Makes another member the owner in the caller's place, who stays as an editor.
pub async fn transfer(app: &AppState, by: &ProjectMember, id: AccountId) -> Result<()> {
    by.require(Role::Owner)?;
    if id == by.account.id {
        return Err(AppError::invalid("You are an owner already. Choose another member."));
    }
    let mut transaction = app.pool.begin().await?;
    let target = lock(&mut transaction, by, id, Role::Owner).await?;
    target.check_may_own()?;
    store::members::set_role(&mut transaction, by.project.id, id, Role::Owner).await?;
    store::members::set_role(&mut transaction, by.project.id, by.account.id, Role::Editor).await?;
    let event =
        NewEvent::new(Action::OwnershipTransferred, target.account.email).with("from", by.account.email.clone());
    audit::record(&mut transaction, Chain::Project(by.project.id), &by.actor(), event, app.clock.now()).await?;
    transaction.commit().await?;
    app.live.publish_access_change(id);
    app.live.publish_access_change(by.account.id);
    Ok(())
}
