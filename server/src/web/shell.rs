//! What every page needs beside its own content: the bar at the top, the theme, the account.

mod theme;

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum_extra::extract::cookie::CookieJar;
use time::OffsetDateTime;

use super::people::Person;
use super::{format, terminal};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::{Account, Project, Role};
use crate::error::Result;
use crate::services;

pub use self::theme::{KEYS_COOKIE, THEME_COOKIE, Theme};

/// What a request tells about the page around its content.
#[derive(Clone, Debug, Default)]
pub struct Look {
    theme: Theme,
    are_keys_off: bool,
    here: String,
    /// Whether the page is read with a page pass, in the local app of somebody's machine.
    is_in_local_app: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Look {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> std::result::Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl Look {
    /// Reads it off a request, for what answers without an extractor, such as error pages.
    pub fn of(parts: &Parts) -> Self {
        let jar = CookieJar::from_headers(&parts.headers);
        let theme = jar.get(THEME_COOKIE).map_or(Theme::System, |cookie| Theme::named(cookie.value()));
        let are_keys_off = jar.get(KEYS_COOKIE).is_some_and(|cookie| cookie.value() == "off");
        let here = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
        let is_in_local_app = parts.headers.contains_key(AUTHORIZATION);
        Self { theme, are_keys_off, here, is_in_local_app }
    }
}

/// What every page needs beside its own content.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The team's name, such as `Halden Lab`; else `Trace`.
    pub instance_name: String,
    /// What ends every title: `Halden Lab · Trace`.
    pub site: String,
    /// What the way to every page begins with: the team's name, else `Projects`.
    pub home: String,
    /// Its address without `http://`, as people say it.
    pub host: String,
    /// What stands in `data-theme`; `None`: the system decides.
    pub data_theme: Option<&'static str>,
    /// Whether single keys do nothing.
    pub are_keys_off: bool,
    /// The name of the theme.
    pub theme: &'static str,
    /// What the theme's button says.
    pub theme_label: &'static str,
    /// The theme that the button changes to.
    pub next_theme: &'static str,
    /// This page's own path, to come back to.
    pub here: String,
    /// Who is signed in.
    pub account: Option<ShellAccount>,
    /// The way to this page, below the server's name.
    pub crumbs: Vec<Crumb>,
    /// The project's tabs; none where the page belongs to no project.
    pub tabs: Vec<Tab>,
    /// The pages that stand beside this one.
    pub side: Option<SideNav>,
}

/// Who is signed in, as the bar shows it.
#[derive(Clone, Debug)]
pub struct ShellAccount {
    /// Name, initials and colour.
    pub person: Person,
    /// Whether it runs the server.
    pub is_admin: bool,
}

/// One step of the way to a page.
#[derive(Clone, Debug)]
pub struct Crumb {
    /// Where it leads.
    pub href: String,
    /// What it is called.
    pub label: String,
    /// Whether a machine gave that name.
    pub is_mono: bool,
    /// `aria-current` of it.
    pub current: Option<&'static str>,
}

/// One tab.
#[derive(Clone, Debug)]
pub struct Tab {
    /// Where it leads.
    pub href: String,
    /// What it is called.
    pub label: String,
    /// How many things it holds.
    pub count: Option<String>,
    /// Whether the page is below it.
    pub is_current: bool,
}

/// The tabs of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectTab {
    /// The list of runs, and each run.
    Runs,
    /// The tree of runs.
    Lineage,
    /// What was learned.
    Insights,
    /// All runs, told one after the other.
    Notebook,
    /// Members, keys, how to record from a machine.
    Settings,
}

/// The pages of a group, beside each of them.
#[derive(Clone, Debug)]
pub struct SideNav {
    /// What the group is called.
    pub label: &'static str,
    /// Its pages.
    pub links: Vec<SideLink>,
}

/// One page of a group.
#[derive(Clone, Debug)]
pub struct SideLink {
    /// Where it leads.
    pub href: String,
    /// What it is called.
    pub label: &'static str,
    /// Whether it is the page that is shown.
    pub is_current: bool,
}

/// The pages of a project's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsPage {
    /// Name, columns, directions, the end.
    General,
    /// Who is in the project.
    Members,
    /// The keys.
    Keys,
    /// How to record from a machine.
    Connect,
    /// Whom it tells of its runs.
    Webhooks,
    /// What speaks with the project.
    Workspaces,
    /// What it takes, and for how long it keeps that.
    Storage,
    /// Who did what.
    Audit,
}

/// The pages of those who run the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerPage {
    /// What it keeps, how people get in.
    Overview,
    /// Who has an account.
    Accounts,
    /// All projects.
    Projects,
    /// Who did what.
    Audit,
}

/// What a field offers: an option of a select, a radio button.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What it is called.
    pub label: String,
    /// Whether it is chosen.
    pub is_chosen: bool,
}

impl Choice {
    /// The roles of a project, with one of them chosen.
    pub fn roles(chosen: &str) -> Vec<Self> {
        let choice = |role: Role| Self {
            value: role.as_str().to_owned(),
            label: role.as_str().to_owned(),
            is_chosen: role.as_str() == chosen,
        };
        [Role::Viewer, Role::Editor, Role::Owner].map(choice).into()
    }
}

