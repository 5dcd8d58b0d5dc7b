//! The table `artifacts`.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::digest;
use crate::domain::retention::DeletedContent;
use crate::domain::{Artifact, ArtifactId, ProjectId, RunId};

/// Removes a run's artifacts. Their contents stay until a sweep finds that nothing refers to them.
pub async fn clear(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM artifacts WHERE run_id = $1 AND project_id = $2",
        run_id as RunId,
        project_id as ProjectId
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds artifacts to a run, in this order: one statement, however many.
pub async fn insert_all(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    artifacts: &[Artifact],
) -> sqlx::Result<()> {
    let texts = |of: fn(&Artifact) -> &Option<String>| artifacts.iter().map(|artifact| of(artifact).clone()).collect();
    let local_ids: Vec<Option<String>> = texts(|artifact| &artifact.local_artifact_id);
    let original_paths: Vec<Option<String>> = texts(|artifact| &artifact.original_path);
    let stored_paths: Vec<Option<String>> = texts(|artifact| &artifact.stored_path);
    let hashes: Vec<Option<String>> = texts(|artifact| &artifact.hash);
    let digests = artifacts.iter().map(|artifact| artifact.sha256.map(|digest| digest.as_bytes().to_vec()));
    sqlx::query!(
        "
        INSERT INTO artifacts (id, run_id, project_id, position, local_artifact_id, original_path, stored_path, kind,
                               size_bytes, hash, content_type, sha256, captured_at)
        SELECT a.id, $1, $2, a.position - 1, a.local_artifact_id, a.original_path, a.stored_path, a.kind,
               a.size_bytes, a.hash, a.content_type, a.sha256, a.captured_at
        FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[],
                    $11::bytea[], $12::timestamptz[])
             WITH ORDINALITY AS a (id, local_artifact_id, original_path, stored_path, kind, size_bytes, hash,
                                   content_type, sha256, captured_at, position)
        ",
        run_id as RunId,
        project_id as ProjectId,
        &artifacts.iter().map(|artifact| artifact.id.0).collect::<Vec<_>>(),
        &local_ids as &[Option<String>],
        &original_paths as &[Option<String>],
        &stored_paths as &[Option<String>],
        &artifacts.iter().map(|artifact| artifact.kind.clone()).collect::<Vec<_>>(),
        &artifacts.iter().map(|artifact| artifact.size_bytes).collect::<Vec<_>>(),
        &hashes as &[Option<String>],
        &artifacts.iter().map(|artifact| artifact.content_type.clone()).collect::<Vec<_>>(),
        &digests.collect::<Vec<_>>() as &[Option<Vec<u8>>],
        &artifacts.iter().map(|artifact| artifact.captured_at).collect::<Vec<_>>() as &[Option<OffsetDateTime>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The artifacts of these runs, each run's in the order in which the client told them.
pub async fn list(connection: &mut PgConnection, project_id: ProjectId, runs: &[RunId]) -> sqlx::Result<Vec<Artifact>> {
    let rows = sqlx::query_as!(
        ArtifactRow,
        r#"
        SELECT id, run_id, local_artifact_id, original_path, stored_path, kind, size_bytes, hash, content_type, sha256,
               captured_at, content_deleted_at, content_deleted_by
        FROM artifacts
        WHERE project_id = $1 AND run_id = ANY($2)
        ORDER BY run_id, position
        "#,
        project_id as ProjectId,
        runs as &[RunId],
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Artifact::from).collect())
}

/// The project's artifact with this id; not found when its run or the project is deleted.
pub async fn find(
    connection: &mut PgConnection,
    project_id: ProjectId,
    id: ArtifactId,
) -> sqlx::Result<Option<Artifact>> {
    let row = sqlx::query_as!(
        ArtifactRow,
        "
        SELECT a.id, a.run_id, a.local_artifact_id, a.original_path, a.stored_path, a.kind, a.size_bytes, a.hash,
               a.content_type, a.sha256, a.captured_at, a.content_deleted_at, a.content_deleted_by
        FROM artifacts a
        JOIN runs r ON r.id = a.run_id
        WHERE a.project_id = $1 AND a.id = $2 AND r.deleted_at IS NULL
          AND EXISTS (SELECT FROM projects p WHERE p.id = $1 AND p.deleted_at IS NULL)
        ",
        project_id as ProjectId,
        id as ArtifactId,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Artifact::from))
}

struct ArtifactRow {
    id: Uuid,
    run_id: Uuid,
    local_artifact_id: Option<String>,
    original_path: Option<String>,
    stored_path: Option<String>,
    kind: String,
    size_bytes: i64,
    hash: Option<String>,
    content_type: String,
    sha256: Option<Vec<u8>>,
    captured_at: Option<OffsetDateTime>,
    content_deleted_at: Option<OffsetDateTime>,
    content_deleted_by: Option<String>,
}

impl From<ArtifactRow> for Artifact {
    fn from(row: ArtifactRow) -> Self {
        Self {
            id: ArtifactId(row.id),
            run_id: RunId(row.run_id),
            local_artifact_id: row.local_artifact_id,
            original_path: row.original_path,
            stored_path: row.stored_path,
            kind: row.kind,
            size_bytes: row.size_bytes,
            hash: row.hash,
            content_type: row.content_type,
            sha256: digest(row.sha256),
            captured_at: row.captured_at,
            deleted: row
                .content_deleted_at
                .map(|at| DeletedContent { at, rule: row.content_deleted_by.unwrap_or_default() }),
        }
    }
}
