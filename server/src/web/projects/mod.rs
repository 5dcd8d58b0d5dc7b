//! The projects: their list, a new one, and how a machine is connected to one.

pub mod connect;
pub mod list;
pub mod new;

use axum::extract::State;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse, Redirect, Response};

use super::shell::project_url;
use crate::app::AppState;
use crate::auth::{ProjectReader, SignedIn};
use crate::error::Result;
use crate::services;

/// `GET /projects`: the list is the first page.
pub async fn index() -> Redirect {
    Redirect::to("/")
}

/// `GET /projects/{slug}`: a project opens with its runs.
pub async fn show(ProjectReader { member, .. }: ProjectReader) -> Response {
    Redirect::to(&format!("{}/runs", project_url(&member.project))).into_response()
}

/// `GET /projects/current/…`, as published clients print it: the project that its asker opened last.
pub async fn current(State(app): State<AppState>, SignedIn { account, .. }: SignedIn, uri: Uri) -> Result<Redirect> {
    let Some(slug) = services::projects::current_slug(&app, &account).await? else {
        return Ok(Redirect::to("/projects/new"));
    };
    let here = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let rest = here.strip_prefix("/projects/current").unwrap_or_default();
    Ok(Redirect::to(&format!("/projects/{slug}{rest}")))
}
