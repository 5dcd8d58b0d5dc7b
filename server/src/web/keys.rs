//! The keys of a project: the list, a new one, revoking one.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use time::OffsetDateTime;

use super::format::{self, Moment};
use super::people::Person;
use super::projects::connect::Connect;
use super::shell::{ProjectTab, Shell, may_edit, project_url};
use super::{Look, form_again, page, page_with_secret, terminal};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::text::normalize_name;
use crate::domain::{ApiKey, ApiKeyId, Role};
use crate::error::{AppError, Result};
use crate::extract::{Form, Path};
use crate::services;

#[derive(Template)]
#[template(path = "keys/list.html")]
struct ListPage {
    shell: Shell,
    base: String,
    project: String,
    may_edit: bool,
    keys: Vec<Row>,
    name: String,
    name_error: Option<String>,
}

/// A key in the list.
struct Row {
    id: String,
    name: String,
    prefix: String,
    made_by: Person,
    made: Moment,
    last_used: Option<Moment>,
    expires: Option<String>,
    /// Why it opens nothing any more.
    ended: Option<String>,
}

impl Row {
    fn new(key: ApiKey, now: OffsetDateTime) -> Self {
        let revoked = key.revoked_at.map(|at| format!("revoked {}", format::date(at)));
        let expired = key.expires_at.filter(|at| *at <= now).map(|at| format!("expired {}", format::date(at)));
        Self {
            id: key.id.to_string(),
            name: terminal::clean(&key.name),
            prefix: key.prefix,
            made_by: Person::new(&key.created_by),
            made: Moment::new(key.created_at, now),
            last_used: key.last_used_at.map(|at| Moment::new(at, now)),
            expires: key.expires_at.map(format::date),
            ended: revoked.or(expired),
        }
    }
}

async fn list_page(app: &AppState, look: Look, member: &ProjectMember) -> Result<ListPage> {
    let keys = services::api_keys::list(app, member.project.id).await?;
    let now = app.clock.now();
    Ok(ListPage {
        shell: Shell::of_project(app, look, member, ProjectTab::Keys).await?,
        base: project_url(&member.project),
        project: terminal::clean(&member.project.name),
        may_edit: may_edit(member),
        keys: keys.into_iter().map(|key| Row::new(key, now)).collect(),
        name: String::new(),
        name_error: None,
    })
}

/// `GET /projects/{slug}/keys`
pub async fn list(State(app): State<AppState>, look: Look, member: ProjectMember) -> Result<Response> {
    Ok(page(&list_page(&app, look, &member).await?))
}

/// What the form of a new key sends.
#[derive(Deserialize)]
pub struct NewKeyForm {
    #[serde(default)]
    name: String,
}

#[derive(Template)]
#[template(path = "keys/created.html")]
struct CreatedPage {
    shell: Shell,
    connect: Connect,
}

/// `POST /projects/{slug}/keys`
pub async fn create(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(form): Form<NewKeyForm>,
) -> Result<Response> {
    member.require(Role::Editor)?;
    let made = match normalize_name(&form.name) {
        Ok(name) => services::api_keys::create(&app, &member, &name).await,
        Err(invalid) => Err(AppError::Invalid(invalid.0.into())),
    };
    match made {
        Ok(key) => {
            let shell = Shell::of_project(&app, look, &member, ProjectTab::Keys).await?;
            let connect = Connect::new(&app, &member, Some(key)).await?;
            Ok(page_with_secret(&CreatedPage { shell, connect }))
        }
        Err(refused @ (AppError::Invalid(_) | AppError::Conflict(_))) => {
            let list = list_page(&app, look, &member).await?;
            Ok(form_again(&ListPage { name: form.name, name_error: Some(refused.message()), ..list }))
        }
        Err(refused) => Err(refused),
    }
}

/// `POST /projects/{slug}/keys/{key}/revoke`
pub async fn revoke(
    State(app): State<AppState>,
    member: ProjectMember,
    Path((_slug, key)): Path<(String, String)>,
) -> Result<Response> {
    member.require(Role::Editor)?;
    let id = key.parse().map(ApiKeyId).map_err(|_| AppError::NotFound("Key"))?;
    services::api_keys::revoke(&app, &member, id).await?;
    Ok(Redirect::to(&format!("{}/keys", project_url(&member.project))).into_response())
}
