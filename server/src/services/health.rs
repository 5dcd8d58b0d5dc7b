//! Whether the server goes on, and whether what it needs answers.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::Duration as StdDuration;

use time::{Duration, OffsetDateTime};
use tokio::sync::watch;
use tracing::Instrument as _;

use crate::app::AppState;
use crate::error::{AppError, Result};
use crate::store;

/// What was found to answer is not looked at again for this long.
const LOOK_EVERY: Duration = Duration::seconds(1);
/// So long a look may take. Less than those wait who ask: three seconds in `deploy/kubernetes`.
const LOOK_WITHIN: StdDuration = StdDuration::from_millis(2500);

/// What is told, where what failed has no words for others.
const NO_ANSWER: &str = "What the server needs does not answer. Its log says more.";

/// What a look came to: a sentence that says what does not answer.
type Outcome = Result<(), Cow<'static, str>>;
/// A look under way; `None` until it has ended.
type Look = watch::Receiver<Option<Outcome>>;

/// When what the server needs was last found to answer, and the look that is under way.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Looked>);

#[derive(Debug, Default)]
struct Looked {
    ready_at: Option<OffsetDateTime>,
    under_way: Option<Look>,
}

/// Fails when the server is about to stop: requests are better sent to another one.
pub fn goes_on(app: &AppState) -> Result<()> {
    if app.draining.is_cancelled() {
        return Err(AppError::Unavailable("The server stops. Another one, or its next start, goes on.".into()));
    }
    Ok(())
}

/// Fails unless the database and the store of contents answer.
///
/// Anybody may ask, and as often as they like: all who ask at once share one look, and there is one a second at most
/// while all is well. What failed is looked at again by whoever asks next, so that the server is ready again as soon
/// as it can be.
pub async fn needs_answer(app: &AppState) -> Result<()> {
    let Some(mut look) = app.readiness.look(app) else { return Ok(()) };
    let outcome = look.wait_for(Option::is_some).await.ok().and_then(|outcome| (*outcome).clone());
    outcome.unwrap_or_else(|| Err(NO_ANSWER.into())).map_err(AppError::Unavailable)
}

impl Readiness {
    /// The look that is under way, or a new one; `None`: what is needed was just found to answer.
    fn look(&self, app: &AppState) -> Option<Look> {
        let now = app.clock.now();
        let mut looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.ready_at.is_some_and(|at| (now - at).abs() < LOOK_EVERY) {
            return None;
        }
        // One that broke off without an end is none.
        if let Some(look) = looked.under_way.as_ref().filter(|look| look.has_changed().is_ok()) {
            return Some(look.clone());
        }
        let (end, look) = watch::channel(None);
        looked.under_way = Some(look.clone());
        let app = app.clone();
        // No asker's own: one that gives up would have the others begin anew.
        let looking = async move {
            let outcome = everything_answers(&app).await;
            app.readiness.end(outcome.is_ok().then_some(now));
            end.send_replace(Some(outcome));
        };
        tokio::spawn(looking.in_current_span());
        Some(look)
    }

    fn end(&self, ready_at: Option<OffsetDateTime>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Looked { ready_at, under_way: None };
    }
}

async fn everything_answers(app: &AppState) -> Outcome {
    let looking = async {
        database_answers(app).await?;
        app.blobs.check().await
    };
    match tokio::time::timeout(LOOK_WITHIN, looking).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let cause = match &error {
                AppError::Internal(cause) => format!("{cause:#}"),
                told => told.message(),
            };
            tracing::warn!(error = cause, "what the server needs does not answer");
            Err(match error {
                AppError::Unavailable(sentence) => sentence,
                _ => NO_ANSWER.into(),
            })
        }
        Err(_) => {
            tracing::warn!("the database and the store of contents do not answer in time");
            Err("The database and the store of contents do not answer in time.".into())
        }
    }
}

/// Fails unless the database answers.
async fn database_answers(app: &AppState) -> Result<()> {
    store::postgres::ping(&mut *app.pool.acquire().await?).await?;
    Ok(())
}
