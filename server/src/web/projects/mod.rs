//! The projects: their list, a new one, how a machine is connected to one, what its owners settle, and those that
//! were deleted.

pub mod connect;
pub mod deleted;
pub mod list;
pub mod new;
pub mod settings;
pub mod storage;
pub mod webhooks;

use axum::extract::State;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse, Redirect, Response};

use super::shell::{Look, project_url};
use crate::app::AppState;
use crate::auth::{MaybeSignedIn, ProjectReader, SignedIn};
use crate::error::{AppError, Result};
use crate::extract::Query;
use crate::services;

/// `GET /projects`: the list is the first page; with `?deleted=1`, those that can be brought back.
pub async fn index(
    State(app): State<AppState>,
    look: Look,
    MaybeSignedIn(signed_in): MaybeSignedIn,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response> {
    if !parameters.iter().any(|(name, value)| name == "deleted" && value == "1") {
        return Ok(Redirect::to("/").into_response());
    }
    let signed_in = signed_in.ok_or(AppError::SignedOut("Sign in first.".into()))?;
    deleted::show(&app, look, &signed_in.account).await
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
