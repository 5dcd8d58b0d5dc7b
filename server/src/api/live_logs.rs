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
use crate::domain::LogName;
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;
use crate::services::live_logs::APPEND_MAX_BYTES;

/// How often a machine that has nothing to send says that it is there, in seconds.
const HEARTBEAT_SECONDS: u64 = 15;

/// `?offset=`: where in the log the bytes begin; `&path=`: which file it is.
#[derive(Deserialize)]
pub struct AppendQuery {
    offset: i64,
    path: Option<String>,
}

/// `POST /v1/runs/{run}/logs/{stream}?offset=`: the raw bytes as the body. A log file is
/// `POST /v1/runs/{run}/logs/log?path=&offset=`.
pub async fn append(
    State(app): State<AppState>,
    writer: RunWriter,
    Path((run, stream)): Path<(String, String)>,
    Query(AppendQuery { offset, path }): Query<AppendQuery>,
    request: Request,
) -> Result<Answer<LogAppended>> {
    if offset < 0 {
        return Err(AppError::invalid("offset must be 0 or more."));
    }
    let log = log_named(&stream, path)?;
    let body = read(request).await?;
    let next = services::live_logs::append(&app, writer.project_id, run_ref(&run)?, &log, offset, &body).await?;
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

fn log_named(stream: &str, path: Option<String>) -> Result<LogName> {
    let stream = match stream {
        "stdout" => LogStream::Stdout,
        "stderr" => LogStream::Stderr,
        "log" => LogStream::Log,
        _ => return Err(AppError::NotFound("Log")),
    };
    Ok(LogName::new(stream, path)?)
}

/// `?from=`: the first byte; `&path=`: which file it is.
#[derive(Deserialize)]
pub struct ReadQuery {
    #[serde(default)]
    from: i64,
    path: Option<String>,
}

/// `GET /v1/runs/{run}/logs/{stream}?from=`: raw bytes, at most 1 MiB; `x-next-offset` tells where the next begin.
/// A log file is `GET /v1/runs/{run}/logs/log?path=&from=`.
pub async fn show(
    State(app): State<AppState>,
    key: ProjectKey,
    Path((run, stream)): Path<(String, String)>,
    Query(ReadQuery { from, path }): Query<ReadQuery>,
) -> Result<Response> {
    let log = log_named(&stream, path)?;
    let bytes = services::live_logs::read(&app, key.project.id, run_ref(&run)?, &log, from).await?;
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
