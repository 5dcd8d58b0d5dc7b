//! All projects, by what they take; what is in them is their members' business.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{After, Pager};
use crate::app::AppState;
use crate::auth::{Admin, SignedIn};
use crate::error::{AppError, Result};
use crate::extract::{Form, Path, Query};
use crate::services;
use crate::store::projects::StoredProject;
use crate::web::format::{self, Moment};
use crate::web::inviting::role_named;
use crate::web::shell::{Look, ServerPage, Shell, project_url};
use crate::web::{is_told_in_place, page, refused_in_place, terminal};

const HERE: &str = "/admin/projects";

#[derive(Template)]
#[template(path = "admin/projects.html")]
struct ProjectsPage {
    shell: Shell,
    projects: Vec<Row>,
    pager: Pager,
    /// Why something was not done.
    alert: Option<String>,
}

/// A project in the list.
struct Row {
    slug: String,
    name: String,
    owners: String,
    members: String,
    runs: String,
    size: String,
    last_run: Option<Moment>,
}

impl Row {
    fn new(stored: StoredProject, now: OffsetDateTime) -> Self {
        Self {
            name: terminal::clean(&stored.project.name),
            owners: terminal::clean(&stored.owners.join(", ")),
            members: format::count(stored.member_count),
            runs: format::count(stored.run_count),
            size: format::size(stored.stored_bytes),
            last_run: stored.last_run_at.map(|at| Moment::new(at, now)),
            slug: stored.project.slug,
        }
    }
}

async fn projects_page(app: &AppState, look: Look, admin: &SignedIn, after: &str) -> Result<ProjectsPage> {
    let stored = services::admin::projects(app, admin, after).await?;
    let last = stored.last().map(|stored| stored.project.slug.as_str());
    let pager = Pager::new(HERE, after, stored.len(), last);
    let now = app.clock.now();
    Ok(ProjectsPage {
        shell: Shell::of_server(app, look, &admin.account, ServerPage::Projects),
        pager,
        projects: stored.into_iter().map(|stored| Row::new(stored, now)).collect(),
        alert: None,
    })
}

/// `GET /admin/projects`
pub async fn list(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Query(after): Query<After>,
) -> Result<Response> {
    Ok(page(&projects_page(&app, look, &admin, &after.text()).await?))
}

/// As what to enter.
#[derive(Deserialize)]
pub struct EnterForm {
    #[serde(default)]
    role: String,
}

/// `POST /admin/projects/{slug}/enter`
pub async fn enter(
    State(app): State<AppState>,
    look: Look,
    Admin(admin): Admin,
    Path(slug): Path<String>,
    Form(form): Form<EnterForm>,
) -> Result<Response> {
    // No slug holds a NUL, and the database could not be asked for one.
    if slug.contains('\0') {
        return Err(AppError::NotFound("Project"));
    }
    let entered = match role_named(&form.role) {
        Ok(role) => services::admin::enter_project(&app, &admin, &slug, role).await,
        Err(refused) => Err(refused),
    };
    match entered {
        Ok(project) => Ok(Redirect::to(&format!("{}/runs", project_url(&project))).into_response()),
        Err(refused) if is_told_in_place(&refused) => {
            let list = projects_page(&app, look, &admin, "").await?;
            Ok(refused_in_place(&refused, &ProjectsPage { alert: Some(refused.message()), ..list }))
        }
        Err(refused) => Err(refused),
    }
}
