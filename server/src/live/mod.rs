//! What is happening now: from the server that did it, through PostgreSQL, to every open page.
//!
//! A service calls [`Live::publish`] after its commit. Events leave in batches, outside of any
//! transaction: `NOTIFY` within a write costs most of its throughput. Every server listens, also the
//! one that told. An event only says that a run changed; who missed one asks the database
//! (`stream` does so when a page connects), so none has to be delivered.

mod stream;

use std::time::Duration;

use otrace_wire::RunStatus;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use time::OffsetDateTime;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::domain::{AccountId, ProjectId};

pub use stream::run_events;

const CHANNEL: &str = "otrace_runs";
const ACCESS_CHANNEL: &str = "otrace_access";
const GATHER_FOR: Duration = Duration::from_millis(25);
const QUEUE: usize = 1024;
/// PostgreSQL takes messages of less than 8000 bytes; an event has about 150.
const EVENTS_PER_MESSAGE: usize = 40;

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
    /// When it changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// Tells and hears what is happening now.
#[derive(Clone, Debug)]
pub struct Live {
    outbox: mpsc::Sender<RunEvent>,
    heard: broadcast::Sender<RunEvent>,
    access_changes: broadcast::Sender<AccountId>,
    pool: PgPool,
    closing: CancellationToken,
}

impl Live {
    /// Starts telling and listening, until [`close`](Self::close).
    pub fn start(pool: PgPool) -> Self {
        let (outbox, told) = mpsc::channel(QUEUE);
        let (heard, _) = broadcast::channel(QUEUE);
        let (access_changes, _) = broadcast::channel(QUEUE);
        let closing = CancellationToken::new();
        tokio::spawn(closing.clone().run_until_cancelled_owned(tell(pool.clone(), told)));
        tokio::spawn(closing.clone().run_until_cancelled_owned(listen(
            pool.clone(),
            heard.clone(),
            access_changes.clone(),
        )));
        Self { outbox, heard, access_changes, pool, closing }
    }

    /// Tells that a run changed. Never waits: when too much happens at once, pages find out later.
    pub fn publish(&self, event: RunEvent) {
        if self.outbox.try_send(event).is_err() {
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
        self.access_changes.subscribe()
    }

    /// Everything that is heard from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<RunEvent> {
        self.heard.subscribe()
    }

    /// Ends all open streams, so that the server can stop.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Resolves when the server stops.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.closing.clone().cancelled_owned()
    }
}

/// Sends what was published, gathered for a moment, in one statement.
async fn tell(pool: PgPool, mut told: mpsc::Receiver<RunEvent>) {
    let mut events = Vec::new();
    while told.recv_many(&mut events, QUEUE).await > 0 {
        tokio::time::sleep(GATHER_FOR).await;
        while let Ok(event) = told.try_recv() {
            events.push(event);
        }
        let payloads: Vec<String> =
            events.chunks(EVENTS_PER_MESSAGE).filter_map(|some| serde_json::to_string(some).ok()).collect();
        events.clear();
        let sent = sqlx::query("SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload")
            .bind(CHANNEL)
            .bind(payloads)
            .execute(&pool)
            .await;
        if let Err(error) = sent {
            tracing::warn!(%error, "open pages were not told of a change");
        }
    }
}

/// Hears what all servers tell. Reconnects for ever; meanwhile pages miss events, and find out when they reconnect.
async fn listen(pool: PgPool, heard: broadcast::Sender<RunEvent>, access_changes: broadcast::Sender<AccountId>) {
    while !pool.is_closed() {
        if let Err(error) = listen_once(&pool, &heard, &access_changes).await
            && !pool.is_closed()
        {
            tracing::warn!(%error, "lost the connection that hears of changes; trying again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

async fn listen_once(
    pool: &PgPool,
    heard: &broadcast::Sender<RunEvent>,
    access_changes: &broadcast::Sender<AccountId>,
) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all([CHANNEL, ACCESS_CHANNEL]).await?;
    loop {
        let notification = listener.recv().await?;
        if notification.channel() == ACCESS_CHANNEL {
            if let Ok(account) = notification.payload().parse().map(AccountId) {
                let _ = access_changes.send(account);
            }
            continue;
        }
        for event in serde_json::from_str::<Vec<RunEvent>>(notification.payload()).unwrap_or_default() {
            // Nobody listening is fine.
            let _ = heard.send(event);
        }
    }
}
