//! A run that is not there: one that was deleted says so and can be restored, for another the nearest ones are named.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use otrace_wire::ExperimentId;

use super::RunLink;
use crate::app::AppState;
use crate::auth::{ProjectReader, RenewedToken};
use crate::domain::RunRef;
use crate::error::{AppError, ResponseError, Result};
use crate::extract::Path;
use crate::services;
use crate::services::standing::Missing;
use crate::web::format::Moment;
use crate::web::shell::{Look, ProjectTab, Shell, may_edit, project_url};
use crate::web::{terminal, with_status};

#[derive(Template)]
#[template(path = "runs/gone.html")]
struct GonePage {
    shell: Shell,
    /// Where the pages of the project are.
    project: String,
    /// What was asked for, where it is a run's number.
    experiment: Option<String>,
    deleted: Option<DeletedView>,
    nearest: Vec<RunLink>,
    may_edit: bool,
}

/// A run that was deleted.
struct DeletedView {
    experiment: String,
    heading: String,
    at: Moment,
}

/// Around the pages of runs: in the place of a run that is not found stands what there is instead.
pub async fn explain(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut asker = parts.clone();
    // What is asked here once more renews nothing.
    asker.extensions.remove::<RenewedToken>();
    let response = next.run(Request::from_parts(parts, body)).await;
    let error = response.extensions().get::<ResponseError>();
    let is_gone = error.is_some_and(|ResponseError(error)| matches!(**error, AppError::NotFound("Run")));
    if !is_gone || asker.method != Method::GET {
        return response;
    }
    page_of(&app, &mut asker).await.unwrap_or(response)
}

async fn page_of(app: &AppState, asker: &mut Parts) -> Result<Response> {
    let look = Look::of(asker);
    let ProjectReader { member, .. } = ProjectReader::from_request_parts(asker, app).await?;
    let Path(names) = Path::<HashMap<String, String>>::from_request_parts(asker, app).await?;
    let run: Option<RunRef> = names.get("run").and_then(|name| name.parse().ok());
    let missing = services::standing::missing(app, member.project.id, run).await?;
    let project = project_url(&member.project);
    let (deleted, nearest) = match missing {
        Missing::Deleted(run) => {
            let deleted = DeletedView {
                experiment: ExperimentId::new(run.number).to_string(),
                heading: terminal::clean(&run.heading),
                at: Moment::new(run.deleted_at, app.clock.now()),
            };
            (Some(deleted), Vec::new())
        }
        Missing::Unknown(nearest) => (None, nearest.iter().map(|run| RunLink::new(&project, run)).collect()),
    };
    let experiment = match run {
        Some(RunRef::Experiment(experiment)) => Some(experiment.to_string()),
        _ => None,
    };
    let shell = Shell::of_project(app, look, &member, ProjectTab::Runs).await?;
    let may_edit = may_edit(&member);
    Ok(with_status(StatusCode::NOT_FOUND, &GonePage { shell, project, experiment, deleted, nearest, may_edit }))
}
