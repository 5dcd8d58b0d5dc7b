//! Contents by their hashes: asked for, sent by our own CLI in whichever way suits their size, and read.

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures_util::StreamExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use otrace_wire::contents::{Arrived, LACKING_MAX, Lacking, Offered, Parts, PartsTaken, packed};
use otrace_wire::{Sha256Digest, StoredContent};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::json::CleanJson;
use crate::app::AppState;
use crate::auth::{ProjectKey, RunWriter};
use crate::content_response::content_response;
use crate::error::{AppError, Result};
use crate::extract::Path;
use crate::services;

/// `{"stored": 3}`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PackedStored {
    stored: usize,
}

/// `POST /v1/contents/lacking`: which of these the project has not.
pub async fn lacking(
    State(app): State<AppState>,
    writer: RunWriter,
    CleanJson(offered): CleanJson<Offered>,
) -> Result<Answer<Lacking>> {
    check_count(offered.contents.len())?;
    Ok(Answer(services::contents::lacking(&app, writer.project_id, offered.contents).await?))
}

/// `POST /v1/contents`: small ones, one frame after another. Answered once all of them are durable.
pub async fn put_packed(
    State(app): State<AppState>,
    writer: RunWriter,
    request: Request,
) -> Result<Answer<PackedStored>> {
    let body = match Limited::new(request.into_body(), packed::BODY_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let hint = "Send fewer contents at once";
            return Err(AppError::TooLarge { limit_bytes: packed::BODY_MAX as u64, hint });
        }
        Err(_) => return Err(broke_off()),
    };
    Ok(Answer(PackedStored { stored: services::contents::receive_packed(&app, writer.project_id, body).await? }))
}

/// `PUT /v1/contents/{sha256}`: the raw bytes as the body. Answered once they are durable.
pub async fn put(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(sha256): Path<String>,
    request: Request,
) -> Result<Answer<StoredContent>> {
    let digest = digest(&sha256)?;
    let content = request.into_body().into_data_stream().map(|chunk: Result<Bytes, _>| chunk.map_err(|_| broke_off()));
    Ok(Answer(services::contents::receive(&app, writer.project_id, digest, content).await?))
}

/// `PUT /v1/contents/{sha256}/parts`: what a large content is made of. Not stored yet means: ask again.
pub async fn put_parts(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(sha256): Path<String>,
    CleanJson(parts): CleanJson<Parts>,
) -> Result<Answer<PartsTaken>> {
    Ok(Answer(services::contents::assemble(&app, writer.project_id, digest(&sha256)?, parts).await?))
}

/// `POST /v1/contents/arrived`: what was put into the bucket directly; answered with what has not arrived.
pub async fn arrived(
    State(app): State<AppState>,
    writer: RunWriter,
    CleanJson(announced): CleanJson<Arrived>,
) -> Result<Answer<Lacking>> {
    check_count(announced.contents.len())?;
    Ok(Answer(services::contents::arrived(&app, writer.project_id, announced.contents).await?))
}

/// `GET /v1/contents/{sha256}`: the raw bytes, or the range that is asked for.
pub async fn show(
    State(app): State<AppState>,
    key: ProjectKey,
    Path(sha256): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let mut response = content_response(&app, key.project.id, &digest(&sha256)?, &headers).await?;
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

fn digest(sha256: &str) -> Result<Sha256Digest> {
    sha256.parse().map_err(|error| AppError::invalid(format!("{sha256} is {error}.")))
}

fn check_count(count: usize) -> Result<()> {
    if count <= LACKING_MAX {
        return Ok(());
    }
    Err(AppError::invalid("A request names at most 1,000 contents. Ask for the others in another one."))
}

fn broke_off() -> AppError {
    AppError::invalid("The content broke off before its end. Send it again.")
}
