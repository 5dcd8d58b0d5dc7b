//! What the local app shows and tells of its own: the workspace's page, the same as JSON for programs, and why
//! something is not shown.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use otrace_wire::identity::WhoamiProject;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::local_state::{Folder, LocalFiles, LocalRuns};
use super::{App, proxy};
use crate::error::{Error, Result};
use crate::printer;
use crate::printer::human;
use crate::spool::unsent::Unsent;
use crate::workspace::{TRACE_DIR, Workspace};

/// How long the workspace's page waits for what the server says of the project.
const PROJECT_WITHIN: Duration = Duration::from_secs(3);
const STYLE: &str = include_str!("../../../static/trace.css");
/// The cookie goes along only with what our own pages ask for, so that the first request has to come from one of them,
/// wherever the link was opened.
const BEGINNING: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta http-equiv=\"refresh\" content=\"0;url=/\">\n<title>Trace</title>\n\
    <p><a href=\"/\">Go on to the workspace</a></p>\n</html>\n";

/// The workspace's own page.
#[derive(Template)]
#[template(path = "workspace.html")]
struct WorkspacePage {
    theme: Option<&'static str>,
    name: String,
    path: String,
    server: String,
    has_own_server: bool,
    project: Option<ProjectLink>,
    /// Why there is no project, or what is odd about it.
    problem: Option<String>,
    active: Option<ActiveLink>,
    unsent: Vec<UnsentRow>,
    unreadable: Vec<String>,
    folders: Vec<FolderRow>,
    /// How much `.trace/` holds.
    kept: String,
}

/// The project, and where its pages begin.
struct ProjectLink {
    name: String,
    href: String,
}

/// The active experiment. It has a page once there is a project.
struct ActiveLink {
    name: String,
    href: Option<String>,
}

/// A run that the server lacks something of.
struct UnsentRow {
    name: String,
    command: String,
    recorded: String,
    recorded_iso: String,
    state: String,
    missing: String,
    bytes: String,
}

/// A folder of `.trace/`.
struct FolderRow {
    name: String,
    files: u64,
    bytes: String,
}

/// Why something is not shown.
#[derive(Template)]
#[template(path = "notice.html")]
struct NoticePage<'a> {
    theme: Option<&'static str>,
    name: String,
    title: &'a str,
    message: String,
}

/// `GET /`
pub async fn workspace(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let found = tokio::join!(project(&app), read(&app, LocalRuns::read), read(&app, LocalFiles::read));
    match found {
        (project, Ok(runs), Ok(files)) => page(&WorkspacePage::new(&app, &headers, project, &runs, &files)),
        (_, Err(error), _) | (_, _, Err(error)) => {
            notice(&app, StatusCode::INTERNAL_SERVER_ERROR, "The workspace can't be shown", &error, &headers)
        }
    }
}

/// `GET /local/trace.css`
pub async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// `GET /api/trace/status`: the workspace, its server and project, and how much is not sent.
pub async fn status(State(app): State<Arc<App>>) -> Response {
    let (project, runs, files) = tokio::join!(project(&app), read(&app, LocalRuns::read), read(&app, LocalFiles::read));
    let problem = problem(&app, &project);
    told(runs.and_then(|runs| {
        Ok(json!({
            "workspace": {"name": app.workspace.name(), "path": app.workspace.path_text()},
            "server": {"url": app.lender.server(), "is_started_here": app.has_own_server},
            "project": project.ok(),
            "problem": problem,
            "active": runs.active,
            "unsent_runs": runs.unsent.len(),
            "trace_bytes": files?.bytes,
        }))
    }))
}

/// `GET /api/trace/runs`: the active experiment, and the runs that the server lacks something of.
pub async fn runs(State(app): State<Arc<App>>) -> Response {
    told(read(&app, LocalRuns::read).await)
}

/// `GET /api/trace/files`: what `.trace/` holds.
pub async fn files(State(app): State<Arc<App>>) -> Response {
    told(read(&app, LocalFiles::read).await)
}

/// Leads a browser that has just got its cookie to the workspace's page.
pub fn beginning() -> Html<&'static str> {
    Html(BEGINNING)
}

/// Why a request does not get in. It comes from anybody, so nothing of the workspace is told.
pub fn refusal(uri: &Uri, why: &str) -> Response {
    if uri.path().starts_with("/api/") {
        return (StatusCode::FORBIDDEN, Json(json!({"ok": false, "error": why}))).into_response();
    }
    (StatusCode::FORBIDDEN, format!("{why}\n")).into_response()
}

