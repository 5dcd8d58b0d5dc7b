//! What people and agents add to a run by hand: notes and tags.

use axum::extract::State;
use otrace_wire as wire;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answer::Answer;
use super::json::CleanJson;
use super::runs::{RunAnswer, run_ref};
use crate::app::AppState;
use crate::auth::RunWriter;
use crate::error::Result;
use crate::extract::Path;
use crate::services;

/// `{"text": "…"}`, and the note's `id` where the caller makes it, so that a repeated request adds nothing twice.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NewNote {
    #[serde(default)]
    text: String,
    id: Option<Uuid>,
}

/// `{"note": …}`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NoteAnswer {
    note: wire::Note,
}

/// `POST /v1/runs/{run}/notes`.
pub async fn add(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(run): Path<String>,
    CleanJson(input): CleanJson<NewNote>,
) -> Result<Answer<NoteAnswer>> {
    let note = services::notes::add(&app, &writer, run_ref(&run)?, input.id, &input.text).await?;
    let note = wire::Note { id: note.id, author: note.author, text: note.body, created_at: note.created_at };
    Ok(Answer(NoteAnswer { note }))
}

/// `{"add": ["baseline"], "remove": []}`; either may be left out.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TagChanges {
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

/// `PATCH /v1/runs/{run}/tags`.
pub async fn change_tags(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(run): Path<String>,
    CleanJson(changes): CleanJson<TagChanges>,
) -> Result<Answer<RunAnswer>> {
    let run = services::tags::change(&app, writer.project_id, run_ref(&run)?, &changes.add, &changes.remove).await?;
    Ok(Answer(RunAnswer::of(run)))
}
