//! What a run prints while it runs, and whether its machine is there.

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use otrace_wire::LogStream;
use otrace_wire::live::{Heartbeat, LogAppended};
use serde::Deserialize;

use super::answer::Answer;
use super::runs::run_ref;
use crate::app::AppState;
use crate::auth::{ProjectKey, RunWriter};
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;
use crate::services::live_logs::APPEND_MAX_BYTES;

/// How often a machine that has nothing to send says that it is there, in seconds.
const HEARTBEAT_SECONDS: u64 = 15;

/// `?offset=`: where in the stream the bytes begin.
#[derive(Deserialize)]
pub struct AppendQuery {
    offset: i64,
}

/// `POST /v1/runs/{run}/logs/{stream}?offset=`: the raw bytes as the body.
pub async fn append(
    State(app): State<AppState>,
    writer: RunWriter,
    Path((run, stream)): Path<(String, String)>,
    Query(AppendQuery { offset }): Query<AppendQuery>,
    request: Request,
) -> Result<Answer<LogAppended>> {
    if offset < 0 {
        return Err(AppError::invalid("offset must be 0 or more."));
    }
    let body = read(request).await?;
    let stream = stream_named(&stream)?;
    let project_id = writer.project_id;
    let next = services::live_logs::append(&app, project_id, run_ref(&run)?, stream, offset, &body).await?;
    Ok(Answer(LogAppended { next_offset: next.cast_unsigned() }))
}

async fn read(request: Request) -> Result<Bytes> {
    match Limited::new(request.into_body(), APPEND_MAX_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(AppError::TooLarge { limit_bytes: APPEND_MAX_BYTES as u64, hint: "Send the log in smaller pieces" })
        }
        Err(_) => Err(AppError::invalid("The log's piece broke off before its end. Send it again.")),
    }
}

fn stream_named(name: &str) -> Result<LogStream> {
    match name {
        "stdout" => Ok(LogStream::Stdout),
        "stderr" => Ok(LogStream::Stderr),
        _ => Err(AppError::NotFound("Log")),
    }
}

/// `?from=`: the first byte.
#[derive(Deserialize)]
pub struct ReadQuery {
    #[serde(default)]
    from: i64,
}

/// `GET /v1/runs/{run}/logs/{stream}?from=`: raw bytes, at most 1 MiB; `x-next-offset` tells where the next begin.
pub async fn show(
    State(app): State<AppState>,
    key: ProjectKey,
    Path((run, stream)): Path<(String, String)>,
    Query(ReadQuery { from }): Query<ReadQuery>,
) -> Result<Response> {
    let stream = stream_named(&stream)?;
    let bytes = services::live_logs::read(&app, key.project.id, run_ref(&run)?, stream, from).await?;
    let next = from.saturating_add(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    let mut response = ([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response();
    response.headers_mut().insert(HeaderName::from_static("x-next-offset"), HeaderValue::from(next));
    Ok(response)
}

/// `POST /v1/runs/{run}/heartbeat`.
pub async fn heartbeat(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(run): Path<String>,
) -> Result<Answer<Heartbeat>> {
    services::contact::heartbeat(&app, writer.project_id, run_ref(&run)?).await?;
    Ok(Answer(Heartbeat { interval_seconds: HEARTBEAT_SECONDS }))
}
