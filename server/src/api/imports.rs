//! Imports: begun, filled, and committed or given up.

use axum::extract::{Request, State};
use otrace_wire::imports::{BeginImport, BegunImport, CommitImport, ImportOutcome, StagedRuns};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::answer::Answer;
use super::json::{CleanJson, read_with_contents};
use crate::app::AppState;
use crate::auth::WriteKey;
use crate::error::{AppError, Result};
use crate::extract::Path;
use crate::services;

/// `{"staged": 500}`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StagedAnswer {
    staged: usize,
}

/// `{"abandoned": 1}`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AbandonedAnswer {
    abandoned: u32,
}

/// `POST /v1/imports`.
pub async fn begin(
    State(app): State<AppState>,
    WriteKey(key): WriteKey,
    CleanJson(input): CleanJson<BeginImport>,
) -> Result<Answer<BegunImport>> {
    Ok(Answer(services::imports::begin(&app, &key, input.id).await?))
}

/// `POST /v1/imports/{import}/runs`: a body as large as that of a run's details.
pub async fn stage(
    State(app): State<AppState>,
    WriteKey(key): WriteKey,
    Path(import): Path<String>,
    request: Request,
) -> Result<Answer<StagedAnswer>> {
    let id = import_id(&import)?;
    let max_bytes = app.config.http.max_body_bytes;
    let (runs, inline) = read_with_contents::<StagedRuns>(request.into_body(), max_bytes).await?;
    Ok(Answer(StagedAnswer { staged: services::imports::stage(&app, &key, id, runs, &inline).await? }))
}

/// `POST /v1/imports/{import}/commit`. Not committed yet means: ask again.
pub async fn commit(
    State(app): State<AppState>,
    WriteKey(key): WriteKey,
    Path(import): Path<String>,
    CleanJson(input): CleanJson<CommitImport>,
) -> Result<Answer<ImportOutcome>> {
    Ok(Answer(services::imports::commit(&app, &key, import_id(&import)?, input).await?))
}

/// `DELETE /v1/imports/{import}`.
pub async fn abandon(
    State(app): State<AppState>,
    WriteKey(key): WriteKey,
    Path(import): Path<String>,
) -> Result<Answer<AbandonedAnswer>> {
    services::imports::abandon(&app, &key, import_id(&import)?).await?;
    Ok(Answer(AbandonedAnswer { abandoned: 1 }))
}

/// A name that can be no import's is not found, as any other that is no import's.
fn import_id(name: &str) -> Result<Uuid> {
    Uuid::try_parse(name).map_err(|_| AppError::NotFound("Import"))
}
