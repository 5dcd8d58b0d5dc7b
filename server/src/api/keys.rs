//! Keys that were found where nobody should find them.

use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::json::CleanJson;
use crate::app::AppState;
use crate::auth::Client;
use crate::error::Result;
use crate::services;

/// A key that leaked.
#[derive(Deserialize)]
pub struct Leaked {
    token: String,
}

/// Nothing: whether there was such a key is not told.
#[derive(Debug, Serialize)]
pub struct Noted {}

/// `POST /v1/keys/revoke`: whoever holds a key may end it, and proves by holding it that it leaked.
pub async fn revoke(
    State(app): State<AppState>,
    client: Client,
    CleanJson(leaked): CleanJson<Leaked>,
) -> Result<Answer<Noted>> {
    services::api_keys::revoke_leaked(&app, leaked.token.trim(), &client).await?;
    Ok(Answer(Noted {}))
}
