//! The yardstick of `scripts/bench` for creating runs: a bare axum handler with one sqlx `INSERT … RETURNING`.
//!
//! ```text
//! bare_insert DATABASE_URL LISTEN
//! ```
//!
//! `POST /v1/runs` takes the JSON that the server takes and writes the columns that the server writes, into a table of
//! its own that is like `runs`, with no foreign key, no check and no index but the primary key. It asks for no API key,
//! checks nothing and counts in memory. What the server does beyond this is what its runs cost more.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use anyhow::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use sqlx::{FromRow, PgPool};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use uuid::Uuid;

/// As many connections as the server has unless told otherwise.
const CONNECTIONS: u32 = 10;

/// `LIKE` copies columns and defaults, so that the two tables stay alike.
const CREATE_TABLE: &str = "
    DROP TABLE IF EXISTS bench_runs;
    CREATE TABLE bench_runs (LIKE runs INCLUDING DEFAULTS, PRIMARY KEY (id));
";

const INSERT: &str = "
    INSERT INTO bench_runs (id, project_id, number, parent_id, title, intent, setup, command, working_directory, status,
                            tags, expected_artifact_paths, expected_log_paths, created_at, updated_at, api_key_id, recorder)
    VALUES ($1, $2, $3, NULL, $4, $5, $6, $7, $8, 'created', $9, $10, $11, now(), now(), $12, $13)
    RETURNING id, project_id, number, parent_id, title, intent, setup, command, working_directory, status,
              tags, expected_artifact_paths, expected_log_paths, created_at, updated_at, api_key_id, recorder
";

#[derive(Clone)]
struct App {
    pool: PgPool,
    project_id: Uuid,
    api_key_id: Uuid,
    last_number: Arc<AtomicI32>,
}

/// What the server's `POST /v1/runs` takes.
#[derive(Deserialize)]
struct NewRun {
    title: Option<String>,
    intent: String,
    setup: String,
    command: String,
    working_directory: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    expected_artifact_paths: Vec<String>,
    #[serde(default)]
    expected_log_paths: Vec<String>,
    recorder: Option<String>,
}

#[derive(FromRow, Serialize)]
struct Run {
    id: Uuid,
    project_id: Uuid,
    number: i32,
    parent_id: Option<Uuid>,
    title: Option<String>,
    intent: String,
    setup: String,
    command: String,
    working_directory: Option<String>,
    status: String,
    tags: Vec<String>,
    expected_artifact_paths: Vec<String>,
    expected_log_paths: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    api_key_id: Option<Uuid>,
    recorder: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let usage = "usage: bare_insert DATABASE_URL LISTEN";
    let database_url = arguments.next().context(usage)?;
    let listen = arguments.next().context(usage)?;

    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&database_url).await?;
    sqlx::raw_sql(CREATE_TABLE).execute(&pool).await.context("creating the table bench_runs beside runs")?;
    let app =
        App { pool, project_id: Uuid::now_v7(), api_key_id: Uuid::now_v7(), last_number: Arc::new(AtomicI32::new(0)) };
    let listener = TcpListener::bind(&listen).await.with_context(|| format!("listening on {listen}"))?;
    axum::serve(listener, Router::new().route("/v1/runs", post(create)).with_state(app)).await?;
    Ok(())
}

async fn create(State(app): State<App>, Json(run): Json<NewRun>) -> Result<Json<Run>, StatusCode> {
    sqlx::query_as(INSERT)
        .bind(Uuid::now_v7())
        .bind(app.project_id)
        .bind(app.last_number.fetch_add(1, Ordering::Relaxed) + 1)
        .bind(run.title)
        .bind(run.intent)
        .bind(run.setup)
        .bind(run.command)
        .bind(run.working_directory)
        .bind(run.tags)
        .bind(run.expected_artifact_paths)
        .bind(run.expected_log_paths)
        .bind(app.api_key_id)
        .bind(run.recorder)
        .fetch_one(&app.pool)
        .await
        .map(Json)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
