//! How messages leave: claimed, signed, sent, and tried again where they were not taken.
//!
//! No transaction is open while a receiver is waited for. A message may come twice, where a server ends between sending it
//! and writing that down; it has the same id then.

use std::time::Duration;

use futures_util::future::join_all;
use metrics::counter;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use url::Url;

use super::message;
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::audit::{Action, Actor, Chain, NewEvent};
use crate::domain::chance;
use crate::domain::webhook::{Event, KEPT, LEASE, Signature, host_of, retry_after};
use crate::domain::{DeliveryId, Role, WebhookId};
use crate::error::{AppError, Result};
use crate::limits;
use crate::outbound::Called;
use crate::services::audit;
use crate::store;
use crate::store::webhooks::deliveries::{Claimed, Tried};

/// How often it is looked for what is due, while nothing was.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait before the database is asked again that could not be.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// So many messages are under way at once.
const UNDER_WAY_MAX: usize = 64;
/// How often old messages are removed, and how many at once.
const CLEAR_EVERY: Duration = Duration::from_mins(10);
const CLEARED_MAX: i64 = 10_000;
/// The receiver is gone for good.
const GONE: u16 = 410;

const WAS_GONE: &str = "Its receiver answered 410 Gone: it wants no more messages.";
const RUN_IS_GONE: &str = "The run was deleted before this was sent.";

/// Sends what is due, until the server stops.
pub async fn keep_delivering(app: AppState) {
    let closed = app.live.closed();
    tokio::select! {
        () = closed => {}
        () = deliver_for_ever(&app) => {}
    }
}

async fn deliver_for_ever(app: &AppState) {
    let mut under_way = JoinSet::new();
    let mut cleared_at: Option<Instant> = None;
    loop {
        if cleared_at.is_none_or(|at| at.elapsed() >= CLEAR_EVERY) {
            cleared_at = Some(Instant::now());
            clear(app).await;
        }
        let wait = match claim(app, UNDER_WAY_MAX - under_way.len()).await {
            Ok(claimed) => {
                for claimed in claimed {
                    let app = app.clone();
                    under_way.spawn(async move { attempt(&app, &claimed).await });
                }
                LOOK_EVERY
            }
            Err(error) => {
                tracing::warn!(?error, "could not look for webhooks' messages that are due; trying again");
                TRY_AGAIN_AFTER
            }
        };
        // One that has ended makes room for the next.
        tokio::select! {
            Some(_) = under_way.join_next() => {}
            () = sleep(wait) => {}
        }
        while under_way.try_join_next().is_some() {}
    }
}

/// Sends once what is due now, and waits for the answers. Returns how many messages there were.
pub async fn deliver_due(app: &AppState) -> Result<usize> {
    let claimed = claim(app, UNDER_WAY_MAX).await?;
    join_all(claimed.iter().map(|claimed| attempt(app, claimed))).await;
    Ok(claimed.len())
}

/// Sends a test now, whether the webhook is on or not, and waits for its answer. Returns the message's id.
pub async fn test(app: &AppState, by: &ProjectMember, id: WebhookId) -> Result<DeliveryId> {
    by.require(Role::Owner)?;
    let project_id = by.project.id;
    app.limits.take(&limits::WEBHOOK_CALL, &project_id.to_string()).await?;
    let now = app.clock.now();
    let leased_until = now + LEASE;
    let mut connection = app.pool.acquire().await?;
    let webhook = store::webhooks::find(&mut connection, project_id, id).await?;
    let target = store::webhooks::target(&mut connection, project_id, id, now).await?;
    let (webhook, target) = webhook.zip(target).ok_or(AppError::NotFound("Webhook"))?;
    let delivery = store::webhooks::deliveries::insert_test(&mut connection, project_id, id, leased_until, now).await?;
    drop(connection);
    let claimed = Claimed {
        id: delivery,
        webhook_id: id,
        webhook_name: webhook.name,
        project_id,
        run_id: None,
        event: Event::Test,
        occurred_at: now,
        body: None,
        attempts: 1,
        leased_until,
        target,
    };
    try_once(app, &claimed).await?;
    Ok(delivery)
}

