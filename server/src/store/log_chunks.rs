//! The table `log_chunks`: what runs print while they run.

use otrace_wire::{LogStream, Sha256Digest};
use sqlx::PgConnection;

use super::digest;
use crate::domain::{ProjectId, RunId};

/// Lets one writer at a time append to a run's stream until its transaction ends. Returns where it ends.
pub async fn lock_end(connection: &mut PgConnection, run_id: RunId, stream: LogStream) -> sqlx::Result<i64> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('otrace log ' || $1::uuid::text || $2::text, 0))",
        run_id as RunId,
        stream.as_str(),
    )
    .execute(&mut *connection)
    .await?;
    end(connection, run_id, stream).await
}

/// Where a run's stream ends, in bytes.
pub async fn end(connection: &mut PgConnection, run_id: RunId, stream: LogStream) -> sqlx::Result<i64> {
    let end = sqlx::query_scalar!(
        "
        SELECT end_byte FROM log_chunks WHERE run_id = $1 AND stream = $2 ORDER BY start_byte DESC LIMIT 1
        ",
        run_id as RunId,
        stream.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(end.unwrap_or_default())
}

/// Where the streams of a run end that have anything in them, in bytes.
pub async fn ends(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
) -> sqlx::Result<Vec<(LogStream, i64)>> {
    let rows = sqlx::query!(
        r#"
        SELECT stream, max(end_byte) AS "end_byte!" FROM log_chunks
        WHERE project_id = $1 AND run_id = $2
        GROUP BY stream
        ORDER BY stream DESC
        "#,
        project_id as ProjectId,
        run_id as RunId,
    )
    .fetch_all(connection)
    .await?;
    let stream = |name: &str| if name == "stderr" { LogStream::Stderr } else { LogStream::Stdout };
    Ok(rows.into_iter().map(|row| (stream(&row.stream), row.end_byte)).collect())
}

/// Appends bytes that begin at `start_byte`.
pub async fn insert(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    stream: LogStream,
    start_byte: i64,
    bytes: &[u8],
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO log_chunks (run_id, project_id, stream, start_byte, end_byte, bytes)
        VALUES ($1, $2, $3, $4::bigint, $4::bigint + length($5::bytea), $5)
        ",
        run_id as RunId,
        project_id as ProjectId,
        stream.as_str(),
        start_byte,
        bytes,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A piece of a stream.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Its first byte's place in the stream.
    pub start_byte: i64,
    /// Where it ends.
    pub end_byte: i64,
    /// Its bytes; `None` where they are a blob.
    pub bytes: Option<Vec<u8>>,
    /// The blob that they are.
    pub sha256: Option<Sha256Digest>,
}

/// The pieces that hold bytes from `from` to `to`, in order.
pub async fn range(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    stream: LogStream,
    from: i64,
    to: i64,
) -> sqlx::Result<Vec<Chunk>> {
    let rows = sqlx::query!(
        "
        SELECT start_byte, end_byte, bytes, sha256 FROM log_chunks
        WHERE project_id = $1 AND run_id = $2 AND stream = $3 AND end_byte > $4 AND start_byte < $5
        ORDER BY start_byte
        ",
        project_id as ProjectId,
        run_id as RunId,
        stream.as_str(),
        from,
        to,
    )
    .fetch_all(connection)
    .await?;
    let chunk = rows.into_iter().map(|row| Chunk {
        start_byte: row.start_byte,
        end_byte: row.end_byte,
        bytes: row.bytes,
        sha256: digest(row.sha256),
    });
    Ok(chunk.collect())
}

/// The oldest pieces of a stream that are still in the table, as many as hold `max_bytes`, and how many bytes
/// of the stream are in the table altogether.
pub async fn oldest_here(
    connection: &mut PgConnection,
    run_id: RunId,
    stream: LogStream,
    max_bytes: i64,
) -> sqlx::Result<(Vec<Chunk>, i64)> {
    let rows = sqlx::query!(
        r#"
        SELECT start_byte, end_byte, bytes, total AS "total!" FROM (
            SELECT start_byte, end_byte, bytes,
                   sum(end_byte - start_byte) OVER (ORDER BY start_byte)::bigint AS upto,
                   sum(end_byte - start_byte) OVER ()::bigint AS total
            FROM log_chunks
            WHERE run_id = $1 AND stream = $2 AND sha256 IS NULL
        ) here
        WHERE upto <= $3
        ORDER BY start_byte
        "#,
        run_id as RunId,
        stream.as_str(),
        max_bytes,
    )
    .fetch_all(connection)
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let chunk =
        |row: (i64, i64, Option<Vec<u8>>)| Chunk { start_byte: row.0, end_byte: row.1, bytes: row.2, sha256: None };
    Ok((rows.into_iter().map(|row| chunk((row.start_byte, row.end_byte, row.bytes))).collect(), total))
}

/// Puts one blob in the place of the pieces from `start_byte` to `end_byte`.
pub async fn move_to_blob(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    stream: LogStream,
    (start_byte, end_byte): (i64, i64),
    sha256: &Sha256Digest,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        DELETE FROM log_chunks
        WHERE run_id = $1 AND stream = $2 AND start_byte >= $3 AND end_byte <= $4 AND sha256 IS NULL
        ",
        run_id as RunId,
        stream.as_str(),
        start_byte,
        end_byte,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "
        INSERT INTO log_chunks (run_id, project_id, stream, start_byte, end_byte, sha256)
        VALUES ($1, $2, $3, $4, $5, $6)
        ",
        run_id as RunId,
        project_id as ProjectId,
        stream.as_str(),
        start_byte,
        end_byte,
        sha256.as_bytes(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes what a run printed while it ran, because its whole logs are there now.
pub async fn clear(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    stream: LogStream,
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM log_chunks WHERE project_id = $1 AND run_id = $2 AND stream = $3",
        project_id as ProjectId,
        run_id as RunId,
        stream.as_str(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
