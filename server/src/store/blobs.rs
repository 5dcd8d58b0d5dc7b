//! The table `blobs`: which contents the object store holds, durably.

use otrace_wire::Sha256Digest;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::digest;
use crate::domain::ProjectId;

/// Writes down that the store holds a content. Call it only after its object is durable.
pub async fn insert(
    connection: &mut PgConnection,
    project_id: ProjectId,
    sha256: &Sha256Digest,
    size_bytes: i64,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO blobs (project_id, sha256, size_bytes, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (project_id, sha256) DO NOTHING
        ",
        project_id as ProjectId,
        sha256.as_bytes(),
        size_bytes,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Which of these contents the project holds, with their sizes in bytes.
pub async fn find_many(
    connection: &mut PgConnection,
    project_id: ProjectId,
    digests: &[Sha256Digest],
) -> sqlx::Result<Vec<(Sha256Digest, i64)>> {
    let digests: Vec<Vec<u8>> = digests.iter().map(|digest| digest.as_bytes().to_vec()).collect();
    let rows = sqlx::query!(
        "SELECT sha256, size_bytes FROM blobs WHERE project_id = $1 AND sha256 = ANY($2)",
        project_id as ProjectId,
        &digests,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(|row| digest(Some(row.sha256)).map(|sha256| (sha256, row.size_bytes))).collect())
}
