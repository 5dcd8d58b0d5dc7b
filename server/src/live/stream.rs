//! Server-sent events: what an open page hears.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use otrace_wire::{ExperimentId, RunStatus};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::RunEvent;
use crate::app::AppState;
use crate::auth::{ProjectMember, SignedIn};
use crate::domain::AccountId;
use crate::error::Result;
use crate::extract::Query;
use crate::services;

/// A stream ends after this long; the browser reconnects by itself, and is asked who it is again.
const MAX_AGE: Duration = Duration::from_mins(5);
/// How often a page's reader is asked who they are, if nobody said that they may do less.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// Changes commit in another order than they were timed; going back this far misses none.
const OVERLAP: time::Duration = time::Duration::seconds(2);

/// Where the page's knowledge ends.
#[derive(Debug, Deserialize)]
pub struct Since {
    /// When the page was made: microseconds since 1970.
    since: Option<i64>,
}

/// `GET /projects/{slug}/live`: an event `run` for each run of the project that is created or changes.
///
/// Begins with what changed since the page was made, or since the last event that it heard. Repeated
/// events are harmless: they only say where a run stands.
pub async fn run_events(
    State(app): State<AppState>,
    signed_in: SignedIn,
    member: ProjectMember,
    Query(Since { since }): Query<Since>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + Send>> {
    // Listen first and look back second, so that nothing falls between.
    let heard = app.live.subscribe();
    let told = app.live.subscribe_to_access_changes();
    let last_event = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let missed = match last_event.or(since).and_then(from_micros) {
        Some(since) => services::runs::changed_since(&app, member.project.id, since).await?,
        None => Vec::new(),
    };
    let slug = member.project.slug;
    let slug_of_access = slug.clone();
    let project_id = member.project.id;
    let news = hear(heard).filter(move |event| std::future::ready(event.project_id == project_id));
    let events = stream::iter(missed).chain(news).map(move |event| Ok(message(&slug, &event)));
    let shut_out = Box::pin(shut_out(app.clone(), signed_in, slug_of_access, told));
    let until_closed =
        events.take_until(app.live.closed()).take_until(Box::pin(tokio::time::sleep(MAX_AGE))).take_until(shut_out);
    Ok(Sse::new(until_closed).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// Resolves when the person may not see the project any more: their session has ended, or they are no
/// member. Asked when somebody says that they may do less, and now and then besides.
async fn shut_out(app: AppState, signed_in: SignedIn, slug: String, mut told: Receiver<AccountId>) {
    let account = signed_in.account.id;
    loop {
        let session = services::sign_in::find_session(&app, &signed_in.session).await;
        let is_inside = match session {
            Ok(Some(found)) => services::projects::find_for(&app, &found.account, &slug).await,
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        match is_inside {
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => tracing::debug!(%error, "could not ask whether a page is still allowed; asking again later"),
        }
        // An error says that too much was missed: better to ask.
        let concerned = async { while told.recv().await.is_ok_and(|other| other != account) {} };
        let _ = tokio::time::timeout(ASK_EVERY, concerned).await;
    }
}

/// Everything heard, until too much was missed: then the stream ends, and the browser begins a new one.
fn hear(receiver: Receiver<RunEvent>) -> impl Stream<Item = RunEvent> + Send {
    stream::unfold(receiver, async |mut receiver| match receiver.recv().await {
        Ok(event) => Some((event, receiver)),
        Err(RecvError::Lagged(_) | RecvError::Closed) => None,
    })
}

#[derive(Serialize)]
struct Message {
    experiment_id: ExperimentId,
    status: RunStatus,
    href: String,
    created: bool,
}

fn message(slug: &str, event: &RunEvent) -> Event {
    let experiment_id = ExperimentId::new(event.number);
    let message = Message {
        experiment_id,
        status: event.status,
        href: format!("/projects/{slug}/runs/{experiment_id}"),
        created: event.is_new,
    };
    let id = event.updated_at.unix_timestamp_nanos() / 1000;
    let data = serde_json::to_string(&message).unwrap_or_default();
    Event::default().event("run").id(id.to_string()).data(data)
}

/// A time from what a page sent; one before 1970 stands for all of history.
fn from_micros(micros: i64) -> Option<OffsetDateTime> {
    let since = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros.max(0)) * 1000).ok()?;
    Some(since - OVERLAP)
}
