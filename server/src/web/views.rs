//! Views of the list of runs that members keep under names: saving one and removing one. The list shows them.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::runs::list::{self, Told, View, ViewDraft};
use super::shell::project_url;
use super::{Look, is_told_in_place};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::error::{AppError, Result};
use crate::extract::{Form, Path};
use crate::services;

/// What the form sends.
#[derive(Deserialize)]
pub struct NewView {
    #[serde(default)]
    name: String,
    /// The parameters of the list that it stands on.
    #[serde(default)]
    parameters: String,
    /// Present: for all members.
    shared: Option<String>,
}

/// `POST /projects/{slug}/views`
pub async fn save(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(form): Form<NewView>,
) -> Result<Response> {
    // Read and written anew: what is kept is an address of the list and nothing else.
    let view = View::read_text(&form.parameters);
    let is_shared = form.shared.is_some();
    match services::saved_views::save(&app, &member, &form.name, &view.parameters(), is_shared).await {
        Ok(()) => Ok(Redirect::to(&view.url(&project_url(&member.project))).into_response()),
        Err(error) if is_told_in_place(&error) => {
            let draft = ViewDraft { name: form.name, is_shared, error: Some(error.message()) };
            let parameters: Vec<(String, String)> =
                form_urlencoded::parse(view.parameters().as_bytes()).into_owned().collect();
            list::refused(&app, look, &member, &parameters, &error, Told { draft, alert: None }).await
        }
        Err(error) => Err(error),
    }
}

/// `POST /projects/{slug}/views/{view}/delete`
pub async fn delete(
    State(app): State<AppState>,
    member: ProjectMember,
    Path((_slug, view)): Path<(String, String)>,
) -> Result<Response> {
    let id: Uuid = view.parse().map_err(|_| AppError::NotFound("View"))?;
    services::saved_views::delete(&app, &member, id).await?;
    Ok(Redirect::to(&format!("{}/runs", project_url(&member.project))).into_response())
}
