//! The table `log_chunks`: what runs print while they run.

use otrace_wire::Sha256Digest;
use sqlx::PgConnection;

use super::digest;
use super::logs::stream_named;
use crate::domain::{LogName, ProjectId, RunId};

/// What became of a piece that was sent.
#[derive(Clone, Copy, Debug)]
pub struct Appended {
    /// The size of the whole log in bytes, where it has arrived already: then no piece is taken.
    pub whole: Option<i64>,
    /// Where the pieces ended before, in bytes; `None`: there were none.
    pub known: Option<i64>,
    /// Where they end now, if anything was new.
    pub end: Option<i64>,
}

/// Appends what is new of bytes that begin at `offset`; of what begins beyond the end nothing is taken, nor of
/// one log file more than `files_max`.
///
/// Call it only while the transaction holds the run's row: then there is one writer at a time.
pub async fn append(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    log: &LogName,
    offset: i64,
    bytes: &[u8],
    files_max: i64,
) -> sqlx::Result<Appended> {
    sqlx::query_as!(
        Appended,
        r#"
        WITH here AS (
            SELECT (
                SELECT size_bytes FROM logs
                WHERE run_id = $1::uuid AND project_id = $2::uuid AND stream = $3::text
                  AND ($3::text <> 'log' OR path = $4::text)
                ORDER BY position
                LIMIT 1
            ) AS whole, (
                SELECT end_byte FROM log_chunks
                WHERE run_id = $1::uuid AND stream = $3::text AND path_key = hashtextextended($4::text, 0)
                ORDER BY start_byte DESC
                LIMIT 1
            ) AS known
        ), added AS (
            INSERT INTO log_chunks (run_id, project_id, stream, path, start_byte, end_byte, bytes)
            SELECT $1::uuid, $2::uuid, $3::text, $4::text, COALESCE(known, 0), $5::bigint + length($6::bytea),
                   substring($6::bytea FROM (COALESCE(known, 0) - $5::bigint + 1)::integer)
            FROM here
            WHERE whole IS NULL
              AND $5::bigint <= COALESCE(known, 0)
              AND $5::bigint + length($6::bytea) > COALESCE(known, 0)
              AND (known IS NOT NULL OR $3::text <> 'log' OR (
                  SELECT count(DISTINCT path_key) FROM log_chunks WHERE run_id = $1::uuid AND stream = 'log'
              ) < $7::bigint)
            RETURNING end_byte
        )
        SELECT whole AS "whole?", known AS "known?", end_byte AS "end?" FROM here LEFT JOIN added ON true
        "#,
        run_id as RunId,
        project_id as ProjectId,
        log.stream().as_str(),
        log.path(),
        offset,
        bytes,
        files_max,
    )
    .fetch_one(connection)
    .await
}

/// Lets nobody append to a run's logs, nor replace them, until the transaction ends.
pub async fn lock(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<()> {
    sqlx::query!(
        "SELECT id FROM runs WHERE project_id = $1 AND id = $2 FOR NO KEY UPDATE",
        project_id as ProjectId,
        run_id as RunId,
    )
    .fetch_optional(connection)
    .await?;
    Ok(())
}

/// The logs of a run that have pieces, its two streams first, and where each ends, in bytes.
///
/// Goes from name to name along the index: a log may have very many pieces.
pub async fn ends(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
) -> sqlx::Result<Vec<(LogName, i64)>> {
    let rows = sqlx::query!(
        r#"
        WITH RECURSIVE names AS (
            (SELECT stream, path_key FROM log_chunks WHERE run_id = $2 ORDER BY stream, path_key LIMIT 1)
            UNION ALL
            SELECT further.stream, further.path_key
            FROM names CROSS JOIN LATERAL (
                SELECT stream, path_key FROM log_chunks
                WHERE run_id = $2 AND (stream, path_key) > (names.stream, names.path_key)
                ORDER BY stream, path_key
                LIMIT 1
            ) further
        )
        SELECT ended.stream AS "stream!", ended.path AS "path!", ended.end_byte AS "end_byte!"
        FROM names CROSS JOIN LATERAL (
            SELECT stream, path, end_byte FROM log_chunks
            WHERE project_id = $1 AND run_id = $2 AND stream = names.stream AND path_key = names.path_key
            ORDER BY start_byte DESC
            LIMIT 1
        ) ended
        ORDER BY ended.stream = 'log', ended.stream DESC, ended.path
        "#,
        project_id as ProjectId,
        run_id as RunId,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (LogName::stored(stream_named(&row.stream), row.path), row.end_byte)).collect())
}

