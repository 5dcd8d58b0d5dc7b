//! What a query is completed with while it is written: `static/words.js` asks for it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::error::Result;
use crate::extract::Query;
use crate::services;
use crate::web::terminal;

/// `?prefix=tag:ba`
#[derive(Deserialize)]
pub struct Begun {
    #[serde(default)]
    prefix: String,
}

/// `{"words": […]}`
#[derive(Serialize)]
struct Words {
    words: Vec<Word>,
}

/// A word to go on with.
#[derive(Serialize)]
struct Word {
    /// What stands in the query then.
    text: String,
    /// The same without anything that could make it look like another one.
    shown: String,
    /// What it asks for.
    about: &'static str,
}

/// `GET /projects/{slug}/runs/words`
pub async fn show(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Query(begun): Query<Begun>,
) -> Result<Response> {
    let found = services::runs::complete(&app, &member, &begun.prefix).await?;
    let word = |found: services::runs::Completion| Word {
        shown: terminal::clean(&found.word),
        text: found.word,
        about: found.about,
    };
    Ok(Json(Words { words: found.into_iter().map(word).collect() }).into_response())
}
