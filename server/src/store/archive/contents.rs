//! Which contents all objects of the store are to hold, whosever they are.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sqlx::PgConnection;

use crate::domain::ProjectId;
use crate::domain::blob::{Blob, Extent, Place};
use crate::store::digest;

/// All contents that lie in an object, in the order of the objects' keys.
pub fn in_objects(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<(ProjectId, Blob)>> {
    let rows = sqlx::query!(
        r#"
        SELECT project_id AS "project_id: ProjectId", sha256, size_bytes, object_id, object_start, frames
        FROM blobs
        WHERE place <> 'parts'
        ORDER BY project_id, object_id NULLS FIRST, sha256
        "#,
    )
    .fetch(connection);
    let content = rows.map(|row| {
        let row = row?;
        let extent = row.object_id.map(|object| Extent {
            object,
            start: row.object_start.unwrap_or(0).cast_unsigned(),
            frames: row.frames.map(|ends| ends.into_iter().map(i32::cast_unsigned).collect()),
        });
        let blob = Blob {
            sha256: digest(Some(row.sha256)).ok_or(sqlx::Error::RowNotFound)?,
            size_bytes: row.size_bytes.cast_unsigned(),
            place: extent.map_or(Place::Named, Place::Object),
        };
        Ok((row.project_id, blob))
    });
    content.boxed()
}

/// How many contents that are made of parts are not as long as these together.
pub async fn count_broken(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!"
        FROM blobs whole
        WHERE whole.place = 'parts' AND whole.size_bytes <> (
            SELECT COALESCE(sum(part.size_bytes), 0)
            FROM blob_parts p
            JOIN blobs part ON part.project_id = p.project_id AND part.sha256 = p.part_sha256
            WHERE p.project_id = whole.project_id AND p.sha256 = whole.sha256
        )
        "#,
    )
    .fetch_one(connection)
    .await
}
