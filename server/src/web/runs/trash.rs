//! Deleting a run, after a question, and getting it back.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use otrace_wire::ExperimentId;

use super::{RunHeader, RunTab, open, run_ref};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::Role;
use crate::error::Result;
use crate::extract::Path;
use crate::services;
use crate::web::page;
use crate::web::shell::{Look, Shell, project_url};

#[derive(Template)]
#[template(path = "runs/delete.html")]
struct DeletePage {
    shell: Shell,
    head: RunHeader,
}

/// `GET /projects/{slug}/runs/{run}/delete`
pub async fn ask(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, run)): Path<(String, String)>,
) -> Result<Response> {
    member.require(Role::Editor)?;
    let (shell, head, _) = open(&app, look, &member, &run, RunTab::Overview).await?;
    Ok(page(&DeletePage { shell, head }))
}

/// `POST /projects/{slug}/runs/{run}/delete`. The page in its place says that it is deleted, and takes it back.
pub async fn delete(
    State(app): State<AppState>,
    member: ProjectMember,
    Path((_slug, run)): Path<(String, String)>,
) -> Result<Response> {
    member.require(Role::Editor)?;
    let experiment = services::standing::experiment(&app, member.project.id, run_ref(&run)?).await?;
    services::runs::delete_selected(&app, &member, &[experiment]).await?;
    Ok(to_run(&member, experiment))
}

/// `POST /projects/{slug}/runs/{run}/restore`
pub async fn restore(
    State(app): State<AppState>,
    member: ProjectMember,
    Path((_slug, run)): Path<(String, String)>,
) -> Result<Response> {
    member.require(Role::Editor)?;
    let experiment = services::standing::experiment(&app, member.project.id, run_ref(&run)?).await?;
    services::runs::restore_selected(&app, &member, &[experiment]).await?;
    Ok(to_run(&member, experiment))
}

fn to_run(member: &ProjectMember, experiment: ExperimentId) -> Response {
    Redirect::to(&format!("{}/runs/{experiment}", project_url(&member.project))).into_response()
}
