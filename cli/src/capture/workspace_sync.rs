//! What the server is told about the workspace that speaks.

use otrace_wire::WorkspaceSync;

use crate::capture::git::GitFacts;
use crate::capture::machine;
use crate::workspace::Workspace;

/// The workspace, as it is now.
pub fn describe(workspace: &Workspace, git: Option<&GitFacts>) -> WorkspaceSync {
    WorkspaceSync {
        workspace_name: workspace.name(),
        working_directory: workspace.path_text(),
        cli_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        platform: machine::describe().platform,
        git_remote_url: git.and_then(|git| git.remote_url.clone()),
        git_commit: git.and_then(|git| git.commit.clone()),
        git_dirty: git.map(|git| git.dirty),
        ..WorkspaceSync::default()
    }
}
