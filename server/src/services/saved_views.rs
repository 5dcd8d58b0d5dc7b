//! Views of a project's list of runs that members keep under names, for themselves or for all.

use uuid::Uuid;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::Role;
use crate::domain::text::{normalize_name, without_nul};
use crate::error::{AppError, Result};
use crate::store;
use crate::store::saved_views::NewView;

pub use crate::store::saved_views::SavedView;

/// So many views a member may keep in a project. Two that are saved at the same moment may both be the last.
const VIEWS_MAX: i64 = 100;
/// The longest address of a view, in bytes.
const PARAMETERS_MAX_BYTES: usize = 16 * 1024;

/// The views that the member sees: their own and those of the project, by name.
pub async fn list(app: &AppState, member: &ProjectMember) -> Result<Vec<SavedView>> {
    let mut connection = app.pool.acquire().await?;
    Ok(store::saved_views::list(&mut connection, member.project.id, member.account.id).await?)
}

/// Keeps a view, in place of the one that the member has under this name. One for all takes an editor.
pub async fn save(app: &AppState, member: &ProjectMember, name: &str, parameters: &str, is_shared: bool) -> Result<()> {
    if is_shared {
        member.require(Role::Editor)?;
    }
    let name = normalize_name(&without_nul(name))?;
    if parameters.len() > PARAMETERS_MAX_BYTES || parameters.contains('\0') {
        return Err(AppError::invalid("This view is too long to be kept. Shorten its query or show fewer columns."));
    }
    let (project_id, account_id) = (member.project.id, member.account.id);
    let mut transaction = app.pool.begin().await?;
    if store::saved_views::count_others(&mut transaction, project_id, account_id, &name).await? >= VIEWS_MAX {
        return Err(AppError::invalid("You have 100 views in this project. Delete one first."));
    }
    let view = NewView { id: Uuid::now_v7(), name: &name, parameters, is_shared };
    store::saved_views::save(&mut transaction, project_id, account_id, view, app.clock.now()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Removes a view of the member's own; owners of the project also remove those that all members see.
pub async fn delete(app: &AppState, member: &ProjectMember, id: Uuid) -> Result<()> {
    let also_shared = member.role >= Role::Owner;
    let mut connection = app.pool.acquire().await?;
    let is_gone =
        store::saved_views::delete(&mut connection, member.project.id, member.account.id, id, also_shared).await?;
    if is_gone { Ok(()) } else { Err(AppError::NotFound("View")) }
}
