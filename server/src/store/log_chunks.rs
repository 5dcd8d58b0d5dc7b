//! The table `log_chunks`: what runs print while they run.

use otrace_wire::{LogStream, Sha256Digest};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::digest;
use super::logs::stream_named;
use crate::domain::log_times::Stretch;
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

/// What is to be appended to a log.
#[derive(Clone, Copy, Debug)]
pub struct NewPiece<'a> {
    /// The place of its first byte.
    pub offset: i64,
    /// What it says.
    pub bytes: &'a [u8],
    /// When it came, in microseconds since 1970.
    pub came_at: i64,
}

/// Appends what is new of a piece; of what begins beyond the end nothing is taken, nor of one log file more than
/// `files_max`. A stream's piece is kept with its place among the pieces of both streams.
///
/// Call it only while the transaction holds the run's row: then there is one writer at a time.
pub async fn append(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    log: &LogName,
    piece: NewPiece<'_>,
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
            ) AS known, (
                SELECT end_byte FROM log_chunks
                WHERE run_id = $1::uuid AND path_key = hashtextextended('', 0)
                  AND stream = CASE $3::text WHEN 'stdout' THEN 'stderr' ELSE 'stdout' END
                ORDER BY start_byte DESC
                LIMIT 1
            ) AS beside
        ), placed AS (
            SELECT whole, known,
                   CASE WHEN $3::text <> 'log' THEN COALESCE(known, 0) + COALESCE(beside, 0) END AS joint
            FROM here
        ), added AS (
            INSERT INTO log_chunks (run_id, project_id, stream, path, start_byte, end_byte, bytes, joint_start, turns)
            SELECT $1::uuid, $2::uuid, $3::text, $4::text, COALESCE(known, 0), $5::bigint + length($6::bytea),
                   substring($6::bytea FROM (COALESCE(known, 0) - $5::bigint + 1)::integer), joint,
                   CASE WHEN joint IS NOT NULL
                        THEN jsonb_build_array(jsonb_build_array(COALESCE(known, 0), joint, $8::bigint)) END
            FROM placed
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
        piece.offset,
        piece.bytes,
        files_max,
        piece.came_at,
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

/// Of the pieces that one is made of: the place of each in its stream, its place in both streams, and when it came, in
/// microseconds since 1970.
pub type Turns = Vec<[i64; 3]>;

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

/// A piece that is still in the table.
#[derive(Clone, Debug)]
pub struct ChunkHere {
    /// Its first byte's place in the log.
    pub start_byte: i64,
    /// Where it ends.
    pub end_byte: i64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it is made of; `None` where its place in both streams is not known.
    pub turns: Option<Json<Turns>>,
}

/// The oldest pieces of a log that are still in the table, as many as hold `max_bytes`: none where fewer than
/// `here_max` bytes of it are in the table altogether.
pub async fn oldest_here(
    connection: &mut PgConnection,
    run_id: RunId,
    log: &LogName,
    max_bytes: i64,
    here_max: i64,
) -> sqlx::Result<Vec<ChunkHere>> {
    sqlx::query_as!(
        ChunkHere,
        r#"
        SELECT start_byte, end_byte, bytes AS "bytes!", turns AS "turns?: Json<Turns>" FROM (
            SELECT start_byte, end_byte, bytes, turns,
                   sum(end_byte - start_byte) OVER (ORDER BY start_byte)::bigint AS upto,
                   sum(end_byte - start_byte) OVER ()::bigint AS total
            FROM log_chunks
            WHERE run_id = $1 AND stream = $2 AND path_key = hashtextextended($3, 0) AND sha256 IS NULL
        ) here
        WHERE upto <= $4 AND total > $5
        ORDER BY start_byte
        "#,
        run_id as RunId,
        log.stream().as_str(),
        log.path(),
        max_bytes,
        here_max,
    )
    .fetch_all(connection)
    .await
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

/// Whether of all that a run's two streams have it is known in which order it came.
pub async fn are_joint(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT NOT EXISTS (
            SELECT FROM log_chunks
            WHERE project_id = $1 AND run_id = $2 AND joint_start IS NULL AND stream <> 'log'
        ) AS "joint!"
        "#,
        project_id as ProjectId,
        run_id as RunId,
    )
    .fetch_one(connection)
    .await
}

/// The parts of a stream that hold anything from `from` to `to`, which are places in both streams, in order.
pub async fn turns(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    stream: LogStream,
    (from, to): (i64, i64),
) -> sqlx::Result<Vec<Stretch>> {
    let rows = sqlx::query!(
        r#"
        SELECT end_byte, turns AS "turns!: Json<Turns>" FROM log_chunks
        WHERE project_id = $1 AND run_id = $2 AND stream = $3 AND turns IS NOT NULL
          -- From the piece on in which the first byte may be.
          AND joint_start >= COALESCE((
              SELECT max(joint_start) FROM log_chunks WHERE run_id = $2 AND stream = $3 AND joint_start <= $4
          ), 0)
          AND joint_start < $5
        ORDER BY joint_start
        "#,
        project_id as ProjectId,
        run_id as RunId,
        stream.as_str(),
        from,
        to,
    )
    .fetch_all(connection)
    .await?;
    let stretches = rows.into_iter().flat_map(|row| {
        let Json(turns) = row.turns;
        let ends: Vec<i64> = turns.iter().skip(1).map(|[start, ..]| *start).chain([row.end_byte]).collect();
        turns.into_iter().zip(ends).map(move |([start, at, came_at], end)| Stretch {
            stream,
            at,
            start,
            length: end - start,
            came_at,
        })
    });
    Ok(stretches.collect())
}

/// Adds a piece that is a blob, and what it is made of, where that is known.
pub async fn insert_blob(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    log: &LogName,
    (start_byte, end_byte): (i64, i64),
    sha256: &Sha256Digest,
    turns: Option<&Turns>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO log_chunks (run_id, project_id, stream, path, start_byte, end_byte, sha256, joint_start, turns)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ",
        run_id as RunId,
        project_id as ProjectId,
        log.stream().as_str(),
        log.path(),
        start_byte,
        end_byte,
        sha256.as_bytes(),
        turns.and_then(|turns| turns.first()).map(|[_, joint_start, _]| *joint_start),
        turns.and_then(|turns| serde_json::to_value(turns).ok()),
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
