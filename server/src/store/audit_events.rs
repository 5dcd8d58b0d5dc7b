//! The table `audit_events`: appended to, read, never changed.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::AuditEvent;

/// Lets one writer at a time append to a chain until its transaction ends. Returns the last event's
/// number and hash.
pub async fn lock_chain(connection: &mut PgConnection, chain: Uuid) -> sqlx::Result<Option<(i64, [u8; 32])>> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('otrace audit ' || $1::uuid::text, 0))", chain)
        .execute(&mut *connection)
        .await?;
    let row =
        sqlx::query!("SELECT number, hash FROM audit_events WHERE chain_id = $1 ORDER BY number DESC LIMIT 1", chain)
            .fetch_optional(connection)
            .await?;
    row.map(|row| Ok((row.number, to_hash(row.hash)?))).transpose()
}

/// Appends an event.
pub async fn insert(connection: &mut PgConnection, event: &AuditEvent, hash: &[u8; 32]) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO audit_events
            (chain_id, number, at, actor_kind, actor_id, actor, action, target, details, address, previous_hash, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ",
        event.chain,
        event.number,
        event.at,
        event.actor_kind,
        event.actor_id,
        event.actor,
        event.action,
        event.target,
        Json(&event.details) as _,
        event.address,
        &event.previous_hash,
        hash,
    )
    .execute(connection)
    .await?;
    Ok(())
}

struct Row {
    chain: Uuid,
    number: i64,
    at: OffsetDateTime,
    actor_kind: String,
    actor_id: Option<Uuid>,
    actor: String,
    action: String,
    target: String,
    details: Json<BTreeMap<String, String>>,
    address: Option<String>,
    previous_hash: Vec<u8>,
    hash: Vec<u8>,
}

impl Row {
    fn into_event(self) -> sqlx::Result<(AuditEvent, [u8; 32])> {
        let Json(details) = self.details;
        let event = AuditEvent {
            chain: self.chain,
            number: self.number,
            at: self.at,
            actor_kind: self.actor_kind,
            actor_id: self.actor_id,
            actor: self.actor,
            action: self.action,
            target: self.target,
            details,
            address: self.address,
            previous_hash: to_hash(self.previous_hash)?,
        };
        Ok((event, to_hash(self.hash)?))
    }
}

fn to_hash(bytes: Vec<u8>) -> sqlx::Result<[u8; 32]> {
    <[u8; 32]>::try_from(bytes).map_err(|_| sqlx::Error::Decode("a hash has 32 bytes".into()))
}

/// Events of a chain below number `before`, the newest first, with their hashes.
pub async fn newest(
    connection: &mut PgConnection,
    chain: Uuid,
    before: i64,
    limit: i64,
) -> sqlx::Result<Vec<(AuditEvent, [u8; 32])>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT chain_id AS chain, number, at, actor_kind, actor_id, actor, action, target,
               details AS "details: Json<BTreeMap<String, String>>", address, previous_hash, hash
        FROM audit_events
        WHERE chain_id = $1 AND number < $2
        ORDER BY number DESC
        LIMIT $3
        "#,
        chain,
        before,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::into_event).collect()
}

/// Events of a chain above number `after`, the oldest first, with their hashes.
pub async fn oldest(
    connection: &mut PgConnection,
    chain: Uuid,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<(AuditEvent, [u8; 32])>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT chain_id AS chain, number, at, actor_kind, actor_id, actor, action, target,
               details AS "details: Json<BTreeMap<String, String>>", address, previous_hash, hash
        FROM audit_events
        WHERE chain_id = $1 AND number > $2
        ORDER BY number
        LIMIT $3
        "#,
        chain,
        after,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::into_event).collect()
}
