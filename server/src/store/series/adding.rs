//! Adding points: read how a run's series stand, then write all that is new in one statement if they still stand so.

use otrace_wire::RunStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Counts;
use crate::domain::{ProjectId, RunId, RunRef};
use crate::store::unknown_word;

/// How a run's series stand before points are added to them.
#[derive(Debug)]
pub struct Standing {
    /// The run.
    pub run_id: RunId,
    /// Its number in the project.
    pub number: i32,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether it is to be noted now that its machine was heard of.
    pub is_contact_due: bool,
    /// What is counted, and the version that it was read at; `None` until somebody has called [`begin`].
    pub counted: Option<(Counts, Version)>,
    /// How many points of the sources that were asked about are here; those that are not known are left out.
    pub next_indexes: Vec<(String, i64)>,
    /// Which of the names that were asked about there are no series of.
    pub new_names: Vec<String>,
}

/// A version of what is counted: every write to the row makes another one, whoever makes it.
#[derive(Debug, sqlx::Type)]
#[sqlx(transparent)]
pub struct Version(String);

/// What is added to a run's series at once.
#[derive(Debug)]
pub struct Addition<'a> {
    /// The series that are new.
    pub new_names: &'a [String],
    /// How many of `sources` are new.
    pub new_sources: i32,
    /// The sources that the points came from.
    pub sources: &'a [String],
    /// For each of them, how many of its points are here then.
    pub next_indexes: &'a [i64],
    /// How many points are added.
    pub point_count: i32,
    /// The points, as a block.
    pub points: &'a [u8],
    /// All sparks of the run then.
    pub sparks: &'a [u8],
}

/// How a run's series stand, as far as it matters to points of these sources and of series with these names.
/// `None`: the project has no such run.
///
/// What is true of `last_contact_at` here is as [`super::contacts::note`] has it.
pub async fn standing(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run: RunRef,
    sources: &[String],
    names: &[String],
    now: OffsetDateTime,
) -> sqlx::Result<Option<Standing>> {
    let (id, number) = match run {
        RunRef::Id(id) => (Some(id), None),
        RunRef::Experiment(experiment) => (None, Some(experiment.number())),
    };
    let row = sqlx::query!(
        r#"
        SELECT r.id AS "id: RunId", r.number, r.status,
               (r.silenced_at IS NOT NULL OR r.last_contact_at IS NULL
                   OR r.last_contact_at < $6::timestamptz - interval '5 seconds') AS "is_contact_due!",
               s.name_count AS "names?", s.source_count AS "sources?", s.tail_points AS "tail_points?",
               s.sparks AS "sparks?", s.xmin::text AS "version?: Version",
               ARRAY(
                   SELECT k.next_index
                   FROM unnest($4::text[]) WITH ORDINALITY AS asked (source, place)
                   LEFT JOIN series_sources k ON k.run_id = r.id AND k.source = asked.source
                   ORDER BY asked.place
               ) AS "next_indexes!: Vec<Option<i64>>",
               ARRAY(
                   SELECT asked.name
                   FROM unnest($5::text[]) AS asked (name)
                   WHERE NOT EXISTS (SELECT FROM series known WHERE known.run_id = r.id AND known.name = asked.name)
               ) AS "new_names!"
        FROM runs r
        LEFT JOIN run_series s ON s.run_id = r.id
        -- The primary key alone answers: see `super::runs`.
        WHERE r.id = COALESCE(
            $2::uuid,
            (SELECT named.id FROM runs named WHERE named.project_id = $1 AND named.number = $3::integer)
        )
          AND (r.project_id = $1 AND r.deleted_at IS NULL) IS TRUE
        "#,
        project_id as ProjectId,
        id as Option<RunId>,
        number,
        sources,
        names,
        now,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let counts = match (row.names, row.sources, row.tail_points, row.sparks) {
        (Some(names), Some(sources), Some(tail_points), Some(sparks)) => {
            Some(Counts { names, sources, tail_points, sparks })
        }
        _ => None,
    };
    let known = sources.iter().zip(row.next_indexes);
    Ok(Some(Standing {
        run_id: row.id,
        number: row.number,
        status: row.status.parse().map_err(unknown_word)?,
        is_contact_due: row.is_contact_due,
        counted: counts.zip(row.version),
        next_indexes: known.filter_map(|(source, next)| Some((source.clone(), next?))).collect(),
        new_names: row.new_names,
    }))
}

/// Begins to count a run's series.
pub async fn begin(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO run_series (run_id, project_id) VALUES ($1, $2) ON CONFLICT (run_id) DO NOTHING",
        run_id as RunId,
        project_id as ProjectId,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds points to a run's series if what is counted is still at this version, and nothing otherwise. Returns how many
/// points lie in `series_tails` then; `None`: somebody else has written meanwhile.
///
/// One statement, and so one commit: a client waits for each batch.
pub async fn add(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    version: Version,
    added: Addition<'_>,
) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        "
        WITH counted AS (
            UPDATE run_series
            SET name_count   = name_count + cardinality($4::text[]),
                source_count = source_count + $5::integer,
                tail_points  = tail_points + $8::integer,
                sparks       = $10
            WHERE run_id = $1 AND project_id = $2 AND xmin::text = $3
            RETURNING tail_points
        ),
        named AS (
            INSERT INTO series (run_id, project_id, name)
            SELECT $1, $2, n.name FROM counted, unnest($4::text[]) AS n (name)
        ),
        reached AS (
            INSERT INTO series_sources (run_id, project_id, source, next_index)
            SELECT $1, $2, s.source, s.next_index
            FROM counted, unnest($6::text[], $7::bigint[]) AS s (source, next_index)
            ON CONFLICT (run_id, source) DO UPDATE SET next_index = EXCLUDED.next_index
        ),
        kept AS (
            INSERT INTO series_tails (run_id, project_id, points) SELECT $1, $2, $9 FROM counted
        )
        SELECT tail_points FROM counted
        ",
        run_id as RunId,
        project_id as ProjectId,
        version.0,
        added.new_names,
        added.new_sources,
        added.sources,
        added.next_indexes,
        added.point_count,
        added.points,
        added.sparks,
    )
    .fetch_optional(connection)
    .await
}