/// A piece of a log.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Its first byte's place in the log.
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
    log: &LogName,
    from: i64,
    to: i64,
) -> sqlx::Result<Vec<Chunk>> {
    let rows = sqlx::query!(
        "
        SELECT start_byte, end_byte, bytes, sha256 FROM log_chunks
        WHERE project_id = $1 AND run_id = $2 AND stream = $3 AND path_key = hashtextextended($4, 0)
          -- From the piece on that holds the first byte: pieces leave no gaps.
          AND start_byte >= COALESCE((
              SELECT max(start_byte) FROM log_chunks
              WHERE run_id = $2 AND stream = $3 AND path_key = hashtextextended($4, 0) AND start_byte <= $5
          ), 0)
          AND end_byte > $5 AND start_byte < $6
        ORDER BY start_byte
        ",
        project_id as ProjectId,
        run_id as RunId,
        log.stream().as_str(),
        log.path(),
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

/// The oldest pieces of a log that are still in the table, as many as hold `max_bytes`: none where fewer than
/// `here_max` bytes of it are in the table altogether.
pub async fn oldest_here(
    connection: &mut PgConnection,
    run_id: RunId,
    log: &LogName,
    max_bytes: i64,
    here_max: i64,
) -> sqlx::Result<Vec<Chunk>> {
    let rows = sqlx::query!(
        "
        SELECT start_byte, end_byte, bytes FROM (
            SELECT start_byte, end_byte, bytes,
                   sum(end_byte - start_byte) OVER (ORDER BY start_byte)::bigint AS upto,
                   sum(end_byte - start_byte) OVER ()::bigint AS total
            FROM log_chunks
            WHERE run_id = $1 AND stream = $2 AND path_key = hashtextextended($3, 0) AND sha256 IS NULL
        ) here
        WHERE upto <= $4 AND total > $5
        ORDER BY start_byte
        ",
        run_id as RunId,
        log.stream().as_str(),
        log.path(),
        max_bytes,
        here_max,
    )
    .fetch_all(connection)
    .await?;
    let chunk = rows.into_iter().map(|row| Chunk {
        start_byte: row.start_byte,
        end_byte: row.end_byte,
        bytes: row.bytes,
        sha256: None,
    });
    Ok(chunk.collect())
}

/// Removes the pieces in the table from `start_byte` to `end_byte`. Returns how many bytes they held.
pub async fn remove(
    connection: &mut PgConnection,
    run_id: RunId,
    log: &LogName,
    (start_byte, end_byte): (i64, i64),
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        WITH gone AS (
            DELETE FROM log_chunks
            WHERE run_id = $1 AND stream = $2 AND path_key = hashtextextended($3, 0)
              AND start_byte >= $4 AND end_byte <= $5 AND sha256 IS NULL
            RETURNING end_byte - start_byte AS size
        )
        SELECT COALESCE(sum(size), 0)::bigint AS "size!" FROM gone
        "#,
        run_id as RunId,
        log.stream().as_str(),
        log.path(),
        start_byte,
        end_byte,
    )
    .fetch_one(connection)
    .await
}

/// Adds a piece that is a blob.
pub async fn insert_blob(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    log: &LogName,
    (start_byte, end_byte): (i64, i64),
    sha256: &Sha256Digest,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO log_chunks (run_id, project_id, stream, path, start_byte, end_byte, sha256)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ",
        run_id as RunId,
        project_id as ProjectId,
        log.stream().as_str(),
        log.path(),
        start_byte,
        end_byte,
        sha256.as_bytes(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the pieces of a log, because the whole of it is there now.
pub async fn clear(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    log: &LogName,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        DELETE FROM log_chunks
        WHERE project_id = $1 AND run_id = $2 AND stream = $3 AND path_key = hashtextextended($4, 0)
        ",
        project_id as ProjectId,
        run_id as RunId,
        log.stream().as_str(),
        log.path(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
