//! The table `logs`.

use otrace_wire::{LogStream, Sha256Digest};
use sqlx::PgConnection;

use super::digest;
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
        INSERT INTO logs (run_id, project_id, position, stream, path, size_bytes, sha256, captured_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ",
        run_id as RunId,
        project_id as ProjectId,
        log.position,
        log.stream.as_str(),
        log.path,
        log.size_bytes,
        log.sha256.as_ref().map(Sha256Digest::as_bytes) as Option<&[u8; 32]>,
        log.captured_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The logs of these runs, each run's in the order in which the client told them.
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
        };
        (row.run_id, log)
    });
    Ok(log.collect())
}

/// The stream that a text column names; the schema limits it to the three.
pub(super) fn stream_named(name: &str) -> LogStream {
    match name {
        "stdout" => LogStream::Stdout,
        "stderr" => LogStream::Stderr,
        _ => LogStream::Log,
    }
}
