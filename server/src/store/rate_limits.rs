//! The table `rate_limits`: buckets of tokens that all servers take from.

use sqlx::PgConnection;
use time::OffsetDateTime;

/// Tokens to take from one bucket.
#[derive(Clone, Debug)]
pub struct Take {
    /// Which bucket: a hash of the limit's name and its subject.
    pub key: [u8; 32],
    /// The limit's name.
    pub name: &'static str,
    /// So many are in it when it is full.
    pub burst: u32,
    /// The seconds in which one comes back.
    pub refill_seconds: f64,
    /// So many are taken.
    pub used: u32,
}

/// Takes tokens from all these buckets, each named once. Returns what is left in each, which is below 0
/// where more were taken than there were.
///
/// A bucket that nobody took from is full. They are locked in the order of their keys, so that servers
/// that take from the same ones don't wait for each other in a circle.
pub async fn take(
    connection: &mut PgConnection,
    takes: &[Take],
    now: OffsetDateTime,
) -> sqlx::Result<Vec<([u8; 32], f64)>> {
    let keys: Vec<Vec<u8>> = takes.iter().map(|take| take.key.to_vec()).collect();
    let names: Vec<String> = takes.iter().map(|take| take.name.to_owned()).collect();
    let bursts: Vec<f64> = takes.iter().map(|take| take.burst.into()).collect();
    let refills: Vec<f64> = takes.iter().map(|take| take.refill_seconds).collect();
    let used: Vec<f64> = takes.iter().map(|take| take.used.into()).collect();
    let rows = sqlx::query!(
        "
        INSERT INTO rate_limits AS r (key, name, burst, refill_seconds, tokens, updated_at)
        SELECT t.key, t.name, t.burst, t.refill_seconds, t.burst - t.used, $6::timestamptz
        FROM unnest($1::bytea[], $2::text[], $3::float8[], $4::float8[], $5::float8[])
             AS t (key, name, burst, refill_seconds, used)
        ORDER BY t.key
        ON CONFLICT (key) DO UPDATE
        SET burst = excluded.burst,
            refill_seconds = excluded.refill_seconds,
            -- A server whose clock is behind adds nothing; the others did.
            tokens = least(
                         excluded.burst,
                         r.tokens + greatest(extract(epoch FROM excluded.updated_at - r.updated_at)::float8, 0)
                                    / excluded.refill_seconds
                     ) - (excluded.burst - excluded.tokens),
            updated_at = greatest(r.updated_at, excluded.updated_at)
        RETURNING key, tokens
        ",
        &keys,
        &names,
        &bursts,
        &refills,
        &used,
        now,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.key.try_into().ok()?, row.tokens))).collect())
}

/// Removes buckets that are full again, `at_most` so many: they say nothing. Leaves those that are in use.
pub async fn delete_full(connection: &mut PgConnection, now: OffsetDateTime, at_most: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "
        DELETE FROM rate_limits
        WHERE key = ANY (ARRAY(
            SELECT key
            FROM rate_limits
            WHERE updated_at + make_interval(secs => (burst - tokens) * refill_seconds) <= $1
            LIMIT $2
            FOR UPDATE SKIP LOCKED
        ))
        ",
        now,
        at_most,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
