//! A new project, and with it its first key.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::connect;
use crate::app::AppState;
use crate::auth::{ProjectMember, SignedIn};
use crate::domain::Role;
use crate::domain::text::normalize_name;
use crate::error::{AppError, Result};
use crate::extract::Form;
use crate::services;
use crate::services::api_keys::NewKeyInput;
use crate::services::projects::NewProject;
use crate::web::shell::{Look, Shell};
use crate::web::{form_again, is_told_in_place, page, refused_in_place};

/// What the key is called that comes with a project.
const FIRST_KEY: &str = "first key";

#[derive(Template)]
#[template(path = "projects/new.html")]
struct NewPage {
    shell: Shell,
    name: String,
    description: String,
    name_error: Option<String>,
    description_error: Option<String>,
    /// What stood in the way beside the two fields.
    alert: Option<String>,
}

/// `GET /projects/new`
pub async fn show(State(app): State<AppState>, look: Look, signed_in: SignedIn) -> Response {
    let shell = Shell::new(&app, look, Some(&signed_in.account));
    let (name, description) = (String::new(), String::new());
    page(&NewPage { shell, name, description, name_error: None, description_error: None, alert: None })
}

/// What the form sends.
#[derive(Deserialize)]
pub struct NewForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
}

/// `POST /projects`
pub async fn create(
    State(app): State<AppState>,
    look: Look,
    signed_in: SignedIn,
    Form(form): Form<NewForm>,
) -> Result<Response> {
    let actor = signed_in.actor();
    let SignedIn { account, client, .. } = signed_in;
    let name_error = normalize_name(&form.name).err().map(|invalid| invalid.0.to_owned());
    let new = NewProject { name: form.name.clone(), description: form.description.clone() };
    let again = NewPage {
        shell: Shell::new(&app, look.clone(), Some(&account)),
        name: form.name,
        description: form.description,
        name_error,
        description_error: None,
        alert: None,
    };
    if again.name_error.is_some() {
        return Ok(form_again(&again));
    }
    let project = match services::projects::create(&app, &account, &actor, new).await {
        Ok(project) => project,
        Err(refused) if is_told_in_place(&refused) => {
            let message = Some(refused.message());
            let again = match refused {
                AppError::Conflict(_) => NewPage { name_error: message, ..again },
                AppError::Invalid(_) => NewPage { description_error: message, ..again },
                _ => NewPage { alert: message, ..again },
            };
            return Ok(refused_in_place(&refused, &again));
        }
        Err(refused) => return Err(refused),
    };
    let member = ProjectMember { account, project, role: Role::Owner, client };
    let key = services::api_keys::create(&app, &member, NewKeyInput::named(FIRST_KEY)).await?;
    connect::with_key(&app, look, &member, key).await
}
