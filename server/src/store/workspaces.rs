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

/// A workspace that speaks with a project.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The directory's name.
    pub name: String,
    /// The directory's absolute path on its machine.
    pub working_directory: String,
    /// The version of its client.
    pub cli_version: Option<String>,
    /// The version of its Python.
    pub python_version: Option<String>,
    /// The machine, such as `Linux-6.8-x86_64`.
    pub platform: Option<String>,
    /// `remote.origin.url` of its repository.
    pub git_remote_url: Option<String>,
    /// The commit that was checked out.
    pub git_commit: Option<String>,
    /// Whether anything was changed and not committed.
    pub git_dirty: Option<bool>,
    /// The name of the key that it spoke with.
    pub key_name: Option<String>,
    /// Who made that key, as shown to people.
    pub author: Option<String>,
    /// When it spoke last.
    pub synced_at: OffsetDateTime,
}

/// The workspaces of a project, those that spoke last first.
pub async fn list(connection: &mut PgConnection, project_id: ProjectId, limit: i64) -> sqlx::Result<Vec<Workspace>> {
    sqlx::query_as!(
        Workspace,
        r#"
        SELECT w.name, w.working_directory, w.cli_version, w.python_version, w.platform, w.git_remote_url,
               w.git_commit, w.git_dirty, k.name AS "key_name?", a.name AS "author?", w.synced_at
        FROM workspaces w
        LEFT JOIN api_keys k ON k.id = w.api_key_id
        LEFT JOIN accounts a ON a.id = k.created_by
        WHERE w.project_id = $1
        ORDER BY w.synced_at DESC, w.id
        LIMIT $2
        "#,
        project_id as ProjectId,
        limit,
    )
    .fetch_all(connection)
    .await
}
