//! Runs: create, change, describe, read, find, delete, restore.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use otrace_wire::{self as wire, CreateRun, EvidenceBatch, RunDetails, RunOutcome};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::answer::Answer;
use super::json::{CleanJson, read_with_contents};
use super::run_json;
use crate::app::AppState;
use crate::auth::{ProjectKey, RunWriter, WriteKey};
use crate::domain::query::{self, Clause, Expr, Place, Query as RunQuery};
use crate::domain::text::without_nul;
use crate::domain::{ProjectId, Run, RunRef};
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;
use crate::services::runs::{FullRun, RunSearch, SEARCH_PAGE_MAX};

/// Runs in a list are loaded so many at once.
const LIST_PAGE: i64 = 100;

/// `{"run": …}`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunAnswer {
    run: wire::Run,
}

impl RunAnswer {
    /// The run as it stands, without its details.
    pub(super) fn of(run: Run) -> Self {
        Self { run: run_json::summary(FullRun::without_details(run)) }
    }
}

/// `{"run": …, "run_token": …}`: the run, and what opens it alone, for as long as a long job takes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreatedAnswer {
    run: wire::Run,
    run_token: String,
}

/// `{"runs": […], "next_cursor": …}`: one page of the runs that a query asks for.
#[derive(Debug, Serialize, JsonSchema)]
// The list of all runs is written without a cursor.
#[schemars(extend("required" = ["runs"]))]
pub struct RunsAnswer {
    runs: Vec<wire::Run>,
    next_cursor: Option<String>,
}

/// `{"artifacts": […]}`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ArtifactsAnswer {
    artifacts: Vec<wire::Artifact>,
}

/// `{"count": 3}`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CountAnswer {
    count: i64,
}

/// `{"deleted": 3}`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeletedAnswer {
    deleted: u64,
}

/// `POST /v1/runs`. Repeated with the same `id`, or where it gives none with the same `Idempotency-Key`, it is the
/// same run.
pub async fn create(
    State(app): State<AppState>,
    WriteKey(key): WriteKey,
    headers: HeaderMap,
    CleanJson(mut input): CleanJson<CreateRun>,
) -> Result<Answer<CreatedAnswer>> {
    let repeated = headers.get("idempotency-key").map(|name| id_for(key.project.id, name.as_bytes()));
    input.id = input.id.or(repeated);
    let run = services::runs::create(&app, &key, input).await?;
    let run_token = app.tokens.run_token(run.id, key.project.id, key.id, app.clock.now())?;
    Ok(Answer(CreatedAnswer { run: run_json::summary(FullRun::without_details(run)), run_token }))
}

/// The id of the run that a project's client calls so.
fn id_for(project_id: ProjectId, name: &[u8]) -> Uuid {
    let hash = Sha256::new().chain_update(project_id.0).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// `PATCH /v1/runs/{run}`.
pub async fn update(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(run): Path<String>,
    CleanJson(input): CleanJson<RunOutcome>,
) -> Result<Answer<RunAnswer>> {
    let run = services::runs::update(&app, writer.project_id, run_ref(&run)?, input).await?;
    Ok(Answer(RunAnswer::of(run)))
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
    Ok(Answer(RunAnswer::of(run)))
}

/// `POST /v1/runs/{run}/evidence`.
pub async fn add_evidence(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(run): Path<String>,
    CleanJson(batch): CleanJson<EvidenceBatch>,
) -> Result<Answer<RunAnswer>> {
    let run = services::details::add_evidence(&app, writer.project_id, run_ref(&run)?, batch).await?;
    Ok(Answer(RunAnswer::of(run)))
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

/// `GET /v1/runs`: every run of the project, however many, written as they are loaded. With any of `query`, `status`,
/// `tag`, `sort`, `limit` and `cursor` one page of those that are asked for; published clients send none of them.
/// With `details=true` a page has what each run left behind, as the list of all runs does.
pub async fn list(
    State(app): State<AppState>,
    key: ProjectKey,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response> {
    if let Some(search) = search(&parameters)? {
        let mut found = services::runs::search(&app, &key, &search).await?;
        if parameters.iter().any(|(name, value)| name == "details" && value == "true") {
            services::history::complete(&app, key.project.id, &mut found.runs).await?;
        }
        let next_cursor = found.next.map(|place| place.to_cursor(&search.sort));
        let runs = found.runs.into_iter().map(run_json::summary).collect();
        return Ok(Answer(RunsAnswer { runs, next_cursor }).into_response());
    }
    // The first page is loaded before the answer begins, so that a failure still has its status.
    let first = services::runs::full_page(&app, key.project.id, None, LIST_PAGE).await?;
    let body = Body::from_stream(list_json(app, key.project.id, first));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// What the address asks for; `None`: all runs, as published clients do.
fn search(parameters: &[(String, String)]) -> Result<Option<RunSearch>> {
    const NAMES: [&str; 6] = ["query", "status", "tag", "sort", "limit", "cursor"];
    // What is written in vain, such as `status=`, asks for nothing; it asks for pages all the same.
    let values =
        |name: &'static str| parameters.iter().filter(move |(n, value)| n == name && !value.is_empty()).map(|(_, v)| v);
    if !parameters.iter().any(|(name, _)| NAMES.contains(&name.as_str())) {
        return Ok(None);
    }
    let mut search = RunSearch::default();
    let mut expr = RunQuery::default();
    for text in values("query") {
        let asked = query::parse(text).map_err(|error| AppError::invalid(error.to_string()))?;
        expr = asked.expr.into_iter().fold(expr, RunQuery::and);
    }
    for status in values("status") {
        let status = status.parse::<wire::RunStatus>().map_err(|error| AppError::invalid(format!("{error}.")))?;
        expr = expr.and(Expr::Is(Clause::Status(status)));
    }
    for tag in values("tag") {
        expr = expr.and(Expr::Is(Clause::Tag(without_nul(tag))));
    }
    search.query = expr;
    if let Some(sort) = values("sort").next_back() {
        search.sort = sort.parse()?;
    }
    if let Some(limit) = values("limit").next_back() {
        let limit = limit.parse().ok().filter(|limit| (1..=SEARCH_PAGE_MAX).contains(limit));
        search.limit = limit.ok_or_else(|| AppError::invalid("limit is a number from 1 to 200."))?;
    }
    if let Some(cursor) = values("cursor").next_back() {
        search.after = Some(Place::from_cursor(cursor, &search.sort)?);
    }
    Ok(Some(search))
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

/// `POST /v1/runs/{run}/restore`.
pub async fn restore(
    State(app): State<AppState>,
    WriteKey(key): WriteKey,
    Path(run): Path<String>,
) -> Result<Answer<RunAnswer>> {
    Ok(Answer(RunAnswer::of(services::runs::restore(&app, &key, run_ref(&run)?).await?)))
}

/// A name that can be no run's is not found, as any other that is no run's.
pub(super) fn run_ref(name: &str) -> Result<RunRef> {
    name.parse().map_err(|_| AppError::NotFound("Run"))
}
