//! What a project's runs have names for: the words that a query is completed with.
//!
//! Each list takes the same time however many runs there are: where an index has the names, it is gone through from
//! one name to the next, and tags are those of the newest runs.

use sqlx::PgConnection;

use crate::domain::ProjectId;

/// Names of results that have this in them, whatever its case, in the order of the alphabet.
pub async fn results(
    connection: &mut PgConnection,
    project_id: ProjectId,
    part: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        WITH RECURSIVE known (name_key, name, place) AS (
            (SELECT s.name_key, s.name, 1 FROM results s WHERE s.project_id = $1 ORDER BY s.name_key LIMIT 1)
            UNION ALL
            SELECT following.name_key, following.name, known.place + 1
            FROM known, LATERAL (
                SELECT s.name_key, s.name FROM results s
                WHERE s.project_id = $1 AND s.name_key > known.name_key
                ORDER BY s.name_key LIMIT 1
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

/// Tags of the newest 2,000 runs that begin so, whatever their case, the most frequent first.
pub async fn tags(
    connection: &mut PgConnection,
    project_id: ProjectId,
    begin: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT tag AS "tag!"
        FROM (
            SELECT tags FROM runs WHERE project_id = $1 AND deleted_at IS NULL ORDER BY number DESC LIMIT 2000
        ) AS newest, unnest(newest.tags) AS tag
        WHERE starts_with(lower(tag), lower($2))
        GROUP BY tag
        ORDER BY count(*) DESC, tag
        LIMIT $3
        "#,
        project_id as ProjectId,
        begin,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Branches that begin so, whatever their case, in the order of the alphabet.
pub async fn branches(
    connection: &mut PgConnection,
    project_id: ProjectId,
    begin: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        WITH RECURSIVE known (branch, place) AS (
            (SELECT left(c.git_branch, 200), 1 FROM snapshots c
             WHERE c.project_id = $1 AND left(c.git_branch, 200) IS NOT NULL
             ORDER BY left(c.git_branch, 200) LIMIT 1)
            UNION ALL
            SELECT following.branch, known.place + 1
            FROM known, LATERAL (
                SELECT left(c.git_branch, 200) AS branch FROM snapshots c
                WHERE c.project_id = $1 AND left(c.git_branch, 200) > known.branch
                ORDER BY left(c.git_branch, 200) LIMIT 1
            ) AS following
            WHERE known.place < 2000
        )
        SELECT branch AS "branch!" FROM known WHERE starts_with(lower(branch), lower($2)) ORDER BY branch LIMIT $3
        "#,
        project_id as ProjectId,
        begin,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Who recorded runs, as `author:` takes them: what stands before the `@` of their addresses.
pub async fn authors(
    connection: &mut PgConnection,
    project_id: ProjectId,
    begin: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"
        SELECT DISTINCT split_part(a.email, '@', 1) AS "name!"
        FROM api_keys k
        JOIN accounts a ON a.id = k.created_by
        WHERE k.project_id = $1 AND (starts_with(a.email, lower($2)) OR starts_with(lower(a.name), lower($2)))
        ORDER BY 1
        LIMIT $3
        "#,
        project_id as ProjectId,
        begin,
        limit,
    )
    .fetch_all(connection)
    .await
}
