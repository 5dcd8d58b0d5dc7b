//! The table `logs`.

use otrace_wire::{LogStream, Sha256Digest};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::digest;
use crate::domain::log_times::LogTimes;
use crate::domain::{Log, ProjectId, RunId};

/// Removes a run's logs.
pub async fn clear(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM logs WHERE run_id = $1 AND project_id = $2", run_id as RunId, project_id as ProjectId)
        .execute(connection)
        .await?;
    Ok(())
}

/// Adds one log to a run.
pub async fn insert(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    log: &Log,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO logs (run_id, project_id, position, stream, path, size_bytes, sha256, captured_at, times)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ",
        run_id as RunId,
        project_id as ProjectId,
        log.position,
        log.stream.as_str(),
        log.path,
        log.size_bytes,
        log.sha256.as_ref().map(Sha256Digest::as_bytes) as Option<&[u8; 32]>,
        log.captured_at,
        log.times.as_ref().and_then(|times| serde_json::to_value(times).ok()),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The logs of these runs, each run's in the order in which the client told them. Their times are long, and are not
/// among it: see [`times`].
pub async fn list(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<(RunId, Log)>> {
    let rows = sqlx::query!(
        r#"
        SELECT run_id AS "run_id: RunId", position, stream, path, size_bytes, sha256, captured_at
        FROM logs
        WHERE project_id = $1 AND run_id = ANY($2)
        ORDER BY run_id, position
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await?;
    let log = rows.into_iter().map(|row| {
        let log = Log {
            position: row.position,
            stream: stream_named(&row.stream),
            path: row.path,
            size_bytes: row.size_bytes,
            sha256: digest(row.sha256),
            captured_at: row.captured_at,
            times: None,
        };
        (row.run_id, log)
    });
    Ok(log.collect())
}

/// When the parts of these runs' logs came, for each log of which it is known: its run, its position, its times.
pub async fn times(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<(RunId, i32, LogTimes)>> {
    let rows = sqlx::query!(
        r#"
        SELECT run_id AS "run_id: RunId", position, times AS "times!: Json<LogTimes>"
        FROM logs
        WHERE project_id = $1 AND run_id = ANY($2) AND times IS NOT NULL
        ORDER BY run_id, position
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.run_id, row.position, row.times.0)).collect())
}

/// Whether of all logs at these positions it is known when their parts came.
pub async fn have_times(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    positions: &[i32],
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) = cardinality($3::integer[]) AS "known!"
        FROM logs
        WHERE project_id = $1 AND run_id = $2 AND position = ANY($3) AND times IS NOT NULL
        "#,
        project_id as ProjectId,
        run_id as RunId,
        positions,
    )
    .fetch_one(connection)
    .await
}

/// The stream that a text column names; the schema limits it to the three.
pub(super) fn stream_named(name: &str) -> LogStream {
    match name {
        "stdout" => LogStream::Stdout,
        "stderr" => LogStream::Stderr,
        _ => LogStream::Log,
    }
}
