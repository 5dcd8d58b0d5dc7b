//! The tables `snapshots` and `snapshot_files`.

use serde_json::Value;
use sqlx::PgConnection;

use super::{array, digest, unknown_word};
use crate::domain::snapshot::SnapshotFile;
use crate::domain::{ProjectId, RunId, Snapshot};

/// Replaces a run's snapshot and its files.
pub async fn replace(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    snapshot: &Snapshot,
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM snapshots WHERE run_id = $1 AND project_id = $2",
        run_id as RunId,
        project_id as ProjectId
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM snapshot_files WHERE run_id = $1 AND project_id = $2",
        run_id as RunId,
        project_id as ProjectId
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "
        INSERT INTO snapshots (run_id, project_id, git_commit, git_branch, git_remote_url, git_dirty, dirty_diff_path,
                               staged_diff_path, dependency_files, dependency_file_copies, python_version, platform,
                               hostname, requirements_hash, stdout_log_path, stderr_log_path, observed_artifacts,
                               missing_expected_paths, evidence, rebuild, hardware)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
        ",
        run_id as RunId,
        project_id as ProjectId,
        snapshot.git_commit,
        snapshot.git_branch,
        snapshot.git_remote_url,
        snapshot.git_dirty,
        snapshot.dirty_diff_path,
        snapshot.staged_diff_path,
        &snapshot.dependency_files,
        &snapshot.dependency_file_copies,
        snapshot.python_version,
        snapshot.platform,
        snapshot.hostname,
        snapshot.requirements_hash,
        snapshot.stdout_log_path,
        snapshot.stderr_log_path,
        Value::Array(snapshot.observed_artifacts.clone()),
        Value::Array(snapshot.missing_expected_paths.clone()),
        Value::Array(snapshot.evidence.clone()),
        snapshot.rebuild.as_ref().and_then(|rebuild| serde_json::to_value(rebuild).ok()),
        snapshot.hardware.as_ref().and_then(|hardware| serde_json::to_value(hardware).ok()),
    )
    .execute(&mut *connection)
    .await?;
    for file in &snapshot.files {
        insert_file(connection, project_id, run_id, file).await?;
    }
    Ok(())
}

async fn insert_file(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    file: &SnapshotFile,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO snapshot_files (run_id, project_id, position, kind, path, size_bytes, sha256)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ",
        run_id as RunId,
        project_id as ProjectId,
        file.position,
        file.kind.as_str(),
        file.path,
        file.size_bytes,
        file.sha256.as_bytes(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds to a snapshot's evidence; a run without a snapshot gets one. `false`: it has `limit` entries already.
pub async fn add_evidence(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    evidence: Vec<Value>,
    limit: i32,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        INSERT INTO snapshots (run_id, project_id, evidence)
        VALUES ($1, $2, $3)
        ON CONFLICT (run_id) DO UPDATE
        -- What is there already is not added again: the request may have come before.
        SET evidence = snapshots.evidence || COALESCE((
            SELECT jsonb_agg(new.entry ORDER BY new.place)
            FROM jsonb_array_elements(EXCLUDED.evidence) WITH ORDINALITY AS new (entry, place)
            WHERE NOT EXISTS (
                SELECT 1 FROM jsonb_array_elements(snapshots.evidence) AS old (entry) WHERE old.entry = new.entry
            )
        ), '[]')
        WHERE jsonb_array_length(snapshots.evidence) < $4
        ",
        run_id as RunId,
        project_id as ProjectId,
        Value::Array(evidence),
        limit,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The snapshots of these runs, with their files.
pub async fn list(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<(RunId, Snapshot)>> {
    let mut files = list_files(connection, project_id, runs).await?;
    let rows = sqlx::query!(
        r#"
        SELECT run_id AS "run_id: RunId", git_commit, git_branch, git_remote_url, git_dirty, dirty_diff_path,
               staged_diff_path, dependency_files, dependency_file_copies, python_version, platform, hostname,
               requirements_hash, stdout_log_path, stderr_log_path, observed_artifacts, missing_expected_paths, evidence,
               rebuild, hardware
        FROM snapshots
        WHERE project_id = $1 AND run_id = ANY($2)
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await?;
    let snapshot = rows.into_iter().map(|row| {
        let snapshot = Snapshot {
            git_commit: row.git_commit,
            git_branch: row.git_branch,
            git_remote_url: row.git_remote_url,
            git_dirty: row.git_dirty,
            dirty_diff_path: row.dirty_diff_path,
            staged_diff_path: row.staged_diff_path,
            dependency_files: row.dependency_files,
            dependency_file_copies: row.dependency_file_copies,
            python_version: row.python_version,
            platform: row.platform,
            hostname: row.hostname,
            requirements_hash: row.requirements_hash,
            stdout_log_path: row.stdout_log_path,
            stderr_log_path: row.stderr_log_path,
            observed_artifacts: array(row.observed_artifacts),
            missing_expected_paths: array(row.missing_expected_paths),
            evidence: array(row.evidence),
            rebuild: row.rebuild.and_then(|rebuild| serde_json::from_value(rebuild).ok()),
            hardware: row.hardware.and_then(|hardware| serde_json::from_value(hardware).ok()),
            files: files.extract_if(.., |(run_id, _)| *run_id == row.run_id).map(|(_, file)| file).collect(),
        };
        (row.run_id, snapshot)
    });
    Ok(snapshot.collect())
}

async fn list_files(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
) -> sqlx::Result<Vec<(RunId, SnapshotFile)>> {
    let rows = sqlx::query!(
        r#"
        SELECT run_id AS "run_id: RunId", position, kind, path, size_bytes, sha256
        FROM snapshot_files
        WHERE project_id = $1 AND run_id = ANY($2)
        ORDER BY run_id, position
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let file = SnapshotFile {
                position: row.position,
                kind: row.kind.parse().map_err(unknown_word)?,
                path: row.path,
                size_bytes: row.size_bytes,
                sha256: digest(Some(row.sha256)).ok_or(sqlx::Error::RowNotFound)?,
            };
            Ok((row.run_id, file))
        })
        .collect()
}
