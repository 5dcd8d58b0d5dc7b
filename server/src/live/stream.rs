//! Server-sent events: what an open page hears.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use otrace_wire::{ExperimentId, RunStatus};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::watch;

use super::{Place, RunEvent};
use crate::app::AppState;
use crate::auth::{ProjectReader, ReadProof};
use crate::domain::{AccountId, ProjectId, chance};
use crate::error::Result;
use crate::extract::Query;
use crate::services;

/// A stream ends after this long; the browser reconnects by itself, and is asked who it is again.
const MAX_AGE: Duration = Duration::from_mins(5);
/// Streams that began together end within this time of each other, not all at once.
const MAX_AGE_SPREAD: Duration = Duration::from_mins(1);
/// How often a page's reader is asked who they are, if nobody said that they may do less.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// Changes commit in another order than they were timed; going back this far misses none.
const OVERLAP: time::Duration = time::Duration::seconds(2);
/// As many changes as the database is asked for at once: where there are so many, there may be more.
const MISSED_MAX: usize = 100;
/// Browsers whose server stops come back after this time, not all at once.
const COME_BACK_AFTER_MS: u32 = 1000;
const COME_BACK_SPREAD: Duration = Duration::from_secs(4);

/// Where the page's knowledge ends.
#[derive(Debug, Deserialize)]
pub struct Since {
    /// When the page was made: microseconds since 1970.
    since: Option<i64>,
}

/// `GET /projects/{slug}/live`: an event `run` for each run of the project that is created or changes.
///
/// Begins with what changed since the page was made, or since the last event that it heard. Repeated
/// events are harmless: they only say where a run stands. An event `resync` says that more changed than
/// is told: the page has to look anew. `bye` says that the server stops.
pub async fn run_events(
    State(app): State<AppState>,
    ProjectReader { member, proof }: ProjectReader,
    Query(Since { since }): Query<Since>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + Send>> {
    let place = app.live.take_place(member.account.id, &app.config.limits)?;
    let began = app.clock.now();
    // Listen first and look back second, so that nothing falls between.
    let (heard, gaps) = (app.live.subscribe(), app.live.subscribe_to_gaps());
    let told = app.live.subscribe_to_access_changes();
    let last_event = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let missed = match last_event.or(since).and_then(from_micros) {
        Some(since) => services::runs::changed_since(&app, member.project.id, since).await?,
        None => Vec::new(),
    };
    let slug = member.project.slug;
    let first: Vec<Event> = if missed.len() < MISSED_MAX {
        missed.iter().map(|event| message(&slug, event)).collect()
    } else {
        vec![resync(began)]
    };
    let reader = Reader { account: member.account.id, proof, slug: slug.clone() };
    let listening = Listening {
        project_id: member.project.id,
        slug,
        heard,
        gaps,
        end: Box::pin(end(app.clone(), reader, told)),
        has_ended: false,
        app,
        _place: place,
    };
    let events = stream::iter(first).chain(stream::unfold(listening, Listening::next)).map(Ok);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The server stops.
    Stopping,
    /// It is old, or its reader may not see the project any more.
    Quiet,
}

/// A page that listens. There may be thousands, so that each holds little: what is asked now and then is made
/// anew each time.
struct Listening {
    app: AppState,
    project_id: ProjectId,
    slug: String,
    heard: Receiver<RunEvent>,
    gaps: watch::Receiver<()>,
    end: Pin<Box<dyn Future<Output = End> + Send>>,
    has_ended: bool,
    _place: Place,
}

impl Listening {
    /// The next event, until the stream ends.
    async fn next(mut self) -> Option<(Event, Self)> {
        while !self.has_ended {
            let event = tokio::select! {
                biased;
                end = &mut self.end => {
                    self.has_ended = true;
                    (end == End::Stopping).then(bye)
                }
                Ok(()) = self.gaps.changed() => Some(resync(self.app.clock.now())),
                heard = self.heard.recv() => match heard {
                    Ok(event) if event.project_id == self.project_id => Some(message(&self.slug, &event)),
                    Ok(_) => None,
                    // Too slow to hear everything.
                    Err(RecvError::Lagged(_)) => {
                        self.heard = self.heard.resubscribe();
                        Some(resync(self.app.clock.now()))
                    }
                    Err(RecvError::Closed) => return None,
                },
            };
            if let Some(event) = event {
                return Some((event, self));
            }
        }
        None
    }
}

/// Who reads a page.
struct Reader {
    account: AccountId,
    proof: ReadProof,
    slug: String,
}

/// Resolves when a stream ends.
async fn end(app: AppState, reader: Reader, told: Receiver<AccountId>) -> End {
    let age = MAX_AGE + chance::up_to(MAX_AGE_SPREAD);
    tokio::select! {
        () = app.live.closed() => End::Stopping,
        () = tokio::time::sleep(age) => End::Quiet,
        () = shut_out(&app, &reader, told) => End::Quiet,
    }
}

/// Resolves when the reader may not see the project any more: their session or key has ended, or they are no
/// member. Asked when somebody says that they may do less, and now and then besides.
async fn shut_out(app: &AppState, reader: &Reader, mut told: Receiver<AccountId>) {
    loop {
        match Box::pin(reader.proof.still_opens(app, &reader.slug)).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::debug!(%error, "could not ask whether a page is still allowed; asking again later"),
        }
        // An error says that too much was missed: better to ask.
        let concerned = async { while told.recv().await.is_ok_and(|other| other != reader.account) {} };
        let _ = tokio::time::timeout(ASK_EVERY, concerned).await;
    }
}

#[derive(Serialize)]
struct Message {
    experiment_id: ExperimentId,
    status: RunStatus,
    href: String,
    created: bool,
    /// Nothing is new but what it prints and measures.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    output: bool,
}

fn message(slug: &str, event: &RunEvent) -> Event {
    let experiment_id = ExperimentId::new(event.number);
    let message = Message {
        experiment_id,
        status: event.status,
        href: format!("/projects/{slug}/runs/{experiment_id}"),
        created: event.is_new,
        output: event.is_output,
    };
    let data = serde_json::to_string(&message).unwrap_or_default();
    Event::default().event("run").id(id(event.updated_at)).data(data)
}

/// More changed than is told.
fn resync(now: OffsetDateTime) -> Event {
    Event::default().event("resync").id(id(now)).data("{}")
}

/// The server stops, and another one or the same takes its place.
fn bye() -> Event {
    let come_back_after = Duration::from_millis(COME_BACK_AFTER_MS.into()) + chance::up_to(COME_BACK_SPREAD);
    Event::default().event("bye").retry(come_back_after).data("{}")
}

fn id(at: OffsetDateTime) -> String {
    (at.unix_timestamp_nanos() / 1000).to_string()
}

/// A time from what a page sent; one before 1970 stands for all of history.
fn from_micros(micros: i64) -> Option<OffsetDateTime> {
    let since = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros.max(0)) * 1000).ok()?;
    Some(since - OVERLAP)
}
