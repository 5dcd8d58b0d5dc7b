//! Search in all of one's projects, as a page and for the dialog that `static/jump.js` opens.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use otrace_wire::ExperimentId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::format::Moment;
use super::runs::StatusView;
use super::shell::Shell;
use super::{Look, page, terminal};
use crate::app::AppState;
use crate::auth::SignedIn;
use crate::error::Result;
use crate::extract::Query;
use crate::services;
use crate::services::search::{HITS_MAX, Hit};

#[derive(Template)]
#[template(path = "search/show.html")]
struct SearchPage {
    shell: Shell,
    /// What was asked, as it was typed.
    q: String,
    projects: Vec<ProjectHit>,
    runs: Vec<RunHit>,
    /// Whether there may be more than is shown.
    has_more: bool,
}

/// A project that was found.
struct ProjectHit {
    href: String,
    name: String,
    description: String,
}

/// A run that was found.
struct RunHit {
    href: String,
    experiment: String,
    heading: String,
    project: String,
    status: StatusView,
    at: Moment,
}

/// `?q=`
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
}

/// `GET /search`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    SignedIn { account, .. }: SignedIn,
    Query(Asked { q }): Query<Asked>,
) -> Result<Response> {
    let found = services::search::find(&app, &account, &q).await?;
    let has_more = i64::try_from(found.len()).unwrap_or_default() >= HITS_MAX;
    let (projects, runs) = sorted(found, app.clock.now());
    Ok(page(&SearchPage { shell: Shell::new(&app, look, Some(&account)), q, projects, runs, has_more }))
}

/// `{"hits": […]}`
#[derive(Serialize)]
struct Hits {
    hits: Vec<JumpHit>,
}

/// Something to jump to.
#[derive(Serialize)]
struct JumpHit {
    href: String,
    /// Its id or what kind of thing it is: `exp042`, `project`.
    label: String,
    /// What it is called.
    text: String,
    /// Where it is.
    about: String,
    /// Where a run stands, in words.
    status: Option<&'static str>,
}

/// `GET /search/hits`: the same for the dialog.
pub async fn hits(
    State(app): State<AppState>,
    SignedIn { account, .. }: SignedIn,
    Query(Asked { q }): Query<Asked>,
) -> Result<Response> {
    let found = services::search::find(&app, &account, &q).await?;
    let (projects, runs) = sorted(found, app.clock.now());
    let projects = projects.into_iter().map(|project| JumpHit {
        href: project.href,
        label: "project".to_owned(),
        text: project.name,
        about: project.description,
        status: None,
    });
    let runs = runs.into_iter().map(|run| JumpHit {
        href: run.href,
        label: run.experiment,
        text: run.heading,
        about: run.project,
        status: Some(run.status.label),
    });
    let mut response = Json(Hits { hits: projects.chain(runs).collect() }).into_response();
    // It is somebody's own.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What was found, by kind.
fn sorted(found: Vec<Hit>, now: OffsetDateTime) -> (Vec<ProjectHit>, Vec<RunHit>) {
    let (mut projects, mut runs) = (Vec::new(), Vec::new());
    for hit in found {
        match hit {
            Hit::Project { slug, name, description } => projects.push(ProjectHit {
                href: format!("/projects/{slug}/runs"),
                name: terminal::clean(&name),
                description: terminal::clean(description.lines().next().unwrap_or_default()),
            }),
            Hit::Run { slug, project, number, heading, status, created_at } => {
                let experiment = ExperimentId::new(number).to_string();
                runs.push(RunHit {
                    href: format!("/projects/{slug}/runs/{experiment}"),
                    experiment,
                    heading: terminal::clean(&heading),
                    project: terminal::clean(&project),
                    status: StatusView::new(status),
                    at: Moment::new(created_at, now),
                });
            }
        }
    }
    (projects, runs)
}