async fn claim(app: &AppState, count: usize) -> Result<Vec<Claimed>> {
    let now = app.clock.now();
    let limit = i64::try_from(count).unwrap_or(i64::MAX);
    let mut connection = app.pool.acquire().await?;
    Ok(store::webhooks::deliveries::claim(&mut connection, now, now + LEASE, limit).await?)
}

async fn clear(app: &AppState) {
    let cleared = async {
        let mut connection = app.pool.acquire().await?;
        store::webhooks::deliveries::delete_old(&mut connection, app.clock.now() - KEPT, CLEARED_MAX).await
    };
    if let Err(error) = cleared.await {
        tracing::warn!(%error, "could not remove webhooks' old messages; trying again later");
    }
}

async fn attempt(app: &AppState, claimed: &Claimed) {
    if let Err(error) = try_once(app, claimed).await {
        tracing::warn!(?error, webhook = %claimed.webhook_id, "a webhook's message is taken up again in a minute");
    }
}

async fn try_once(app: &AppState, claimed: &Claimed) -> Result<()> {
    let Some(body) = message::body(app, claimed).await? else {
        let tried = Tried { error: Some(RUN_IS_GONE), ..Tried::default() };
        return record(app, claimed, &tried).await;
    };
    let called = call(app, claimed, body.clone()).await;
    let answer = called.answer.as_ref().ok();
    let is_delivered = answer.is_some_and(|answer| (200..300).contains(&answer.status));
    // A test tells how things are now. It changes nothing.
    let is_test = claimed.event == Event::Test;
    let is_gone = answer.is_some_and(|answer| answer.status == GONE) && !is_test;
    let retry_after = if is_delivered || is_test || is_gone {
        None
    } else {
        retry_after(claimed.attempts, chance::fraction(), answer.and_then(|answer| answer.retry_after_seconds))
    };
    let outcome = match (is_delivered, retry_after) {
        (true, _) => "delivered",
        (false, Some(_)) => "failed",
        (false, None) => "given_up",
    };
    counter!("otrace_webhook_attempts_total", "outcome" => outcome).increment(1);
    let tried = Tried {
        body: Some(&body),
        took_ms: i32::try_from(called.took.as_millis()).ok(),
        status: answer.map(|answer| answer.status.into()),
        answer: answer.map(|answer| answer.beginning.as_str()),
        error: called.answer.as_ref().err().map(String::as_str),
        is_delivered,
        next_attempt_at: retry_after.map(|wait| app.clock.now() + wait),
    };
    record(app, claimed, &tried).await?;
    if is_gone { turn_off(app, claimed).await } else { Ok(()) }
}

async fn call(app: &AppState, claimed: &Claimed, body: String) -> Called {
    let signature = Signature::new(claimed.id, app.clock.now(), &body, &claimed.target.secrets);
    match claimed.target.url.parse::<Url>() {
        Ok(url) => app.outbound.post_json(&url, &signature.headers(), body).await,
        Err(error) => Called { answer: Err(format!("The address can't be read: {error}.")), took: Duration::ZERO },
    }
}

async fn record(app: &AppState, claimed: &Claimed, tried: &Tried<'_>) -> Result<()> {
    let mut connection = app.pool.acquire().await?;
    Ok(store::webhooks::deliveries::record(&mut connection, claimed, tried, app.clock.now()).await?)
}

/// Takes a receiver at its word that it wants no more.
async fn turn_off(app: &AppState, claimed: &Claimed) -> Result<()> {
    let Claimed { project_id, webhook_id, .. } = *claimed;
    let now = app.clock.now();
    let mut transaction = app.pool.begin().await?;
    if store::webhooks::turn_off(&mut transaction, project_id, webhook_id, WAS_GONE, now).await? {
        store::webhooks::deliveries::give_up_waiting(&mut transaction, project_id, webhook_id, WAS_GONE).await?;
        let event = NewEvent::new(Action::WebhookChanged, claimed.webhook_name.clone())
            .with("to", host_of(&claimed.target.url))
            .with("state", "off")
            .with("why", "its receiver answered 410 Gone");
        audit::record(&mut transaction, Chain::Project(project_id), &Actor::command(), event, now).await?;
    }
    transaction.commit().await?;
    tracing::info!(webhook = %webhook_id, project = %project_id, "a webhook was turned off, as its receiver asks");
    Ok(())
}
