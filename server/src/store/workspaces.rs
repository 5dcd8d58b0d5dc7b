//! The table `workspaces`.

use otrace_wire::WorkspaceSync;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{ApiKeyId, ProjectId};

/// Writes down which workspace spoke; a workspace is known by its project, name and directory.
pub async fn upsert(
    connection: &mut PgConnection,
    project_id: ProjectId,
    api_key_id: ApiKeyId,
    workspace: &WorkspaceSync,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO workspaces (id, project_id, name, working_directory, cli_version, python_version, platform,
                                git_remote_url, git_commit, git_dirty, metadata, api_key_id, synced_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (project_id, md5(name), md5(working_directory)) DO UPDATE
        SET cli_version    = EXCLUDED.cli_version,
            python_version = EXCLUDED.python_version,
            platform       = EXCLUDED.platform,
            git_remote_url = EXCLUDED.git_remote_url,
            git_commit     = EXCLUDED.git_commit,
            git_dirty      = EXCLUDED.git_dirty,
            metadata       = EXCLUDED.metadata,
            api_key_id     = EXCLUDED.api_key_id,
            synced_at      = EXCLUDED.synced_at
        ",
        Uuid::now_v7(),
        project_id as ProjectId,
        workspace.workspace_name,
        workspace.working_directory,
        workspace.cli_version,
        workspace.python_version,
        workspace.platform,
        workspace.git_remote_url,
        workspace.git_commit,
        workspace.git_dirty,
        Value::Object(workspace.metadata.clone()),
        api_key_id as ApiKeyId,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}
