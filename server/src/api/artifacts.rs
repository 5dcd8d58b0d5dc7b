//! Artifacts as published clients download them: base64 within JSON, streamed.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use futures_util::{Stream, StreamExt, stream};
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;

use super::answer::Answer;
use super::run_json;
use crate::app::AppState;
use crate::auth::ProjectKey;
use crate::domain::ArtifactId;
use crate::error::{AppError, Result};
use crate::extract::Path;
use crate::services;

/// `GET /v1/artifacts/{artifact}/download`.
pub async fn download(State(app): State<AppState>, key: ProjectKey, Path(artifact): Path<String>) -> Result<Response> {
    let id = artifact.parse().map(ArtifactId).map_err(|_| AppError::NotFound("Artifact"))?;
    let project_id = key.project.id;
    let artifact = services::artifacts::find(&app, project_id, id).await?;
    services::artifacts::refuse_deleted(&artifact)?;
    let mut description = run_json::artifact(&artifact);
    description.text_content = run_json::text_of(&app, project_id, &artifact, u64::MAX).await?;
    let mut description = serde_json::to_value(description).map_err(anyhow::Error::new)?;
    if artifact.sha256.is_none() {
        return Ok(Answer(serde_json::json!({ "artifact": description })).into_response());
    }
    // The content goes in the place of this key, at the end of the object.
    if let Some(keys) = description.as_object_mut() {
        keys.remove("content_base64");
    }
    let description = description.to_string();
    let open_object = description.strip_suffix('}').unwrap_or(&description);
    let opening = format!(r#"{{"ok":true,"artifact":{open_object},"content_base64":""#);
    let content = services::artifacts::stream(&app, project_id, &artifact).await?;
    let body = stream::iter([Ok(Bytes::from(opening))])
        .chain(base64(content))
        .chain(stream::iter([Ok(Bytes::from_static(br#""}}"#))]));
    Ok(([(CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response())
}

/// Where an artifact's content can be fetched without a key, and until when.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ticket {
    url: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: OffsetDateTime,
}

/// `POST /v1/artifacts/{artifact}/ticket`.
pub async fn ticket(
    State(app): State<AppState>,
    key: ProjectKey,
    Path(artifact): Path<String>,
) -> Result<Answer<Ticket>> {
    let id = artifact.parse().map(ArtifactId).map_err(|_| AppError::NotFound("Artifact"))?;
    let (url, expires_at) = services::artifacts::ticket(&app, key.project.id, id).await?;
    Ok(Answer(Ticket { url, expires_at }))
}

/// Bytes as base64, in pieces: what does not fill a group of three waits for the next piece.
fn base64(content: impl Stream<Item = Result<Bytes>> + Send) -> impl Stream<Item = Result<Bytes>> + Send {
    let pieces = content.map(Some).chain(stream::iter([None]));
    pieces.scan(BytesMut::new(), |rest, piece| {
        let encoded = match piece {
            Some(Ok(bytes)) => {
                rest.extend_from_slice(&bytes);
                let whole = rest.split_to(rest.len() - rest.len() % 3);
                Ok(Bytes::from(STANDARD.encode(whole)))
            }
            Some(Err(error)) => Err(error),
            None => Ok(Bytes::from(STANDARD.encode(&rest[..]))),
        };
        std::future::ready(Some(encoded))
    })
}
