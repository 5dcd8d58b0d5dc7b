//! Runs: create, change, describe, read, delete.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use otrace_wire::{self as wire, CreateRun, EvidenceBatch, RunDetails, RunOutcome};
use serde::Serialize;

use super::answer::Answer;
use super::json::{CleanJson, read_with_contents};
use super::run_json;
use crate::app::AppState;
use crate::auth::{ProjectKey, RunWriter, WriteKey};
use crate::domain::{ProjectId, Run, RunRef};
use crate::error::{AppError, Result};
use crate::extract::Path;
use crate::services;
use crate::services::runs::FullRun;

/// Runs in a list are loaded so many at once.
const LIST_PAGE: i64 = 100;

/// `{"run": …}`.
#[derive(Debug, Serialize)]
pub struct RunAnswer {
    run: wire::Run,
}

/// `{"run": …, "run_token": …}`: the run, and what opens it alone, for as long as a long job takes.
#[derive(Debug, Serialize)]
pub struct CreatedAnswer {
    run: wire::Run,
    run_token: String,
}

/// `{"artifacts": […]}`.
#[derive(Debug, Serialize)]
pub struct ArtifactsAnswer {
    artifacts: Vec<wire::Artifact>,
}

/// `{"count": 3}`.
#[derive(Debug, Serialize)]
pub struct CountAnswer {
    count: i64,
}

/// `{"deleted": 3}`.
#[derive(Debug, Serialize)]
pub struct DeletedAnswer {
    deleted: u64,
}

/// `POST /v1/runs`.
pub async fn create(
    State(app): State<AppState>,
    WriteKey(key): WriteKey,
    CleanJson(input): CleanJson<CreateRun>,
) -> Result<Answer<CreatedAnswer>> {
    let run = services::runs::create(&app, &key, input).await?;
    let run_token = app.tokens.run_token(run.id, key.project.id, key.id, app.clock.now())?;
    Ok(Answer(CreatedAnswer { run: run_json::summary(without_details(run)), run_token }))
}

/// `PATCH /v1/runs/{run}`.
pub async fn update(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(run): Path<String>,
    CleanJson(input): CleanJson<RunOutcome>,
) -> Result<Answer<RunAnswer>> {
    let run = services::runs::update(&app, writer.project_id, run_ref(&run)?, input).await?;
    Ok(Answer(RunAnswer { run: run_json::summary(without_details(run)) }))
}

/// `PUT /v1/runs/{run}/details`: the one large body of the API, streamed.
pub async fn put_details(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(run): Path<String>,
    request: Request,
) -> Result<Answer<RunAnswer>> {
    let max_bytes = app.config.http.max_body_bytes;
    let (details, inline) = read_with_contents::<RunDetails>(request.into_body(), max_bytes).await?;
    let run = services::details::replace(&app, writer.project_id, run_ref(&run)?, details, &inline).await?;
    Ok(Answer(RunAnswer { run: run_json::summary(without_details(run)) }))
}

/// `POST /v1/runs/{run}/evidence`.
pub async fn add_evidence(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(run): Path<String>,
    CleanJson(batch): CleanJson<EvidenceBatch>,
) -> Result<Answer<RunAnswer>> {
    let run = services::details::add_evidence(&app, writer.project_id, run_ref(&run)?, batch).await?;
    Ok(Answer(RunAnswer { run: run_json::summary(without_details(run)) }))
}

/// `GET /v1/runs/{run}`.
pub async fn show(State(app): State<AppState>, key: ProjectKey, Path(run): Path<String>) -> Result<Answer<RunAnswer>> {
    let full = services::runs::show(&app, key.project.id, run_ref(&run)?).await?.full;
    Ok(Answer(RunAnswer { run: run_json::full(&app, key.project.id, full).await? }))
}

/// `GET /v1/runs/{run}/artifacts`.
pub async fn artifacts(
    State(app): State<AppState>,
    key: ProjectKey,
    Path(run): Path<String>,
) -> Result<Answer<ArtifactsAnswer>> {
    let full = services::runs::show(&app, key.project.id, run_ref(&run)?).await?.full;
    let artifacts = run_json::full(&app, key.project.id, full).await?.artifacts;
    Ok(Answer(ArtifactsAnswer { artifacts }))
}

/// `GET /v1/runs`: every run of the project, however many, written as they are loaded.
pub async fn list(State(app): State<AppState>, key: ProjectKey) -> Result<Response> {
    // The first page is loaded before the answer begins, so that a failure still has its status.
    let first = services::runs::full_page(&app, key.project.id, None, LIST_PAGE).await?;
    let body = Body::from_stream(list_json(app, key.project.id, first));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

fn list_json(app: AppState, project_id: ProjectId, first: Vec<FullRun>) -> impl Stream<Item = Result<Bytes>> + Send {
    let pages = stream::try_unfold((app, Some(first), None), move |(app, loaded, before)| async move {
        let page = match loaded {
            Some(page) => page,
            None => services::runs::full_page(&app, project_id, before, LIST_PAGE).await?,
        };
        let Some(oldest) = page.last().map(|full| full.run.number) else { return Ok(None) };
        let mut json = Vec::new();
        for (index, full) in page.into_iter().enumerate() {
            if index > 0 || before.is_some() {
                json.push(b',');
            }
            serde_json::to_writer(&mut json, &run_json::summary(full)).map_err(anyhow::Error::new)?;
        }
        Ok(Some((Bytes::from(json), (app, None, Some(oldest)))))
    });
    let piece = |text: &'static str| stream::iter([Ok(Bytes::from_static(text.as_bytes()))]);
    piece(r#"{"ok":true,"runs":["#).chain(pages).chain(piece("]}"))
}

/// `GET /v1/runs/count`.
pub async fn count(State(app): State<AppState>, key: ProjectKey) -> Result<Answer<CountAnswer>> {
    Ok(Answer(CountAnswer { count: services::projects::run_count(&app, key.project.id).await? }))
}

/// `DELETE /v1/runs/{run}`.
pub async fn delete(
    State(app): State<AppState>,
    WriteKey(key): WriteKey,
    Path(run): Path<String>,
) -> Result<Answer<DeletedAnswer>> {
    Ok(Answer(DeletedAnswer { deleted: services::runs::delete(&app, &key, run_ref(&run)?).await? }))
}

/// `DELETE /v1/runs`.
pub async fn delete_all(State(app): State<AppState>, WriteKey(key): WriteKey) -> Result<Answer<DeletedAnswer>> {
    Ok(Answer(DeletedAnswer { deleted: services::runs::delete_all(&app, &key).await? }))
}

/// A name that can be no run's is not found, as any other that is no run's.
pub(super) fn run_ref(name: &str) -> Result<RunRef> {
    name.parse().map_err(|_| AppError::NotFound("Run"))
}

fn without_details(run: Run) -> FullRun {
    FullRun {
        run,
        results: Vec::new(),
        tables: Vec::new(),
        logs: Vec::new(),
        artifacts: Vec::new(),
        snapshot: None,
        notes: Vec::new(),
    }
}
