//! What sweeps ask the database: who sweeps, which projects there are, and the table `sweeps`.
//!
//! [`contents`] finds and removes contents that nothing needs, [`trash`] removes runs and projects for good.

pub mod contents;
pub mod trash;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgAdvisoryLock, PgAdvisoryLockGuard, PgAdvisoryLockKey};
use sqlx::{Either, PgConnection, Postgres};
use time::OffsetDateTime;

use crate::domain::ProjectId;

/// That this sweep is the only one. It ends with [`unlock`], or with the connection.
pub type Lock = PgAdvisoryLockGuard<PoolConnection<Postgres>>;

/// Takes the lock of all servers that share the database. `None`: another sweep is under way.
pub async fn lock(mut connection: PoolConnection<Postgres>) -> sqlx::Result<Option<Lock>> {
    // The tests have many schemas in one database.
    let key = sqlx::query_scalar!(
        r#"SELECT hashtextextended('otrace sweep ' || COALESCE(current_schema(), ''), 0) AS "key!""#
    )
    .fetch_one(&mut *connection)
    .await?;
    let lock = PgAdvisoryLock::with_key(PgAdvisoryLockKey::BigInt(key));
    Ok(match lock.try_acquire(connection).await? {
        Either::Left(lock) => Some(lock),
        Either::Right(_) => None,
    })
}

/// Lets another one sweep.
pub async fn unlock(lock: Lock) -> sqlx::Result<()> {
    lock.release_now().await?;
    Ok(())
}

/// When the last sweep began that came to its end.
pub async fn last(connection: &mut PgConnection) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!("SELECT max(began_at) FROM sweeps WHERE ended_at IS NOT NULL").fetch_one(connection).await
}

/// Writes down that a sweep begins, and forgets those that began before `forget_before`.
pub async fn begin(
    connection: &mut PgConnection,
    now: OffsetDateTime,
    forget_before: OffsetDateTime,
) -> sqlx::Result<i64> {
    sqlx::query!("DELETE FROM sweeps WHERE began_at < $1", forget_before).execute(&mut *connection).await?;
    sqlx::query_scalar!("INSERT INTO sweeps (began_at) VALUES ($1) RETURNING number", now).fetch_one(connection).await
}

/// Writes down what a sweep came to.
pub async fn end(
    connection: &mut PgConnection,
    number: i64,
    freed_bytes: i64,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!("UPDATE sweeps SET ended_at = $3, freed_bytes = $2 WHERE number = $1", number, freed_bytes, now)
        .execute(connection)
        .await?;
    Ok(())
}

/// A project, as far as sweeps care.
#[derive(Clone, Debug)]
pub struct SweptProject {
    /// Its id.
    pub id: ProjectId,
    /// Its name in URLs.
    pub slug: String,
    /// When it was deleted.
    pub deleted_at: Option<OffsetDateTime>,
}

/// At most `limit` projects behind this id, deleted ones too, by id.
pub async fn projects(
    connection: &mut PgConnection,
    after: Option<ProjectId>,
    limit: i64,
) -> sqlx::Result<Vec<SweptProject>> {
    sqlx::query_as!(
        SweptProject,
        r#"
        SELECT id AS "id: ProjectId", slug, deleted_at
        FROM projects
        WHERE id > COALESCE($1::uuid, '00000000-0000-0000-0000-000000000000')
        ORDER BY id
        LIMIT $2
        "#,
        after as Option<ProjectId>,
        limit,
    )
    .fetch_all(connection)
    .await
}
