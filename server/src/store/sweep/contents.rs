//! Contents that nothing needs: found, and removed while no reference to them can begin.
//!
//! The view `content_references` has every column that refers to a content. Who takes a reference locks the content's
//! row (`FOR KEY SHARE`, by the foreign key), and whoever removes it passes over rows that are locked, locks the others
//! and looks only then whether anything refers to them.

use otrace_wire::Sha256Digest;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::digest;
use crate::domain::ProjectId;

/// When the oldest import of the project was begun that has runs waiting, since `since`.
pub async fn staged_since(
    connection: &mut PgConnection,
    project_id: ProjectId,
    since: Option<OffsetDateTime>,
) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!(
        "
        SELECT min(i.created_at)
        FROM imports i
        WHERE i.project_id = $1 AND i.first_number IS NULL AND ($2::timestamptz IS NULL OR i.created_at >= $2)
        ",
        project_id as ProjectId,
        since,
    )
    .fetch_one(connection)
    .await
}

/// The next `limit` contents of the project, by hash, and which of them nothing needs as of this moment.
pub async fn page(
    connection: &mut PgConnection,
    project_id: ProjectId,
    after: Option<Sha256Digest>,
    as_of: OffsetDateTime,
    limit: i64,
) -> sqlx::Result<Vec<(Sha256Digest, bool)>> {
    let rows = sqlx::query!(
        r#"
        WITH page AS MATERIALIZED (
            SELECT sha256, kept_until FROM blobs
            WHERE project_id = $1 AND sha256 > $2
            ORDER BY sha256
            LIMIT $4
        )
        SELECT sha256 AS "sha256!",
               kept_until < $3 AND NOT is_content_needed($1, sha256, $3, 'epoch', 'epoch') AS "is_unneeded!"
        FROM page
        ORDER BY sha256
        "#,
        project_id as ProjectId,
        bytes(after),
        as_of,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((digest(Some(row.sha256))?, row.is_unneeded))).collect())
}

fn bytes(digest: Option<Sha256Digest>) -> Vec<u8> {
    digest.map(|digest| digest.as_bytes().to_vec()).unwrap_or_default()
}

fn all_bytes(digests: &[Sha256Digest]) -> Vec<Vec<u8>> {
    digests.iter().map(|digest| digest.as_bytes().to_vec()).collect()
}

/// Locks those of the contents that are kept no longer, until the transaction ends: no reference to them can begin.
/// One that somebody else has locked, such as for a reference that begins right now, is passed over.
pub async fn lock(
    connection: &mut PgConnection,
    project_id: ProjectId,
    digests: &[Sha256Digest],
    as_of: OffsetDateTime,
) -> sqlx::Result<Vec<Sha256Digest>> {
    let rows = sqlx::query_scalar!(
        "
        SELECT sha256 FROM blobs
        WHERE project_id = $1 AND sha256 = ANY($2) AND kept_until < $3
        ORDER BY sha256
        FOR UPDATE SKIP LOCKED
        ",
        project_id as ProjectId,
        &all_bytes(digests),
        as_of,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(|sha256| digest(Some(sha256))).collect())
}

/// The contents that these are made of, each once.
pub async fn parts_of(
    connection: &mut PgConnection,
    project_id: ProjectId,
    digests: &[Sha256Digest],
) -> sqlx::Result<Vec<Sha256Digest>> {
    let rows = sqlx::query_scalar!(
        "SELECT DISTINCT part_sha256 FROM blob_parts WHERE project_id = $1 AND sha256 = ANY($2)",
        project_id as ProjectId,
        &all_bytes(digests),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(|sha256| digest(Some(sha256))).collect())
}

/// A content whose row was removed.
#[derive(Clone, Copy, Debug)]
pub struct RemovedContent {
    /// Its hash.
    pub sha256: Sha256Digest,
    /// The object that it was in; `None`: one of its own, called after its hash, or none at all.
    pub object: Option<Uuid>,
    /// Whether it was in an object that is called after its hash.
    pub is_named: bool,
}

/// Removes the rows of those contents that nothing refers to. Call it while the transaction holds them ([`lock`]): only
/// a statement that begins after that sees every reference.
pub async fn remove_unneeded(
    connection: &mut PgConnection,
    project_id: ProjectId,
    locked: &[Sha256Digest],
) -> sqlx::Result<Vec<RemovedContent>> {
    let rows = sqlx::query!(
        r#"
        DELETE FROM blobs b
        WHERE b.project_id = $1 AND b.sha256 = ANY($2) AND NOT is_referred_to(b.project_id, b.sha256)
        RETURNING b.sha256, b.object_id, b.place = 'named' AS "is_named!"
        "#,
        project_id as ProjectId,
        &all_bytes(locked),
    )
    .fetch_all(connection)
    .await?;
    let removed = |sha256, object, is_named| Some(RemovedContent { sha256: digest(Some(sha256))?, object, is_named });
    Ok(rows.into_iter().filter_map(|row| removed(row.sha256, row.object_id, row.is_named)).collect())
}

