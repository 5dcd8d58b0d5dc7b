//! Whether the server goes on, and whether what it needs answers.

use crate::app::AppState;
use crate::error::{AppError, Result};

/// Fails when the server is about to stop: requests are better sent to another one.
pub fn goes_on(app: &AppState) -> Result<()> {
    if app.draining.is_cancelled() {
        return Err(AppError::Unavailable("The server stops. Another one, or its next start, goes on.".into()));
    }
    Ok(())
}

/// Fails unless the database answers.
pub async fn database_answers(app: &AppState) -> Result<()> {
    sqlx::query("SELECT 1").execute(&app.pool).await?;
    Ok(())
}

/// Fails unless the store of contents answers.
pub async fn store_answers(app: &AppState) -> Result<()> {
    app.blobs.check().await.map_err(|error| {
        tracing::warn!(%error, "the store of contents does not answer");
        AppError::Unavailable("The store of contents does not answer.".into())
    })
}
