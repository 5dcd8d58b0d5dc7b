//! The table `retention_rules`, the tags that spare runs from them, and the contents that they delete.

use otrace_wire::Sha256Digest;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::digest;
use crate::domain::retention::{NewRule, Rule, like_pattern};
use crate::domain::{ProjectId, RunId};

/// The rules of a project, the oldest first.
pub async fn rules(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Vec<Rule>> {
    let rows = sqlx::query!(
        "
        SELECT id, kind, path, after_days, created_at
        FROM retention_rules
        WHERE project_id = $1
        ORDER BY created_at, id
        ",
        project_id as ProjectId,
    )
    .fetch_all(connection)
    .await?;
    let rule = rows.into_iter().map(|row| Rule {
        id: row.id,
        rule: NewRule { kind: row.kind, path: row.path, after_days: row.after_days },
        created_at: row.created_at,
    });
    Ok(rule.collect())
}

/// Adds a rule to a project.
pub async fn insert(
    connection: &mut PgConnection,
    project_id: ProjectId,
    rule: &NewRule,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO retention_rules
            (id, project_id, kind, path, kind_pattern, path_pattern, after_days, summary, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ",
        Uuid::now_v7(),
        project_id as ProjectId,
        rule.kind,
        rule.path,
        like_pattern(&rule.kind),
        like_pattern(&rule.path),
        rule.after_days,
        rule.summary(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes a rule, and returns what it said. `None`: the project has no such rule.
pub async fn remove(connection: &mut PgConnection, project_id: ProjectId, id: Uuid) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "DELETE FROM retention_rules WHERE project_id = $1 AND id = $2 RETURNING summary",
        project_id as ProjectId,
        id,
    )
    .fetch_optional(connection)
    .await
}

/// The tags that spare a run from the rules; none: any tag does.
pub async fn sparing_tags(connection: &mut PgConnection, project_id: ProjectId) -> sqlx::Result<Vec<String>> {
    let tags = sqlx::query_scalar!("SELECT sparing_tags FROM projects WHERE id = $1", project_id as ProjectId)
        .fetch_optional(connection)
        .await?;
    Ok(tags.unwrap_or_default())
}

/// Chooses those tags.
pub async fn set_sparing_tags(
    connection: &mut PgConnection,
    project_id: ProjectId,
    tags: &[String],
) -> sqlx::Result<()> {
    sqlx::query!("UPDATE projects SET sparing_tags = $2 WHERE id = $1", project_id as ProjectId, tags)
        .execute(connection)
        .await?;
    Ok(())
}

/// A run by the time of its last change, which is the order in which the rules look at runs.
pub type Place = (OffsetDateTime, RunId);

/// At most `limit` runs of the project behind this place that have not changed since `unchanged_since`.
pub async fn unchanged_runs(
    connection: &mut PgConnection,
    project_id: ProjectId,
    after: Option<Place>,
    unchanged_since: OffsetDateTime,
    limit: i64,
) -> sqlx::Result<Vec<Place>> {
    let (updated_at, id) = after.unzip();
    let rows = sqlx::query!(
        r#"
        SELECT updated_at, id AS "id: RunId"
        FROM runs
        WHERE project_id = $1 AND updated_at <= $4 AND deleted_at IS NULL
          AND updated_at >= COALESCE($2::timestamptz, '-infinity')
          AND ($2::timestamptz IS NULL OR (updated_at, id) > ($2, $3::uuid))
        ORDER BY updated_at, id
        LIMIT $5
        "#,
        project_id as ProjectId,
        updated_at,
        id as Option<RunId>,
        unchanged_since,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.updated_at, row.id)).collect())
}

/// How many artifacts of these runs expire by `by`, and what they are together, in bytes.
pub async fn count_expiring(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
    by: OffsetDateTime,
) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"
        SELECT count(*) AS "count!", COALESCE(sum(size_bytes), 0)::bigint AS "bytes!"
        FROM (
            SELECT DISTINCT artifact_id, size_bytes
            FROM expiring_artifacts
            WHERE project_id = $1 AND run_id = ANY($2) AND expires_at <= $3
        ) AS expiring
        "#,
        project_id as ProjectId,
        runs as &[RunId],
        by,
    )
    .fetch_one(connection)
    .await?;
    Ok((row.count, row.bytes))
}

/// Locks those of the runs of which artifacts expire by `by`, until the transaction ends: nobody puts a tag on them
/// meanwhile. One that somebody changes right now is passed over.
pub async fn lock_expiring(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
    by: OffsetDateTime,
) -> sqlx::Result<Vec<RunId>> {
    sqlx::query_scalar!(
        r#"
        SELECT r.id AS "id: RunId"
        FROM runs r
        WHERE r.project_id = $1 AND r.id = ANY($2)
          AND EXISTS (SELECT FROM expiring_artifacts e WHERE e.run_id = r.id AND e.expires_at <= $3)
        ORDER BY r.id
        FOR NO KEY UPDATE OF r SKIP LOCKED
        "#,
        project_id as ProjectId,
        runs as &[RunId],
        by,
    )
    .fetch_all(connection)
    .await
}

/// Takes their contents off the artifacts of these runs that expire by `by`, and notes when and by which rule. Returns
/// how many there were, and the contents, each once.
pub async fn expire(
    connection: &mut PgConnection,
    project_id: ProjectId,
    locked: &[RunId],
    by: OffsetDateTime,
) -> sqlx::Result<(u64, Vec<Sha256Digest>)> {
    let rows = sqlx::query_scalar!(
        r#"
        UPDATE artifacts a
        SET sha256 = NULL, content_deleted_at = $3, content_deleted_by = expiring.summary
        FROM (
            SELECT DISTINCT ON (artifact_id) artifact_id, sha256, summary
            FROM expiring_artifacts
            WHERE project_id = $1 AND run_id = ANY($2) AND expires_at <= $3
            ORDER BY artifact_id, expires_at
        ) AS expiring
        WHERE a.id = expiring.artifact_id AND a.project_id = $1
        RETURNING expiring.sha256 AS "sha256!"
        "#,
        project_id as ProjectId,
        locked as &[RunId],
        by,
    )
    .fetch_all(connection)
    .await?;
    let count = rows.len() as u64;
    let mut contents: Vec<Sha256Digest> = rows.into_iter().filter_map(|sha256| digest(Some(sha256))).collect();
    contents.sort_unstable();
    contents.dedup();
    Ok((count, contents))
}
