//! The record of who did what.
//!
//! [`record`] is called last in the transaction that does the thing, so that the two stand or fall
//! together, and the chain's lock is held for a moment only.

use std::net::IpAddr;

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::app::AppState;
use crate::auth::{ProjectMember, SignedIn};
use crate::domain::audit::{Action, Chain, FIRST_PREVIOUS, NewEvent, first_break};
use crate::domain::{Actor, AuditEvent, Role};
use crate::error::Result;
use crate::store;

/// So many events a page shows.
pub const PAGE: i64 = 100;
/// So many events an export or a check has in memory at once.
const CHUNK: i64 = 1000;
/// What of a name is kept: more than any name here has.
const TEXT_MAX_CHARS: usize = 500;

/// Appends an event to a chain. Call it last in the transaction that does the thing.
pub async fn record(
    connection: &mut PgConnection,
    chain: Chain,
    actor: &Actor,
    event: NewEvent,
    now: OffsetDateTime,
) -> Result<()> {
    let last = store::audit_events::lock_chain(connection, chain.id()).await?;
    let (number, previous_hash) = last.map_or((1, FIRST_PREVIOUS), |(number, hash)| (number + 1, hash));
    let shortened = |text: &str| text.chars().filter(|c| *c != '\0').take(TEXT_MAX_CHARS).collect::<String>();
    let event = AuditEvent {
        chain: chain.id(),
        number,
        at: now,
        actor_kind: actor.kind.as_str().to_owned(),
        actor_id: actor.id,
        actor: shortened(&actor.label),
        action: event.action.as_str().to_owned(),
        target: shortened(&event.target),
        details: event.details.into_iter().map(|(name, value)| (name.to_owned(), shortened(&value))).collect(),
        address: actor.address.map(|address: IpAddr| address.to_string()),
        previous_hash,
    };
    store::audit_events::insert(connection, &event, &event.hash()).await?;
    Ok(())
}

/// Events of the member's project below number `before`, the newest first.
pub async fn of_project(app: &AppState, member: &ProjectMember, before: Option<i64>) -> Result<Vec<AuditEvent>> {
    member.require(Role::Owner)?;
    page(app, Chain::Project(member.project.id), before).await
}

/// Events of the server below number `before`, the newest first.
pub async fn of_server(app: &AppState, admin: &SignedIn, before: Option<i64>) -> Result<Vec<AuditEvent>> {
    admin.require_admin()?;
    page(app, Chain::Server, before).await
}

async fn page(app: &AppState, chain: Chain, before: Option<i64>) -> Result<Vec<AuditEvent>> {
    let mut connection = app.pool.acquire().await?;
    let found = store::audit_events::newest(&mut connection, chain.id(), before.unwrap_or(i64::MAX), PAGE).await?;
    Ok(found.into_iter().map(|(event, _)| event).collect())
}

/// The number of the first event of a chain that does not follow from the one before; `None`: all do.
pub async fn check(app: &AppState, chain: Chain) -> Result<Option<i64>> {
    let mut connection = app.pool.acquire().await?;
    let mut last: Option<(AuditEvent, [u8; 32])> = None;
    loop {
        let after = last.as_ref().map_or(0, |(event, _)| event.number);
        let events = store::audit_events::oldest(&mut connection, chain.id(), after, CHUNK).await?;
        let Some(newest) = events.last().cloned() else { return Ok(None) };
        // The first of a later piece is held against the last of the piece before it.
        let broken =
            first_break(last.as_ref().map(|(event, hash)| (event.number, *hash)), events.iter().map(|(e, h)| (e, *h)));
        if broken.is_some() {
            return Ok(broken);
        }
        last = Some(newest);
    }
}

/// The events of a chain above number `after`, the oldest first, with their hashes: a piece of an export.
pub async fn piece(app: &AppState, chain: Chain, after: i64) -> Result<Vec<(AuditEvent, [u8; 32])>> {
    Ok(store::audit_events::oldest(&mut *app.pool.acquire().await?, chain.id(), after, CHUNK).await?)
}

/// Notes that an actor takes a chain's events out of the server.
pub async fn note_export(app: &AppState, chain: Chain, actor: &Actor) -> Result<()> {
    let mut transaction = app.pool.begin().await?;
    record(&mut transaction, chain, actor, NewEvent::new(Action::AuditExported, ""), app.clock.now()).await?;
    transaction.commit().await?;
    Ok(())
}
