//! A machine that adds to a run: with a key that may write, or with the run's own token.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::WriteKey;
use super::project_key::bearer;
use crate::app::AppState;
use crate::domain::{ApiKeyId, ProjectId, RunRef, api_key};
use crate::error::{AppError, Result};
use crate::services;

/// A caller who may add to the run that the URL names, or where it names none, send contents for one.
///
/// The token that comes with a new run opens nothing but that run, and goes on doing so when the key
/// that made it was revoked or has expired: a long job ends as it began.
#[derive(Clone, Copy, Debug)]
pub struct RunWriter {
    /// The project that the run belongs to.
    pub project_id: ProjectId,
    /// The key that it came with, or that made the token.
    pub key_id: ApiKeyId,
}

impl FromRequestParts<AppState> for RunWriter {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let secret = bearer(parts)?;
        // Whatever is no token of ours is treated as a key, so that both get the same refusals.
        let is_key = api_key::has_prefix(secret);
        let claims = app.tokens.check_run_token(secret, app.clock.now()).filter(|_| !is_key);
        let Some(claims) = claims else {
            let WriteKey(key) = WriteKey::from_request_parts(parts, app).await?;
            return Ok(Self { project_id: key.project.id, key_id: key.id });
        };
        app.limits.count_write(&claims.run.to_string())?;
        let run = named_run(parts, app).await?.unwrap_or(RunRef::Id(claims.run));
        let found = services::runs::resolve(app, claims.project, run).await?;
        if found != claims.run {
            return Err(AppError::NotFound("Run"));
        }
        Ok(Self { project_id: claims.project, key_id: claims.key })
    }
}

/// The run that the URL names in `{run}`, if it names one.
async fn named_run(parts: &mut Parts, app: &AppState) -> Result<Option<RunRef>> {
    let names = Path::<HashMap<String, String>>::from_request_parts(parts, app).await;
    let name = names.ok().and_then(|Path(mut names)| names.remove("run"));
    name.map(|name| name.parse().map_err(|_| AppError::NotFound("Run"))).transpose()
}
