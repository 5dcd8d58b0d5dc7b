//! The tables `run_parameters`, what runs have in their configs, and `unread_configs`, the runs of which that is to be
//! read. Triggers write to the second one.

use otrace_wire::Sha256Digest;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::digest;
use crate::domain::parameters::Parameter;
use crate::domain::{ProjectId, RunId};

/// A run whose configs somebody is about to read.
#[derive(Clone, Copy, Debug)]
pub struct UnreadConfigs {
    /// The run.
    pub run_id: RunId,
    /// Its project.
    pub project_id: ProjectId,
    /// Until then nobody else does.
    pub due_at: OffsetDateTime,
}

/// Takes at most `limit` runs whose configs are to be read, the newest first, for a minute; for twice as long each time
/// that one is taken again, up to 17 hours.
pub async fn claim(connection: &mut PgConnection, now: OffsetDateTime, limit: i64) -> sqlx::Result<Vec<UnreadConfigs>> {
    sqlx::query_as!(
        UnreadConfigs,
        r#"
        UPDATE unread_configs u
        SET attempts = u.attempts + 1,
            due_at = $1::timestamptz + make_interval(mins => (2 ^ LEAST(u.attempts, 10))::integer)
        FROM (
            SELECT run_id
            FROM unread_configs
            WHERE due_at <= $1::timestamptz
            ORDER BY due_at, run_id DESC
            LIMIT $2
            FOR UPDATE SKIP LOCKED
        ) AS due
        WHERE u.run_id = due.run_id
        RETURNING u.run_id AS "run_id: RunId", u.project_id AS "project_id: ProjectId", u.due_at
        "#,
        now,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// A config of a run.
#[derive(Debug)]
pub struct KeptConfig {
    /// Where it was.
    pub path: String,
    /// Its content.
    pub sha256: Sha256Digest,
    /// How long that is, in bytes.
    pub size_bytes: u64,
}

/// The first `limit` configs of a run that have a path, a content, and at most `max_bytes`, in the order in which the
/// client told them.
pub async fn configs(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    max_bytes: i64,
    limit: i64,
) -> sqlx::Result<Vec<KeptConfig>> {
    let rows = sqlx::query!(
        r#"
        SELECT original_path AS "path!", sha256, size_bytes
        FROM artifacts
        WHERE run_id = $2 AND project_id = $1 AND kind = 'config' AND original_path IS NOT NULL
          AND sha256 IS NOT NULL AND size_bytes <= $3
        ORDER BY position
        LIMIT $4
        "#,
        project_id as ProjectId,
        run_id as RunId,
        max_bytes,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let config = rows.into_iter().filter_map(|row| {
        Some(KeptConfig { path: row.path, sha256: digest(row.sha256)?, size_bytes: row.size_bytes.cast_unsigned() })
    });
    Ok(config.collect())
}

/// Ends what [`claim`] began. `false`: the configs have changed meanwhile, or somebody else reads them. Holds the run
/// until the transaction ends.
pub async fn end(connection: &mut PgConnection, claimed: &UnreadConfigs) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "
        -- The run before what belongs to it, in the order of all who change both.
        WITH held AS MATERIALIZED (SELECT id FROM runs WHERE id = $2 AND project_id = $1 FOR KEY SHARE)
        DELETE FROM unread_configs u USING held WHERE u.run_id = held.id AND u.due_at = $3
        ",
        claimed.project_id as ProjectId,
        claimed.run_id as RunId,
        claimed.due_at,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces a run's parameters, of which no two have the same name.
pub async fn replace(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    parameters: &[Parameter],
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM run_parameters WHERE run_id = $1 AND project_id = $2",
        run_id as RunId,
        project_id as ProjectId
    )
    .execute(&mut *connection)
    .await?;
    if parameters.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "
        INSERT INTO run_parameters (run_id, project_id, name, value, number)
        SELECT $1, $2, p.name, p.value, p.number
        FROM unnest($3::text[], $4::text[], $5::float8[]) AS p (name, value, number)
        ",
        run_id as RunId,
        project_id as ProjectId,
        &parameters.iter().map(|parameter| parameter.name.clone()).collect::<Vec<_>>(),
        &parameters.iter().map(|parameter| parameter.value.clone()).collect::<Vec<_>>(),
        &parameters.iter().map(|parameter| parameter.number).collect::<Vec<_>>() as &[Option<f64>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The parameters of these runs that have one of these names.
pub async fn list(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
    names: &[String],
) -> sqlx::Result<Vec<(RunId, Parameter)>> {
    let rows = sqlx::query!(
        r#"
        SELECT run_id AS "run_id: RunId", name, value, number
        FROM run_parameters
        WHERE project_id = $1 AND run_id = ANY($2) AND name = ANY($3)
        "#,
        project_id as ProjectId,
        runs as &[RunId],
        names,
    )
    .fetch_all(connection)
    .await?;
    let parameter = |name, value, number| Parameter { name, value, number };
    Ok(rows.into_iter().map(|row| (row.run_id, parameter(row.name, row.value, row.number))).collect())
}

/// The names of the parameters that these runs have: first those in which they differ, then those that most have.
pub async fn names_of(
    connection: &mut PgConnection,
    project_id: ProjectId,
    runs: &[RunId],
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "
        SELECT name
        FROM run_parameters
        WHERE project_id = $1 AND run_id = ANY($2)
        GROUP BY name
        ORDER BY min(value) <> max(value) DESC, count(*) DESC, name
        LIMIT $3
        ",
        project_id as ProjectId,
        runs as &[RunId],
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Names of the project's parameters that have this in them, whatever its case, in the order of the alphabet. The index
/// is gone through from one name to the next, so that this takes the same time however many runs there are.
pub async fn names_with(
    connection: &mut PgConnection,
    project_id: ProjectId,
    part: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        WITH RECURSIVE known (name_key, name, place) AS (
            (SELECT p.name_key, p.name, 1 FROM run_parameters p WHERE p.project_id = $1 ORDER BY p.name_key LIMIT 1)
            UNION ALL
            SELECT following.name_key, following.name, known.place + 1
            FROM known, LATERAL (
                SELECT p.name_key, p.name FROM run_parameters p
                WHERE p.project_id = $1 AND p.name_key > known.name_key
                ORDER BY p.name_key LIMIT 1
            ) AS following
            WHERE known.place < 2000
        )
        SELECT name AS "name!" FROM known WHERE strpos(lower(name), lower($2)) > 0 ORDER BY lower(name), name LIMIT $3
        "#,
        project_id as ProjectId,
        part,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// What runs of the project have under this name, in lower case, as far as it begins so; gone through as
/// [`names_with`] does.
pub async fn values_beginning(
    connection: &mut PgConnection,
    project_id: ProjectId,
    name: &str,
    begin: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        WITH RECURSIVE known (value, place) AS (
            (SELECT lower(p.value), 1 FROM run_parameters p
             WHERE p.project_id = $1 AND p.name_key = hashtextextended($2, 0)
             ORDER BY lower(p.value) LIMIT 1)
            UNION ALL
            SELECT following.value, known.place + 1
            FROM known, LATERAL (
                SELECT lower(p.value) AS value FROM run_parameters p
                WHERE p.project_id = $1 AND p.name_key = hashtextextended($2, 0) AND lower(p.value) > known.value
                ORDER BY lower(p.value) LIMIT 1
            ) AS following
            WHERE known.place < 500
        )
        SELECT value AS "value!" FROM known WHERE starts_with(value, lower($3)) ORDER BY value LIMIT $4
        "#,
        project_id as ProjectId,
        name,
        begin,
        limit,
    )
    .fetch_all(connection)
    .await
}