impl Shell {
    /// The page of someone, or of nobody in particular.
    pub fn new(app: &AppState, look: Look, account: Option<&Account>) -> Self {
        let public_url = app.config.public_url_str();
        let team = app.config.instance_name.as_deref();
        Self {
            instance_name: team.unwrap_or("Trace").to_owned(),
            site: team.map_or_else(|| "Trace".to_owned(), |team| format!("{team} · Trace")),
            home: team.unwrap_or("Projects").to_owned(),
            host: public_url.split_once("://").map_or(public_url, |(_, host)| host).to_owned(),
            data_theme: (look.theme != Theme::System).then(|| look.theme.name()),
            are_keys_off: look.are_keys_off,
            theme: look.theme.name(),
            theme_label: look.theme.label(),
            next_theme: look.theme.next().name(),
            here: look.here,
            // There an account's menu would lead nowhere.
            account: account
                .filter(|_| !look.is_in_local_app)
                .map(|account| ShellAccount { person: Person::new(&account.name), is_admin: account.is_admin }),
            crumbs: Vec::new(),
            tabs: Vec::new(),
            side: None,
        }
    }

    /// A page of a project, below one of its tabs.
    pub async fn of_project(app: &AppState, look: Look, member: &ProjectMember, tab: ProjectTab) -> Result<Self> {
        let run_count = services::runs::count_up_to_max(app, member.project.id).await?;
        // A project of a million runs is not counted for each of its pages.
        let more = if run_count >= services::runs::COUNTED_MAX { "+" } else { "" };
        let insights = services::history::count_insights(app, member.project.id).await?;
        let mut shell = Self::new(app, look, Some(&member.account));
        let base = project_url(&member.project);
        shell.crumbs.push(Crumb {
            href: format!("{base}/runs"),
            label: terminal::clean(&member.project.name),
            is_mono: false,
            current: Some("location"),
        });
        let entry = |this: ProjectTab, href: &str, label: &str, count: Option<String>| Tab {
            href: format!("{base}/{href}"),
            label: label.to_owned(),
            count,
            is_current: this == tab,
        };
        shell.tabs = vec![
            entry(ProjectTab::Runs, "runs", "Runs", Some(format!("{}{more}", format::count(run_count)))),
            entry(ProjectTab::Lineage, "lineage", "Lineage", None),
            entry(ProjectTab::Insights, "insights", "Insights", (insights > 0).then(|| format::count(insights))),
            entry(ProjectTab::Notebook, "notebook", "Notebook", None),
        ];
        if shell.account.is_some() {
            let settings = entry(ProjectTab::Settings, "members", "Settings", None);
            shell.tabs.push(settings);
        }
        Ok(shell)
    }

    /// A page of a project's settings.
    pub async fn of_settings(
        app: &AppState,
        look: Look,
        member: &ProjectMember,
        current: SettingsPage,
    ) -> Result<Self> {
        let shell = Self::of_project(app, look, member, ProjectTab::Settings).await?;
        let base = project_url(&member.project);
        let mut pages = vec![
            (SettingsPage::Members, "members", "Members"),
            (SettingsPage::Keys, "keys", "API keys"),
            (SettingsPage::Connect, "connect", "Connect"),
            (SettingsPage::Workspaces, "workspaces", "Workspaces"),
            (SettingsPage::Storage, "settings/storage", "Storage"),
        ];
        if member.role >= Role::Owner {
            pages.insert(0, (SettingsPage::General, "settings", "General"));
            pages.push((SettingsPage::Webhooks, "settings/webhooks", "Webhooks"));
            pages.push((SettingsPage::Audit, "audit", "Audit log"));
        }
        let link = |(this, path, label): (SettingsPage, &str, &'static str)| SideLink {
            href: format!("{base}/{path}"),
            label,
            is_current: this == current,
        };
        Ok(shell.beside("Settings", pages.into_iter().map(link).collect()))
    }

    /// A page of those who run the server.
    pub fn of_server(app: &AppState, look: Look, account: &Account, current: ServerPage) -> Self {
        let mut shell = Self::new(app, look, Some(account));
        shell.crumbs.push(Crumb {
            href: "/admin".to_owned(),
            label: "Server".to_owned(),
            is_mono: false,
            current: Some("location"),
        });
        let pages = [
            (ServerPage::Overview, "/admin", "Overview"),
            (ServerPage::Accounts, "/admin/accounts", "Accounts"),
            (ServerPage::Projects, "/admin/projects", "Projects"),
            (ServerPage::Audit, "/admin/audit", "Audit log"),
        ];
        let link = |(this, href, label): (ServerPage, &str, &'static str)| SideLink {
            href: href.to_owned(),
            label,
            is_current: this == current,
        };
        shell.beside("Server", pages.map(link).into())
    }

    /// Puts a page into its group. One that answers a form is found again at the group's address for it.
    fn beside(mut self, label: &'static str, links: Vec<SideLink>) -> Self {
        if let Some(page) = links.iter().find(|link| link.is_current) {
            let path = self.here.split('?').next().unwrap_or_default();
            if path != page.href {
                self.here.clone_from(&page.href);
            }
        }
        self.side = Some(SideNav { label, links });
        self
    }

    /// The page of one run, one step below its project.
    pub fn below(mut self, href: String, label: String) -> Self {
        if let Some(crumb) = self.crumbs.last_mut() {
            crumb.current = None;
        }
        self.crumbs.push(Crumb { href, label, is_mono: true, current: Some("page") });
        self
    }
}

/// Where a project's pages are.
pub fn project_url(project: &Project) -> String {
    format!("/projects/{}", project.slug)
}

/// Where a page hears of the project's runs, from the moment on that it was made.
pub fn live_url(project: &Project, made: OffsetDateTime) -> String {
    format!("{}/live?since={}", project_url(project), made.unix_timestamp_nanos() / 1000)
}

/// Whether a member may record, and make keys.
pub fn may_edit(member: &ProjectMember) -> bool {
    member.role >= Role::Editor
}
