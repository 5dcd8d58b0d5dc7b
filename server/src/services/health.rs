//! Whether the server goes on, and whether what it needs answers.

use time::Duration;

use crate::app::AppState;
use crate::error::{AppError, Result};
use crate::store;

/// What was found to answer is not looked at again for this long.
const LOOK_EVERY: Duration = Duration::seconds(1);

/// Fails when the server is about to stop: requests are better sent to another one.
pub fn goes_on(app: &AppState) -> Result<()> {
    if app.draining.is_cancelled() {
        return Err(AppError::Unavailable("The server stops. Another one, or its next start, goes on.".into()));
    }
    Ok(())
}

/// Fails unless the database and the store of contents answer.
///
/// Anybody may ask, and as often as they like: one at a time looks, and once a second at most while all is well. What
/// fails is looked at each time, so that the server is ready again as soon as it can be.
pub async fn needs_answer(app: &AppState) -> Result<()> {
    let mut ready_at = app.ready_at.lock().await;
    let now = app.clock.now();
    if ready_at.is_some_and(|at| (now - at).abs() < LOOK_EVERY) {
        return Ok(());
    }
    database_answers(app).await?;
    store_answers(app).await?;
    *ready_at = Some(now);
    Ok(())
}

/// Fails unless the database answers.
async fn database_answers(app: &AppState) -> Result<()> {
    store::postgres::ping(&mut *app.pool.acquire().await?).await?;
    Ok(())
}

/// Fails unless the store of contents answers.
async fn store_answers(app: &AppState) -> Result<()> {
    app.blobs.check().await.map_err(|error| {
        tracing::warn!(%error, "the store of contents does not answer");
        AppError::Unavailable("The store of contents does not answer.".into())
    })
}
