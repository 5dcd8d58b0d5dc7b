//! What is done to the runs that were chosen in a list: compared, tagged, deleted, brought back.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use otrace_wire::ExperimentId;
use url::form_urlencoded;

use super::{Told, View, refused};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::text::without_nul;
use crate::error::{AppError, Result};
use crate::extract::Form;
use crate::services;
use crate::web::is_told_in_place;
use crate::web::shell::{Look, project_url};

/// What the form of the list sends.
struct Chosen {
    runs: Vec<ExperimentId>,
    act: String,
    tag: String,
    /// The parameters of the list that it was sent from.
    back: Vec<(String, String)>,
}

impl Chosen {
    fn read(fields: &[(String, String)]) -> Self {
        let value = |wanted: &str| {
            let found = fields.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| without_nul(value.trim())).unwrap_or_default()
        };
        let runs = fields.iter().filter(|(name, _)| name == "ids").filter_map(|(_, id)| id.parse().ok());
        let back = value("back");
        let mut chosen = Self {
            runs: runs.collect(),
            act: value("act"),
            tag: value("tag"),
            back: form_urlencoded::parse(back.as_bytes()).into_owned().collect(),
        };
        // Enter in the field of the tag presses no button.
        if chosen.act.is_empty() {
            if chosen.tag.is_empty() { "compare" } else { "tag" }.clone_into(&mut chosen.act);
        }
        chosen
    }

    /// The list that it was sent from, which tells what was done.
    fn back_with(&self, base: &str, what: &str, count: usize) -> String {
        let url = View::read(&self.back).url(base);
        let between = if url.contains('?') { '&' } else { '?' };
        format!("{url}{between}done={what}.{count}")
    }
}

/// `POST /projects/{slug}/runs/selected`
pub async fn act(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let chosen = Chosen::read(&fields);
    match done(&app, &member, &chosen).await {
        Ok(url) => Ok(Redirect::to(&url).into_response()),
        Err(error) if is_told_in_place(&error) && chosen.act != "restore" => {
            let told = Told { alert: Some(error.message()), ..Told::default() };
            refused(&app, look, &member, &chosen.back, &error, told).await
        }
        Err(error) => Err(error),
    }
}

/// Does it, and returns where to go then.
async fn done(app: &AppState, member: &ProjectMember, chosen: &Chosen) -> Result<String> {
    let (base, runs) = (project_url(&member.project), &chosen.runs);
    match chosen.act.as_str() {
        "compare" if runs.len() < 2 => Err(AppError::invalid("Choose two or more runs to compare.")),
        "compare" => {
            let ids: Vec<String> = runs.iter().map(ToString::to_string).collect();
            Ok(format!("{base}/compare?ids={}", ids.join(",")))
        }
        "tag" if chosen.tag.is_empty() => Err(AppError::invalid("Write the tag to put on the chosen runs.")),
        "tag" => {
            let count = services::runs::tag_selected(app, member, runs, &chosen.tag).await?;
            Ok(chosen.back_with(&base, "tagged", count))
        }
        "delete" => {
            let count = services::runs::delete_selected(app, member, runs).await?;
            Ok(chosen.back_with(&base, "deleted", count))
        }
        "restore" => {
            let count = services::runs::restore_selected(app, member, runs).await?;
            Ok(format!("{base}/runs?done=restored.{count}"))
        }
        _ => Err(AppError::invalid("Choose what to do with the runs.")),
    }
}