/// A page that says why another one is not shown.
pub fn notice(app: &App, status: StatusCode, title: &str, error: &Error, headers: &HeaderMap) -> Response {
    let message = sentence(&error.to_string());
    let name = app.workspace.name();
    let mut response = page(&NoticePage { theme: theme(headers), name, title, message });
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    response
}

impl WorkspacePage {
    fn new(
        app: &App,
        headers: &HeaderMap,
        project: Result<WhoamiProject>,
        runs: &LocalRuns,
        files: &LocalFiles,
    ) -> Self {
        let problem = problem(app, &project).map(|problem| sentence(&problem));
        let project = project.ok().map(|project| ProjectLink {
            name: printer::clean(&project.name).into_owned(),
            href: format!("/projects/{}/runs", project.slug),
        });
        // The server does not have it yet.
        let is_only_here = |run: Uuid| runs.unsent.iter().any(|own| own.run_id == run && own.experiment_id.is_none());
        let active = runs.active.as_ref().map(|active| ActiveLink {
            name: printer::clean(&active.name).into_owned(),
            href: project
                .as_ref()
                .filter(|_| !is_only_here(active.run_id))
                .map(|project| format!("{}/{}", project.href, active.run_id)),
        });
        let folder = |folder: &Folder| FolderRow {
            name: printer::clean(&folder.name).into_owned(),
            files: folder.files,
            bytes: printer::bytes(folder.bytes),
        };
        Self {
            theme: theme(headers),
            name: app.workspace.name(),
            path: app.workspace.path_text(),
            server: app.lender.server().to_owned(),
            has_own_server: app.has_own_server,
            project,
            problem,
            active,
            unsent: runs.unsent.iter().map(UnsentRow::new).collect(),
            unreadable: runs.problems.iter().map(|problem| sentence(problem)).collect(),
            folders: files.folders.iter().filter(|folder| folder.files > 0).map(folder).collect(),
            kept: printer::bytes(files.bytes),
        }
    }
}

impl UnsentRow {
    fn new(run: &Unsent) -> Self {
        let recorded = OffsetDateTime::parse(&run.recorded_at, &Rfc3339).ok();
        Self {
            name: printer::clean(&run.name).into_owned(),
            command: printer::clean(&run.command).into_owned(),
            recorded: recorded.map_or_else(|| "unknown".to_owned(), |time| format!("{} UTC", human::moment(time))),
            recorded_iso: recorded.map(human::rfc3339).unwrap_or_default(),
            state: run.state_in_words(),
            missing: run.missing.join(", "),
            bytes: printer::bytes(run.bytes),
        }
    }
}

/// The key's project, if the server tells it soon.
async fn project(app: &App) -> Result<WhoamiProject> {
    let server = app.lender.server();
    let late = || Error::new(format!("the server at {server} has not answered yet")).with_hint("Load the page again.");
    tokio::time::timeout(PROJECT_WITHIN, app.lender.project()).await.unwrap_or_else(|_| Err(late()))
}

/// Why there is no project, or that the settings mean another one.
fn problem(app: &App, project: &Result<WhoamiProject>) -> Option<String> {
    match project {
        Ok(project) => app.settings.disagreement(project),
        Err(error) => Some(error.to_string()),
    }
}

/// Reads the disk while others are answered.
async fn read<T: Send + 'static>(app: &App, read: fn(&Workspace) -> T) -> Result<T> {
    let workspace = app.workspace.clone();
    let read = tokio::task::spawn_blocking(move || read(&workspace)).await;
    read.map_err(|error| Error::new(format!("could not look at {TRACE_DIR}: {error}")))
}

fn told<T: Serialize>(found: Result<T>) -> Response {
    match found {
        Ok(found) => Json(found).into_response(),
        Err(error) => {
            let body = json!({"ok": false, "error": error.to_string()});
            (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
        }
    }
}

fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// What stands in `data-theme`; `None`: the system decides.
fn theme(headers: &HeaderMap) -> Option<&'static str> {
    proxy::theme(headers).filter(|theme| *theme != "system")
}

/// What went wrong, as it begins a page.
fn sentence(text: &str) -> String {
    let text = printer::clean(text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
