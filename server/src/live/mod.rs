//! What is happening now: from the server that did it, through PostgreSQL, to every open page.
//!
//! A service calls [`Live::publish`] after its commit. Events leave in batches, outside of any
//! transaction: `NOTIFY` within a write costs most of its throughput. Every server listens, also the
//! one that told. An event only says that a run changed; who missed one asks the database
//! (`stream` does so when a page connects), so none has to be delivered.

mod places;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use otrace_wire::RunStatus;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use time::OffsetDateTime;
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::config::LimitsConfig;
use crate::domain::{AccountId, ProjectId};
use crate::error::{AppError, Result};
use places::{Full, Places};

pub use places::Place;
pub use stream::run_events;

const CHANNEL: &str = "otrace_runs";
const ACCESS_CHANNEL: &str = "otrace_access";
const GATHER_FOR: Duration = Duration::from_millis(25);
const QUEUE: usize = 1024;
/// PostgreSQL takes messages of less than 8000 bytes; an event has about 150.
const EVENTS_PER_MESSAGE: usize = 40;
/// What stands in a message in place of events when some could not be told.
const LEFT_OUT: &str = "\"left out\"";
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A run was created or changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunEvent {
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// Its number in the project.
    pub number: i32,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether it was created just now.
    pub is_new: bool,
    /// Whether nothing is new but what it prints and measures: of that, lists show nothing.
    #[serde(default)]
    pub is_output: bool,
    /// When it changed, or was last heard of.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// Tells and hears what is happening now.
#[derive(Clone, Debug)]
pub struct Live {
    outbox: mpsc::Sender<RunEvent>,
    /// Whether an event found no room in the outbox.
    left_out: Arc<AtomicBool>,
    ears: Ears,
    places: Places,
    pool: PgPool,
    /// Cancelled when open streams are to end.
    leaving: CancellationToken,
    /// Cancelled when nothing is told and heard any more.
    closing: CancellationToken,
}

/// Where what all servers tell arrives.
#[derive(Clone, Debug)]
struct Ears {
    heard: broadcast::Sender<RunEvent>,
    access_changes: broadcast::Sender<AccountId>,
    gaps: watch::Sender<()>,
}

impl Live {
    /// Starts telling and listening, until [`close`](Self::close).
    pub fn start(pool: PgPool) -> Self {
        let (outbox, told) = mpsc::channel(QUEUE);
        let left_out = Arc::new(AtomicBool::new(false));
        let ears = Ears {
            heard: broadcast::channel(QUEUE).0,
            access_changes: broadcast::channel(QUEUE).0,
            gaps: watch::channel(()).0,
        };
        let closing = CancellationToken::new();
        let telling = tell(pool.clone(), told, Arc::clone(&left_out));
        tokio::spawn(closing.clone().run_until_cancelled_owned(telling));
        tokio::spawn(closing.clone().run_until_cancelled_owned(listen(pool.clone(), ears.clone())));
        let leaving = CancellationToken::new();
        Self { outbox, left_out, ears, places: Places::default(), pool, leaving, closing }
    }

    /// Tells that a run changed. Never waits: when too much happens at once, pages are told to look anew.
    pub fn publish(&self, event: RunEvent) {
        if self.outbox.try_send(event).is_err() {
            self.left_out.store(true, Ordering::Relaxed);
            tracing::debug!("an event was left out, the queue is full");
        }
    }

    /// Tells every server that an account may do less than before: its open pages are asked anew.
    ///
    /// Never waits. A page that was not told is asked within half a minute all the same.
    pub fn publish_access_change(&self, account: AccountId) {
        let pool = self.pool.clone();
        tokio::spawn(async move {
            let told = sqlx::query("SELECT pg_notify($1, $2)")
                .bind(ACCESS_CHANNEL)
                .bind(account.to_string())
                .execute(&pool)
                .await;
            if let Err(error) = told {
                tracing::warn!(%error, "open pages were not told that somebody may do less");
            }
        });
    }

    /// The accounts that may do less than before, from now on.
    pub fn subscribe_to_access_changes(&self) -> broadcast::Receiver<AccountId> {
        self.ears.access_changes.subscribe()
    }

    /// Everything that is heard from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<RunEvent> {
        self.ears.heard.subscribe()
    }

    /// Tells whenever this server may have missed something: who listens has to look anew.
    pub fn subscribe_to_gaps(&self) -> watch::Receiver<()> {
        self.ears.gaps.subscribe()
    }

    /// A place for an open page of this account, until it is dropped. Refused where too many are open.
    pub fn take_place(&self, account: AccountId, limits: &LimitsConfig) -> Result<Place> {
        let place = self.places.take(account, limits.live_pages_per_account, limits.live_pages);
        place.map_err(|full| {
            AppError::Unavailable(match full {
                Full::Account => "You have too many pages open that update by themselves. Close some of them.".into(),
                Full::Server => "Too many pages are open on this server for one more to update by itself. Reload this \
                                 one when you want to see what is new."
                    .into(),
            })
        })
    }

    /// Ends all open streams: the server takes no more requests. What its last ones change is still told.
    pub fn end_streams(&self) {
        self.leaving.cancel();
    }

    /// Ends telling and listening, and all open streams, so that the server can stop.
    pub fn close(&self) {
        self.leaving.cancel();
        self.closing.cancel();
    }

    /// Resolves when the server takes no more requests: streams end, and what goes on beside the requests.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.leaving.clone().cancelled_owned()
    }
}

