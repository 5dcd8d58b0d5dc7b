//! Which workspaces speak with a project.

use otrace_wire::WorkspaceSync;

use crate::app::AppState;
use crate::auth::{ProjectKey, ProjectMember};
use crate::domain::text::NAME_MAX_BYTES;
use crate::error::{AppError, Result};
use crate::store;

pub use crate::store::workspaces::Workspace;

/// So many workspaces are listed: those that spoke last.
pub const LISTED_MAX: i64 = 500;

/// Writes down that a workspace spoke. A `project_id` that is not the key's own is refused.
pub async fn sync(app: &AppState, key: &ProjectKey, workspace: &WorkspaceSync) -> Result<()> {
    if workspace.project_id.as_ref().is_some_and(|id| *id != key.project.id.to_string()) {
        return Err(AppError::NotFound("Project"));
    }
    if workspace.workspace_name.is_empty() || workspace.working_directory.is_empty() {
        return Err(AppError::invalid("workspace_name and working_directory are required"));
    }
    if workspace.workspace_name.len() > NAME_MAX_BYTES || workspace.working_directory.len() > NAME_MAX_BYTES {
        return Err(AppError::invalid("workspace_name and working_directory may be 4096 bytes long at most"));
    }
    let now = app.clock.now();
    store::workspaces::upsert(&mut *app.pool.acquire().await?, key.project.id, key.id, workspace, now).await?;
    Ok(())
}

/// The workspaces of the member's project, those that spoke last first; at most [`LISTED_MAX`].
pub async fn list(app: &AppState, member: &ProjectMember) -> Result<Vec<Workspace>> {
    Ok(store::workspaces::list(&mut *app.pool.acquire().await?, member.project.id, LISTED_MAX).await?)
}
