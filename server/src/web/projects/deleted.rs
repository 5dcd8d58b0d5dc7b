//! Deleted projects: what they were, until when they can be brought back, and bringing one back.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use time::OffsetDateTime;

use crate::app::AppState;
use crate::auth::SignedIn;
use crate::domain::Account;
use crate::error::Result;
use crate::extract::Path;
use crate::services;
use crate::services::projects::{DeletedProject, RESTORABLE};
use crate::web::format::{self, Moment};
use crate::web::shell::{Look, Shell, project_url};
use crate::web::{page, terminal};

#[derive(Template)]
#[template(path = "projects/deleted.html")]
struct DeletedPage {
    shell: Shell,
    projects: Vec<Row>,
}

/// A project that can be brought back.
struct Row {
    name: String,
    slug: String,
    restore_url: String,
    runs: String,
    at: Moment,
    by: String,
    /// The day after which it can't.
    until: String,
}

/// The page; [`super::index`] has the route.
pub async fn show(app: &AppState, look: Look, account: &Account) -> Result<Response> {
    let deleted = services::projects::deleted(app, account).await?;
    let now = app.clock.now();
    let projects = deleted.into_iter().map(|project| Row::new(project, now)).collect();
    Ok(page(&DeletedPage { shell: Shell::new(app, look, Some(account)), projects }))
}

impl Row {
    fn new(project: DeletedProject, now: OffsetDateTime) -> Self {
        Self {
            restore_url: format!("/projects/{}/restore", project.slug),
            name: terminal::clean(&project.name),
            slug: project.slug,
            runs: format::counted(project.run_count, "run", "runs"),
            at: Moment::new(project.deleted_at, now),
            by: project.deleted_by.map(|name| terminal::clean(&name)).unwrap_or_default(),
            until: format::date(project.deleted_at + RESTORABLE),
        }
    }
}

/// `POST /projects/{slug}/restore`
pub async fn restore(State(app): State<AppState>, signed_in: SignedIn, Path(slug): Path<String>) -> Result<Response> {
    let project = services::projects::restore(&app, &signed_in, &slug).await?;
    Ok(Redirect::to(&format!("{}/runs", project_url(&project))).into_response())
}
