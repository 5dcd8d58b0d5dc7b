//! What speaks with a project: each directory on some machine, what it last said, and with which key.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use time::OffsetDateTime;

use super::format::{self, Moment};
use super::people::Person;
use super::shell::{SettingsPage, Shell, project_url};
use super::{Look, page, terminal};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::error::Result;
use crate::services;
use crate::services::workspaces::Workspace;

/// So much of a commit is shown.
const COMMIT_CHARS: usize = 9;

#[derive(Template)]
#[template(path = "workspaces/list.html")]
struct WorkspacesPage {
    shell: Shell,
    base: String,
    project: String,
    workspaces: Vec<Row>,
    range: String,
}

/// A workspace in the list.
struct Row {
    name: String,
    directory: String,
    machine: String,
    versions: String,
    remote: String,
    /// The beginning of the commit.
    commit: Option<String>,
    /// Whether more was changed than the commit has.
    is_dirty: bool,
    key: Option<String>,
    author: Option<Person>,
    synced: Moment,
}

/// `GET /projects/{slug}/workspaces`
pub async fn list(State(app): State<AppState>, look: Look, member: ProjectMember) -> Result<Response> {
    let found = services::workspaces::list(&app, &member).await?;
    let now = app.clock.now();
    let count = i64::try_from(found.len()).unwrap_or_default();
    Ok(page(&WorkspacesPage {
        shell: Shell::of_settings(&app, look, &member, SettingsPage::Workspaces).await?,
        base: project_url(&member.project),
        project: terminal::clean(&member.project.name),
        range: format::counted(count, "workspace", "workspaces"),
        workspaces: found.into_iter().map(|workspace| Row::new(workspace, now)).collect(),
    }))
}

impl Row {
    fn new(workspace: Workspace, now: OffsetDateTime) -> Self {
        let clean = |text: Option<String>| text.map(|text| terminal::clean(&text)).unwrap_or_default();
        let version = |of: &str, version: Option<String>| {
            let version = clean(version);
            (!version.is_empty()).then(|| format!("{of} {version}"))
        };
        let versions = [version("otrace", workspace.cli_version), version("Python", workspace.python_version)];
        Self {
            name: terminal::clean(&workspace.name),
            directory: terminal::clean(&workspace.working_directory),
            machine: clean(workspace.platform),
            versions: versions.into_iter().flatten().collect::<Vec<_>>().join(", "),
            remote: terminal::clean(&without_credentials(workspace.git_remote_url.as_deref().unwrap_or_default())),
            commit: workspace.git_commit.map(|commit| terminal::clean(&format::short(&commit, COMMIT_CHARS))),
            is_dirty: workspace.git_dirty.unwrap_or_default(),
            key: workspace.key_name.map(|name| terminal::clean(&name)),
            author: workspace.author.map(|name| Person::new(&name)),
            synced: Moment::new(workspace.synced_at, now),
        }
    }
}

/// A repository's address without the password that may stand in it: `https://user:secret@host/path`.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_repositorys_address_is_not_shown() {
        assert_eq!(without_credentials("https://mira:s3@cret@git.example/kws.git"), "https://git.example/kws.git");
        assert_eq!(without_credentials("git@git.example:audio/kws.git"), "git@git.example:audio/kws.git");
        assert_eq!(without_credentials(""), "");
    }
}