/// Sends what was published, gathered for a moment, in one statement. What could not be sent is tried again, and
/// what was left out meanwhile is said to have been.
async fn tell(pool: PgPool, mut told: mpsc::Receiver<RunEvent>, left_out: Arc<AtomicBool>) {
    let mut events = Vec::new();
    while told.recv_many(&mut events, QUEUE).await > 0 {
        tokio::time::sleep(GATHER_FOR).await;
        while events.len() < QUEUE
            && let Ok(event) = told.try_recv()
        {
            events.push(event);
        }
        let mut payloads: Vec<String> =
            events.chunks(EVENTS_PER_MESSAGE).filter_map(|some| serde_json::to_string(some).ok()).collect();
        events.clear();
        if left_out.swap(false, Ordering::Relaxed) {
            payloads.push(LEFT_OUT.to_owned());
        }
        while let Err(error) = send(&pool, &payloads).await {
            if pool.is_closed() {
                return;
            }
            tracing::warn!(%error, "open pages could not be told of changes; trying again");
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }
}

async fn send(pool: &PgPool, payloads: &[String]) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload")
        .bind(CHANNEL)
        .bind(payloads)
        .execute(pool)
        .await?;
    Ok(())
}

/// Hears what all servers tell. Reconnects for ever; whatever was told meanwhile was missed, so that open pages
/// are told to look anew.
async fn listen(pool: PgPool, ears: Ears) {
    let mut has_listened = false;
    while !pool.is_closed() {
        if let Err(error) = listen_once(&pool, &ears, &mut has_listened).await
            && !pool.is_closed()
        {
            tracing::warn!(%error, "lost the connection that hears of changes; trying again");
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }
}

async fn listen_once(pool: &PgPool, ears: &Ears, has_listened: &mut bool) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all([CHANNEL, ACCESS_CHANNEL]).await?;
    if std::mem::replace(has_listened, true) {
        ears.gaps.send_replace(());
    }
    loop {
        // Nothing: the listener has lost its connection, and has a new one already.
        let Some(notification) = listener.try_recv().await? else {
            ears.gaps.send_replace(());
            continue;
        };
        if notification.channel() == ACCESS_CHANNEL {
            if let Ok(account) = notification.payload().parse().map(AccountId) {
                let _ = ears.access_changes.send(account);
            }
            continue;
        }
        if notification.payload() == LEFT_OUT {
            ears.gaps.send_replace(());
        }
        for event in serde_json::from_str::<Vec<RunEvent>>(notification.payload()).unwrap_or_default() {
            // Nobody listening is fine.
            let _ = ears.heard.send(event);
        }
    }
}