/// Those of the projects that the database has, or once had: of each that it removed, the record of what was done in it
/// is left.
pub async fn known(connection: &mut PgConnection, projects: &[ProjectId]) -> sqlx::Result<Vec<ProjectId>> {
    sqlx::query_scalar!(
        r#"
        SELECT asked.id AS "id!: ProjectId"
        FROM unnest($1::uuid[]) AS asked (id)
        WHERE EXISTS (SELECT FROM projects p WHERE p.id = asked.id)
           OR EXISTS (SELECT FROM audit_events e WHERE e.chain_id = asked.id AND e.number = 1)
        "#,
        projects as &[ProjectId],
    )
    .fetch_all(connection)
    .await
}

/// Those of the objects that rows name, with their projects.
pub async fn named_objects(connection: &mut PgConnection, objects: &[Uuid]) -> sqlx::Result<Vec<(ProjectId, Uuid)>> {
    let rows = sqlx::query!(
        r#"
        SELECT DISTINCT project_id AS "project_id!: ProjectId", object_id AS "object_id!"
        FROM blobs
        WHERE object_id = ANY($1) AND object_id IS NOT NULL
        "#,
        objects,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.project_id, row.object_id)).collect())
}

/// Those of the contents that are in an object called after their hash.
pub async fn named_contents(
    connection: &mut PgConnection,
    contents: &[(ProjectId, Sha256Digest)],
) -> sqlx::Result<Vec<(ProjectId, Sha256Digest)>> {
    let projects: Vec<ProjectId> = contents.iter().map(|(project_id, _)| *project_id).collect();
    let digests: Vec<Vec<u8>> = contents.iter().map(|(_, digest)| digest.as_bytes().to_vec()).collect();
    let rows = sqlx::query!(
        r#"
        SELECT b.project_id AS "project_id: ProjectId", b.sha256
        FROM unnest($1::uuid[], $2::bytea[]) AS asked (project_id, sha256)
        JOIN blobs b ON b.project_id = asked.project_id AND b.sha256 = asked.sha256
        WHERE b.place = 'named'
        "#,
        &projects as &[ProjectId],
        &digests,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.project_id, digest(Some(row.sha256))?))).collect())
}

/// From when on nothing counts as deleted, and until when artifacts count as expired, in a rehearsal.
#[derive(Clone, Copy, Debug)]
pub struct Supposed {
    /// Contents that are kept until later stay.
    pub as_of: OffsetDateTime,
    /// Runs that were deleted before are taken for gone.
    pub deleted_before: OffsetDateTime,
    /// Artifacts that expire by then are taken to have lost their contents.
    pub expired_by: OffsetDateTime,
}

/// A content that a sweep would remove.
#[derive(Clone, Copy, Debug)]
pub struct DoomedContent {
    /// Its hash.
    pub sha256: Sha256Digest,
    /// Why: 0 to 2, as `why_content_goes` numbers it.
    pub why: i32,
    /// The object that it is in.
    pub object: Option<Uuid>,
    /// Whether it is in an object that is called after its hash.
    pub is_named: bool,
}

/// Of the next `limit` contents of the project, by hash, those that a sweep would remove; and the last of all.
pub async fn doomed_page(
    connection: &mut PgConnection,
    project_id: ProjectId,
    after: Option<Sha256Digest>,
    supposed: Supposed,
    limit: i64,
) -> sqlx::Result<(Vec<DoomedContent>, Option<Sha256Digest>)> {
    let rows = sqlx::query!(
        r#"
        WITH page AS MATERIALIZED (
            SELECT sha256, kept_until, object_id, place FROM blobs
            WHERE project_id = $1 AND sha256 > $2
            ORDER BY sha256
            LIMIT $6
        )
        SELECT sha256 AS "sha256!", object_id, place = 'named' AS "is_named!",
               why_content_goes($1, sha256, kept_until, $3, $4, $5) AS why
        FROM page
        ORDER BY sha256
        "#,
        project_id as ProjectId,
        bytes(after),
        supposed.as_of,
        supposed.deleted_before,
        supposed.expired_by,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let last = rows.last().and_then(|row| digest(Some(row.sha256.clone())));
    let doomed = rows.into_iter().filter_map(|row| {
        let (sha256, why) = (digest(Some(row.sha256))?, row.why?);
        Some(DoomedContent { sha256, why, object: row.object_id, is_named: row.is_named })
    });
    Ok((doomed.collect(), last))
}

/// Those of the objects of which nothing would be left, and why the last content in each would go. An object counts
/// where its first content comes after `after`, so that it counts once while pages are turned.
pub async fn doomed_objects(
    connection: &mut PgConnection,
    project_id: ProjectId,
    objects: &[Uuid],
    after: Option<Sha256Digest>,
    supposed: Supposed,
) -> sqlx::Result<Vec<(Uuid, i32)>> {
    let rows = sqlx::query!(
        r#"
        WITH within AS MATERIALIZED (
            SELECT object_id, sha256, why_content_goes($1, sha256, kept_until, $4, $5, $6) AS why
            FROM blobs
            WHERE project_id = $1 AND object_id = ANY($2)
        ), first AS (
            SELECT DISTINCT ON (object_id) object_id, sha256 FROM within ORDER BY object_id, sha256
        )
        SELECT within.object_id AS "object_id!", max(within.why) AS "why!"
        FROM within
        JOIN first ON first.object_id = within.object_id AND first.sha256 > $3
        GROUP BY within.object_id
        HAVING count(within.why) = count(*)
        "#,
        project_id as ProjectId,
        objects,
        bytes(after),
        supposed.as_of,
        supposed.deleted_before,
        supposed.expired_by,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.object_id, row.why)).collect())
}
