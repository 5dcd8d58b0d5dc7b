//! Whether the server lives, and whether it can work: for machines that look after it.

use axum::extract::State;

use crate::app::AppState;
use crate::error::Result;
use crate::services;

/// `GET /health/live`: the process answers.
pub async fn live() -> &'static str {
    "ok\n"
}

/// `GET /health/ready`: the server does not stop, and the database and the store of contents answer too.
pub async fn ready(State(app): State<AppState>) -> Result<&'static str> {
    services::health::goes_on(&app)?;
    services::health::needs_answer(&app).await?;
    Ok("ok\n")
}
