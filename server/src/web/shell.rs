//! What every page needs beside its own content: the bar at the top, the theme, the account.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
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

/// The cookie that holds the theme.
pub const THEME_COOKIE: &str = "theme";

/// How the reader wants pages to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the reader's system does.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The theme by its name; whatever else it is follows the system.
    pub fn named(name: &str) -> Self {
        match name {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    /// Its name in the cookie, in forms and in `data-theme`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What a button says of it.
    const fn label(self) -> &'static str {
        match self {
            Self::System => "Theme: follow system",
            Self::Light => "Theme: light",
            Self::Dark => "Theme: dark",
        }
    }

    /// The theme that the button in the menu changes to.
    const fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }
}

/// What a request tells about the page around its content.
#[derive(Clone, Debug, Default)]
pub struct Look {
    theme: Theme,
    here: String,
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
        let here = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
        Self { theme, here }
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
}

/// Who is signed in, as the bar shows it.
#[derive(Clone, Debug)]
pub struct ShellAccount {
    /// Name, initials and colour.
    pub person: Person,
    /// The address that it signs in with.
    pub email: String,
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
    /// The keys.
    Keys,
    /// How to record from a machine.
    Connect,
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
            theme: look.theme.name(),
            theme_label: look.theme.label(),
            next_theme: look.theme.next().name(),
            here: look.here,
            account: account
                .map(|account| ShellAccount { person: Person::new(&account.name), email: account.email.clone() }),
            crumbs: Vec::new(),
            tabs: Vec::new(),
        }
    }

    /// A page of a project, below one of its tabs.
    pub async fn of_project(app: &AppState, look: Look, member: &ProjectMember, tab: ProjectTab) -> Result<Self> {
        let run_count = services::projects::run_count(app, member.project.id).await?;
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
            entry(ProjectTab::Runs, "runs", "Runs", Some(format::count(run_count))),
            entry(ProjectTab::Keys, "keys", "Keys", None),
            entry(ProjectTab::Connect, "connect", "Connect", None),
        ];
        Ok(shell)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_button_goes_through_all_themes() {
        let mut theme = Theme::System;
        for expected in ["light", "dark", "system"] {
            theme = theme.next();
            assert_eq!(theme.name(), expected);
            assert_eq!(Theme::named(expected), theme);
        }
        assert_eq!(Theme::named("<script>"), Theme::System);
    }
}
