//! Contents: streamed in by our own CLI, verified by hash.

use axum::extract::{Request, State};
use futures_util::StreamExt;
use otrace_wire::{Sha256Digest, StoredContent};

use super::answer::Answer;
use crate::app::AppState;
use crate::auth::RunWriter;
use crate::error::{AppError, Result};
use crate::extract::Path;
use crate::services;

/// `PUT /v1/contents/{sha256}`: the raw bytes as the body. Answered once they are durable.
pub async fn put(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(sha256): Path<String>,
    request: Request,
) -> Result<Answer<StoredContent>> {
    let digest: Sha256Digest = sha256.parse().map_err(|error| AppError::invalid(format!("{sha256} is {error}.")))?;
    let broke_off = |_| AppError::invalid("The content broke off before its end. Send it again.");
    let content = request.into_body().into_data_stream().map(move |chunk| chunk.map_err(broke_off));
    Ok(Answer(services::contents::receive(&app, writer.project_id, digest, content).await?))
}
