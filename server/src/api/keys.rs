//! Keys that whoever holds them ends: after a leak, or to log out.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::json::CleanJson;
use crate::app::AppState;
use crate::auth::Client;
use crate::error::Result;
use crate::services;
use crate::services::api_keys::EndReason;

/// A key that is to end.
#[derive(Deserialize, JsonSchema)]
pub struct Unwanted {
    token: String,
    /// Whether its own user logs out; otherwise it leaked.
    #[serde(default)]
    is_logout: bool,
}

/// Nothing: whether there was such a key is not told.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Noted {}

/// `POST /v1/keys/revoke`: whoever holds a key may end it. Unless they log out, they prove by holding it that it leaked.
pub async fn revoke(
    State(app): State<AppState>,
    client: Client,
    CleanJson(key): CleanJson<Unwanted>,
) -> Result<Answer<Noted>> {
    let reason = if key.is_logout { EndReason::Logout } else { EndReason::Leak };
    services::api_keys::revoke_held(&app, key.token.trim(), reason, &client).await?;
    Ok(Answer(Noted {}))
}
