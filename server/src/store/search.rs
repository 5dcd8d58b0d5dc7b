//! What somebody finds in all of their projects: one statement over `projects`, `runs`, `run_words`, `notes` and
//! `snapshots`. Contents and series are never touched.

use otrace_wire::RunStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::unknown_word;
use crate::domain::{AccountId, RunId};

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The words as they were typed: a project's name has them in it.
    pub text: &'a str,
    /// The same with spaces for all that stands between words: a run's title, intent, setup or command has all of
    /// them, or its tags, or one of its notes.
    pub words: &'a str,
    /// `:*` where the last word may go on, else nothing.
    pub ending: &'a str,
    /// The number of a run.
    pub number: Option<i32>,
    /// The id of a run.
    pub run_id: Option<RunId>,
    /// The beginning of a commit, in hex digits.
    pub commit: Option<&'a str>,
}

/// Something that was found.
#[derive(Clone, Debug)]
pub enum Hit {
    /// A project.
    Project {
        /// Its name in URLs.
        slug: String,
        /// Its name.
        name: String,
        /// What is researched in it.
        description: String,
    },
    /// A run.
    Run {
        /// Its project's name in URLs.
        slug: String,
        /// Its project's name.
        project: String,
        /// Its number there.
        number: i32,
        /// What to call it: its title, else the beginning of its intent.
        heading: String,
        /// Where it stands.
        status: RunStatus,
        /// When it was recorded.
        created_at: OffsetDateTime,
    },
}

/// What an account finds in its projects: projects first, then the runs that were named, those that have it in their
/// title or commit, and all others, each the newest first.
///
/// Of a word that very many runs have, the first 2,000 that come to hand are looked at: an answer while one types is
/// worth more than the newest of a million. Call it in a transaction that [`super::run_query::BEGIN`] began.
pub async fn find(
    connection: &mut PgConnection,
    account_id: AccountId,
    wanted: &Wanted<'_>,
    limit: i64,
) -> sqlx::Result<Vec<Hit>> {
    let rows = sqlx::query!(
        r#"
        WITH mine AS MATERIALIZED (
            SELECT p.id, p.slug, p.name, p.description
            FROM members m
            JOIN projects p ON p.id = m.project_id
            WHERE m.account_id = $1 AND p.deleted_at IS NULL
        ), asked AS NOT MATERIALIZED (
            -- As text it has its words in quotes, so that nothing in them has a meaning; without any word it is NULL.
            SELECT (NULLIF(plainto_tsquery('simple', $3::text)::text, '') || $4::text)::tsquery AS words
        ), found AS (
            SELECT r.id AS run_id, 1 AS place FROM mine JOIN runs r ON r.project_id = mine.id AND r.number = $5::integer
            UNION ALL
            SELECT r.id, 1 FROM runs r WHERE r.id = $6::uuid
            UNION ALL
            SELECT c.run_id, 2
            FROM mine
            CROSS JOIN LATERAL (
                SELECT s.run_id FROM snapshots s
                WHERE s.project_id = mine.id
                  AND left(s.git_commit, 64) ~>=~ $7::text AND left(s.git_commit, 64) ~<~ ($7::text || 'g')
                LIMIT 20
            ) AS c
            UNION ALL
            SELECT w.run_id, w.place
            FROM (
                SELECT rw.run_id, CASE WHEN ts_filter(rw.words, '{a}') @@ asked.words THEN 2 ELSE 3 END AS place
                FROM run_words rw CROSS JOIN asked
                WHERE rw.project_id IN (SELECT id FROM mine)
                  AND (rw.words @@ asked.words OR rw.tag_words @@ asked.words)
                LIMIT 2000
            ) AS w
            UNION ALL
            SELECT n.run_id, 3
            FROM (
                SELECT note.run_id FROM notes note CROSS JOIN asked
                WHERE note.project_id IN (SELECT id FROM mine) AND note.words @@ asked.words
                LIMIT 500
            ) AS n
        ), runs_found AS (
            SELECT f.place, r.number, mine.slug, mine.name,
                   COALESCE(NULLIF(r.title, ''), left(split_part(r.intent, E'\n', 1), 200)) AS about,
                   r.status, r.created_at
            FROM (SELECT run_id, min(place) AS place FROM found GROUP BY run_id) AS f
            JOIN runs r ON r.id = f.run_id
            JOIN mine ON mine.id = r.project_id
            WHERE r.deleted_at IS NULL
            ORDER BY f.place, r.created_at DESC, r.number DESC
            LIMIT $8
        ), projects_found AS (
            SELECT 0 AS place, NULL::integer AS number, mine.slug, mine.name, mine.description AS about,
                   NULL::text AS status, NULL::timestamptz AS created_at
            FROM mine
            WHERE strpos(lower(mine.name), lower($2::text)) > 0 OR strpos(mine.slug, lower($2::text)) > 0
            ORDER BY lower(mine.name), mine.slug
            LIMIT 5
        )
        SELECT number AS "number?", slug AS "slug!", name AS "name!", about AS "about!", status AS "status?",
               created_at AS "created_at?"
        FROM (SELECT * FROM projects_found UNION ALL SELECT * FROM runs_found) AS hit
        ORDER BY place, created_at DESC NULLS LAST, lower(name), number DESC
        LIMIT $8
        "#,
        account_id as AccountId,
        wanted.text,
        wanted.words,
        wanted.ending,
        wanted.number,
        wanted.run_id as Option<RunId>,
        wanted.commit,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| match (row.number, row.status, row.created_at) {
            (Some(number), Some(status), Some(created_at)) => Ok(Hit::Run {
                slug: row.slug,
                project: row.name,
                number,
                heading: row.about,
                status: status.parse().map_err(unknown_word)?,
                created_at,
            }),
            _ => Ok(Hit::Project { slug: row.slug, name: row.name, description: row.about }),
        })
        .collect()
}
