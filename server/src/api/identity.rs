//! Who a key belongs to, and which workspace speaks.

use axum::extract::State;
use otrace_wire::WorkspaceSync;
use otrace_wire::identity::{Whoami, WhoamiAccount, WhoamiKey, WhoamiProject};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::answer::Answer;
use super::json::CleanJson;
use crate::app::AppState;
use crate::auth::{ProjectKey, WriteKey};
use crate::error::Result;
use crate::services;

/// `GET /v1/auth/whoami`.
pub async fn whoami(key: ProjectKey) -> Answer<Whoami> {
    Answer(Whoami {
        account: WhoamiAccount { email: key.account_email },
        project: WhoamiProject { id: key.project.id.0, name: key.project.name, slug: key.project.slug },
        api_key: WhoamiKey { prefix: key.prefix },
    })
}

/// The project of [`Synced`].
#[derive(Debug, Serialize, JsonSchema)]
pub struct SyncedProject {
    id: Uuid,
    name: String,
    slug: String,
    workspace_name: String,
}

/// The project that a workspace was synced with.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Synced {
    project: SyncedProject,
}

/// `PATCH /v1/projects/current/workspace`.
pub async fn sync_workspace(
    State(app): State<AppState>,
    WriteKey(key): WriteKey,
    CleanJson(workspace): CleanJson<WorkspaceSync>,
) -> Result<Answer<Synced>> {
    services::workspaces::sync(&app, &key, &workspace).await?;
    let project = key.project;
    Ok(Answer(Synced {
        project: SyncedProject {
            id: project.id.0,
            name: project.name,
            slug: project.slug,
            workspace_name: workspace.workspace_name,
        },
    }))
}
