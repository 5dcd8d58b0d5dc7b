//! The tables `blobs` and `blob_parts`: which contents the store holds, durably, and where.

use otrace_wire::Sha256Digest;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{digest, unknown_word};
use crate::domain::ProjectId;
use crate::domain::blob::{Blob, Extent, HELD_TO_WITHIN, Place, kept_until};

/// Writes down what objects hold. Call it only after they are durable. Returns which contents are new here: the others
/// are held by other objects already, and kept as if they were new.
pub async fn insert_many(
    connection: &mut PgConnection,
    project_id: ProjectId,
    blobs: &[(Sha256Digest, u64, Extent)],
    now: OffsetDateTime,
) -> sqlx::Result<Vec<Sha256Digest>> {
    let digests: Vec<Vec<u8>> = blobs.iter().map(|(sha256, ..)| sha256.as_bytes().to_vec()).collect();
    let sizes: Vec<i64> = blobs.iter().map(|(_, size, _)| size.cast_signed()).collect();
    let kept: Vec<OffsetDateTime> = blobs.iter().map(|(_, size, _)| kept_until(*size, now)).collect();
    let objects: Vec<Uuid> = blobs.iter().map(|(.., extent)| extent.object).collect();
    let starts: Vec<i64> = blobs.iter().map(|(.., extent)| extent.start.cast_signed()).collect();
    // PostgreSQL has no arrays of arrays of several lengths.
    let frames: Vec<Option<String>> = blobs.iter().map(|(.., extent)| extent.frames.as_deref().map(as_array)).collect();
    let written = sqlx::query!(
        "
        INSERT INTO blobs
            (project_id, sha256, size_bytes, created_at, kept_until, place, object_id, object_start, frames)
        -- The same content may come twice.
        SELECT DISTINCT ON (sha256)
               $1::uuid, sha256, size_bytes, $2::timestamptz, kept_until, 'object', object_id, object_start,
               frames::integer[]
        FROM unnest($3::bytea[], $4::bigint[], $5::timestamptz[], $6::uuid[], $7::bigint[], $8::text[])
            AS new (sha256, size_bytes, kept_until, object_id, object_start, frames)
        ON CONFLICT (project_id, sha256) DO UPDATE
        SET kept_until = GREATEST(blobs.kept_until, EXCLUDED.kept_until)
        RETURNING sha256, object_id
        ",
        project_id as ProjectId,
        now,
        &digests,
        &sizes,
        &kept,
        &objects,
        &starts,
        &frames as &[Option<String>],
    )
    .fetch_all(connection)
    .await?;
    let is_new = |object: Option<Uuid>| object.is_some_and(|object| objects.contains(&object));
    let new = written.into_iter().filter(|row| is_new(row.object_id));
    Ok(new.filter_map(|row| digest(Some(row.sha256))).collect())
}

fn as_array(frames: &[u32]) -> String {
    let ends: Vec<String> = frames.iter().map(ToString::to_string).collect();
    format!("{{{}}}", ends.join(","))
}

