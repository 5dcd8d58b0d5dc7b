//! How a machine is connected to a project: the key, the commands, and the wait for the first run.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::Scope;
use crate::error::Result;
use crate::services;
use crate::services::api_keys::NewKey;
use crate::web::format::{self, Moment};
use crate::web::shell::{Look, SettingsPage, Shell, live_url, may_edit, project_url};
use crate::web::{page, page_with_secret, terminal};

#[derive(Template)]
#[template(path = "projects/connect.html")]
struct ConnectPage {
    shell: Shell,
    connect: Connect,
}

/// What it takes to record from a machine; shared with the page of a new key.
pub struct Connect {
    /// Where the project's pages are.
    pub base: String,
    /// Where the page hears of the project's runs.
    pub live_url: String,
    /// The project's name.
    pub project: String,
    /// The server's address, for the machine.
    pub api_url: String,
    /// The new key; `None` where this page makes none.
    pub key: Option<ShownKey>,
    /// Whether the reader may make keys.
    pub may_create: bool,
    /// `first`, or `next` once there are runs.
    pub awaited: &'static str,
    /// Since when the page listens.
    pub since: Moment,
}

/// A key, on the one page that ever shows it.
pub struct ShownKey {
    /// Where it lives, in its maker's words.
    pub name: String,
    /// The key.
    pub key: String,
    /// What of it is shown from now on.
    pub prefix: String,
    /// What it lets a machine do: `record runs`, `read runs`.
    pub allows: &'static str,
    /// `never expires`, `expires 12 Aug 2026`.
    pub expiry: String,
}

impl Connect {
    /// What `member` needs for their project.
    pub async fn new(app: &AppState, member: &ProjectMember, key: Option<NewKey>) -> Result<Self> {
        let run_count = services::projects::run_count(app, member.project.id).await?;
        let now = app.clock.now();
        Ok(Self {
            base: project_url(&member.project),
            live_url: live_url(&member.project, now),
            project: terminal::clean(&member.project.name),
            api_url: app.config.public_url_str().to_owned(),
            key: key.map(ShownKey::new),
            may_create: may_edit(member),
            awaited: if run_count == 0 { "first" } else { "next" },
            since: Moment::new(now, now),
        })
    }
}

impl ShownKey {
    fn new(NewKey { key, record }: NewKey) -> Self {
        let expiry =
            record.expires_at.map_or_else(|| "never expires".to_owned(), |at| format!("expires {}", format::date(at)));
        let allows = match record.scope {
            Scope::Read => "read runs",
            Scope::Write => "record runs",
        };
        Self { name: terminal::clean(&record.name), key, prefix: record.prefix, allows, expiry }
    }
}

/// `GET /projects/{slug}/connect`
pub async fn show(State(app): State<AppState>, look: Look, member: ProjectMember) -> Result<Response> {
    services::projects::visit(&app, &member).await?;
    let shell = Shell::of_settings(&app, look, &member, SettingsPage::Connect).await?;
    let connect = Connect::new(&app, &member, None).await?;
    Ok(page(&ConnectPage { shell, connect }))
}

/// The page with a key on it, which answers the form that made the key.
pub async fn with_key(app: &AppState, look: Look, member: &ProjectMember, key: NewKey) -> Result<Response> {
    services::projects::visit(app, member).await?;
    let shell = Shell::of_settings(app, look, member, SettingsPage::Connect).await?;
    let connect = Connect::new(app, member, Some(key)).await?;
    Ok(page_with_secret(&ConnectPage { shell, connect }))
}
