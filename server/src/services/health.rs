//! Whether what the server needs answers.

use crate::app::AppState;
use crate::error::{AppError, Result};

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