/// Writes down a content that is made of others, the first first, which are all written down.
pub async fn insert_parts(
    connection: &mut PgConnection,
    project_id: ProjectId,
    sha256: &Sha256Digest,
    size_bytes: u64,
    parts: &[Sha256Digest],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.as_bytes().to_vec()).collect();
    sqlx::query!(
        "
        WITH new AS (
            INSERT INTO blobs (project_id, sha256, size_bytes, created_at, kept_until, place)
            VALUES ($1, $2, $3, $4, $6, 'parts')
            ON CONFLICT (project_id, sha256) DO NOTHING
            RETURNING project_id, sha256
        )
        INSERT INTO blob_parts (project_id, sha256, position, part_sha256)
        SELECT new.project_id, new.sha256, part.position - 1, part.sha256
        FROM new, unnest($5::bytea[]) WITH ORDINALITY AS part (sha256, position)
        ",
        project_id as ProjectId,
        sha256.as_bytes(),
        size_bytes.cast_signed(),
        now,
        &parts,
        kept_until(size_bytes, now),
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

/// The same for who means to refer to them, or to tell a client that it need not send them: they are kept for a day
/// from now on, if nothing refers to them until then. One that a sweep removes at this moment is not held.
pub async fn hold_many(
    connection: &mut PgConnection,
    project_id: ProjectId,
    digests: &[Sha256Digest],
    now: OffsetDateTime,
) -> sqlx::Result<Vec<(Sha256Digest, i64)>> {
    let digests: Vec<Vec<u8>> = digests.iter().map(|digest| digest.as_bytes().to_vec()).collect();
    let rows = sqlx::query!(
        "SELECT sha256, size_bytes, kept_until FROM blobs WHERE project_id = $1 AND sha256 = ANY($2)",
        project_id as ProjectId,
        &digests,
    )
    .fetch_all(&mut *connection)
    .await?;
    let (mut due, mut until, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let wanted = kept_until(row.size_bytes.cast_unsigned(), now);
        if row.kept_until < wanted - HELD_TO_WITHIN {
            due.push(row.sha256);
            until.push(wanted);
        } else {
            held.extend(digest(Some(row.sha256)).map(|sha256| (sha256, row.size_bytes)));
        }
    }
    if due.is_empty() {
        return Ok(held);
    }
    // In one order, so that two requests never wait for one another; and for a sweep that holds one of them.
    let kept = sqlx::query!(
        "
        WITH due AS MATERIALIZED (
            SELECT b.sha256, wanted.kept_until
            FROM unnest($2::bytea[], $3::timestamptz[]) AS wanted (sha256, kept_until)
            JOIN blobs b ON b.project_id = $1 AND b.sha256 = wanted.sha256
            ORDER BY b.sha256
            FOR NO KEY UPDATE OF b
        )
        UPDATE blobs
        SET kept_until = GREATEST(blobs.kept_until, due.kept_until)
        FROM due
        WHERE blobs.project_id = $1 AND blobs.sha256 = due.sha256
        RETURNING blobs.sha256, blobs.size_bytes
        ",
        project_id as ProjectId,
        &due,
        &until,
    )
    .fetch_all(connection)
    .await?;
    held.extend(kept.into_iter().filter_map(|row| digest(Some(row.sha256)).map(|sha256| (sha256, row.size_bytes))));
    Ok(held)
}

/// A row, before it is one of a content's.
struct Row {
    sha256: Vec<u8>,
    size_bytes: i64,
    place: String,
    object_id: Option<Uuid>,
    object_start: Option<i64>,
    frames: Option<Vec<i32>>,
}

impl TryFrom<Row> for Blob {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let place = match (row.place.as_str(), row.object_id) {
            ("named", _) => Place::Named,
            ("parts", _) => Place::Parts,
            ("object", Some(object)) => Place::Object(Extent {
                object,
                start: row.object_start.unwrap_or(0).cast_unsigned(),
                frames: row.frames.map(|ends| ends.into_iter().map(i32::cast_unsigned).collect()),
            }),
            (other, _) => return Err(unknown_word(std::io::Error::other(format!("the place {other}")))),
        };
        let sha256 = digest(Some(row.sha256)).ok_or(sqlx::Error::RowNotFound)?;
        Ok(Self { sha256, size_bytes: row.size_bytes.cast_unsigned(), place })
    }
}

/// A content of the project's, and where it is.
pub async fn find(
    connection: &mut PgConnection,
    project_id: ProjectId,
    sha256: &Sha256Digest,
) -> sqlx::Result<Option<Blob>> {
    let row = sqlx::query_as!(
        Row,
        "
        SELECT sha256, size_bytes, place, object_id, object_start, frames
        FROM blobs
        WHERE project_id = $1 AND sha256 = $2
        ",
        project_id as ProjectId,
        sha256.as_bytes(),
    )
    .fetch_optional(connection)
    .await?;
    row.map(Blob::try_from).transpose()
}

/// Contents of the project's by their hashes, in no order, each once.
pub async fn places(
    connection: &mut PgConnection,
    project_id: ProjectId,
    digests: &[Sha256Digest],
) -> sqlx::Result<Vec<Blob>> {
    let digests: Vec<Vec<u8>> = digests.iter().map(|digest| digest.as_bytes().to_vec()).collect();
    let rows = sqlx::query_as!(
        Row,
        "
        SELECT sha256, size_bytes, place, object_id, object_start, frames
        FROM blobs
        WHERE project_id = $1 AND sha256 = ANY($2)
        ",
        project_id as ProjectId,
        &digests,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Blob::try_from).collect()
}

/// At most `limit` parts of a content from the one at `first` on, in their order.
pub async fn parts(
    connection: &mut PgConnection,
    project_id: ProjectId,
    sha256: &Sha256Digest,
    first: i32,
    limit: i64,
) -> sqlx::Result<Vec<Blob>> {
    let rows = sqlx::query_as!(
        Row,
        "
        SELECT part.sha256, part.size_bytes, part.place, part.object_id, part.object_start, part.frames
        FROM blob_parts
        JOIN blobs AS part ON part.project_id = blob_parts.project_id AND part.sha256 = blob_parts.part_sha256
        WHERE blob_parts.project_id = $1 AND blob_parts.sha256 = $2 AND blob_parts.position >= $3
        ORDER BY blob_parts.position
        LIMIT $4
        ",
        project_id as ProjectId,
        sha256.as_bytes(),
        first,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Blob::try_from).collect()
}
