//! The tables of series: `run_series`, `series_sources`, `series`, `series_tails`, `series_chunks`.

pub mod adding;

use sqlx::PgConnection;

use crate::domain::series::{Series, Stats};
use crate::domain::{ProjectId, RunId};

/// What is counted and kept of a run's series.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// How many series there are.
    pub names: i32,
    /// How many sources their points came from.
    pub sources: i32,
    /// How many points are in `series_tails`.
    pub tail_points: i32,
    /// Their sparks, as bytes.
    pub sparks: Vec<u8>,
}

/// A block of points of one series.
#[derive(Debug)]
pub struct Chunk {
    /// The series.
    pub name: String,
    /// Its place among the chunks of its series, from 0.
    pub number: i32,
    /// How many points it has.
    pub point_count: i32,
    /// The points.
    pub points: Vec<u8>,
    /// Some of them.
    pub summary: Vec<u8>,
}

/// Lets one writer at a time move a run's points, until its transaction ends. Nobody adds points meanwhile.
pub async fn lock(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<Counts> {
    if let Some(counts) = locked(connection, project_id, run_id).await? {
        return Ok(counts);
    }
    adding::begin(&mut *connection, project_id, run_id).await?;
    locked(connection, project_id, run_id).await?.ok_or(sqlx::Error::RowNotFound)
}

async fn locked(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<Option<Counts>> {
    sqlx::query_as!(
        Counts,
        "
        SELECT name_count AS names, source_count AS sources, tail_points, sparks
        FROM run_series
        WHERE run_id = $1 AND project_id = $2
        FOR UPDATE
        ",
        run_id as RunId,
        project_id as ProjectId,
    )
    .fetch_optional(connection)
    .await
}

/// Writes down what is counted and kept. Call it only under [`lock`].
pub async fn set_counts(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    counts: &Counts,
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        UPDATE run_series
        SET name_count = $3, source_count = $4, tail_points = $5, sparks = $6
        WHERE run_id = $1 AND project_id = $2
        ",
        run_id as RunId,
        project_id as ProjectId,
        counts.names,
        counts.sources,
        counts.tail_points,
        counts.sparks.as_slice(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How many series a run has.
pub async fn count(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<i32> {
    let count = sqlx::query_scalar!(
        "SELECT name_count FROM run_series WHERE run_id = $1 AND project_id = $2",
        run_id as RunId,
        project_id as ProjectId,
    )
    .fetch_optional(connection)
    .await?;
    Ok(count.unwrap_or_default())
}

/// Writes down how many points of these sources are here.
pub async fn set_next_indexes(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    sources: &[String],
    next_indexes: &[i64],
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO series_sources (run_id, project_id, source, next_index)
        SELECT $1, $2, s.source, s.next_index
        FROM unnest($3::text[], $4::bigint[]) AS s (source, next_index)
        ON CONFLICT (run_id, source) DO UPDATE SET next_index = EXCLUDED.next_index
        ",
        run_id as RunId,
        project_id as ProjectId,
        sources,
        next_indexes,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes the series that are not there yet. Returns how many those were.
pub async fn insert_names(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    names: &[String],
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "
        INSERT INTO series (run_id, project_id, name)
        SELECT $1, $2, n.name FROM unnest($3::text[]) AS n (name)
        ON CONFLICT (run_id, name) DO NOTHING
        ",
        run_id as RunId,
        project_id as ProjectId,
        names,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// These series of a run, or all of them, by name; what they tell is of the points in `series_chunks`.
pub async fn list(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    names: Option<&[String]>,
) -> sqlx::Result<Vec<Series>> {
    let rows = sqlx::query!(
        r#"
        SELECT name, point_count, not_finite, last_step, last_time, last_value, lowest, highest
        FROM series
        WHERE run_id = $1 AND project_id = $2 AND ($3::text[] IS NULL OR name = ANY($3))
        ORDER BY name COLLATE "C"
        "#,
        run_id as RunId,
        project_id as ProjectId,
        names as Option<&[String]>,
    )
    .fetch_all(connection)
    .await?;
    let series = rows.into_iter().map(|row| {
        let stats = Stats {
            count: row.point_count,
            not_finite: row.not_finite,
            last_step: row.last_step,
            last_time: row.last_time,
            last_value: row.last_value,
            lowest: row.lowest,
            highest: row.highest,
        };
        Series { name: row.name, stats }
    });
    Ok(series.collect())
}

/// Writes down what is known of the points in `series_chunks`.
pub async fn set_stats(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    series: &[Series],
) -> sqlx::Result<()> {
    let counts = |of: fn(&Stats) -> i64| series.iter().map(|one| of(&one.stats)).collect::<Vec<_>>();
    let numbers = |of: fn(&Stats) -> Option<f64>| series.iter().map(|one| of(&one.stats)).collect::<Vec<_>>();
    sqlx::query!(
        "
        UPDATE series s
        SET point_count = n.point_count, not_finite = n.not_finite, last_step = n.last_step, last_time = n.last_time,
            last_value = n.last_value, lowest = n.lowest, highest = n.highest
        FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::float8[], $8::float8[], $9::float8[],
                    $10::float8[])
             AS n (name, point_count, not_finite, last_step, last_time, last_value, lowest, highest)
        WHERE s.run_id = $1 AND s.project_id = $2 AND s.name = n.name
        ",
        run_id as RunId,
        project_id as ProjectId,
        &series.iter().map(|one| one.name.clone()).collect::<Vec<_>>(),
        &counts(|stats| stats.count),
        &counts(|stats| stats.not_finite),
        &series.iter().map(|one| one.stats.last_step).collect::<Vec<_>>() as &[Option<i64>],
        &numbers(|stats| stats.last_time) as &[Option<f64>],
        &numbers(|stats| stats.last_value) as &[Option<f64>],
        &numbers(|stats| stats.lowest) as &[Option<f64>],
        &numbers(|stats| stats.highest) as &[Option<f64>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The blocks of new points, in the order in which they came.
pub async fn tails(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(
        "SELECT points FROM series_tails WHERE run_id = $1 AND project_id = $2 ORDER BY number",
        run_id as RunId,
        project_id as ProjectId,
    )
    .fetch_all(connection)
    .await
}

/// Removes the blocks of new points, because `series_chunks` has them now.
pub async fn clear_tails(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM series_tails WHERE run_id = $1 AND project_id = $2",
        run_id as RunId,
        project_id as ProjectId,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds chunks, and replaces those that have grown.
pub async fn put_chunks(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    chunks: &[Chunk],
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        INSERT INTO series_chunks (run_id, project_id, name, number, point_count, points, summary)
        SELECT $1, $2, c.name, c.number, c.point_count, c.points, c.summary
        FROM unnest($3::text[], $4::integer[], $5::integer[], $6::bytea[], $7::bytea[])
             AS c (name, number, point_count, points, summary)
        ON CONFLICT (run_id, name, number) DO UPDATE
        SET point_count = EXCLUDED.point_count, points = EXCLUDED.points, summary = EXCLUDED.summary
        ",
        run_id as RunId,
        project_id as ProjectId,
        &chunks.iter().map(|chunk| chunk.name.clone()).collect::<Vec<_>>(),
        &chunks.iter().map(|chunk| chunk.number).collect::<Vec<_>>(),
        &chunks.iter().map(|chunk| chunk.point_count).collect::<Vec<_>>(),
        &chunks.iter().map(|chunk| chunk.points.clone()).collect::<Vec<_>>(),
        &chunks.iter().map(|chunk| chunk.summary.clone()).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The chunks of these series that are not full: for each the series, and the points.
pub async fn open_chunks(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    names: &[String],
    full: i32,
) -> sqlx::Result<Vec<(String, Vec<u8>)>> {
    let rows = sqlx::query!(
        "
        SELECT name, points
        FROM series_chunks
        WHERE run_id = $1 AND project_id = $2 AND name = ANY($3) AND point_count < $4
        ",
        run_id as RunId,
        project_id as ProjectId,
        names,
        full,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.points)).collect())
}

/// The points of all chunks of these series, each series' in their order.
pub async fn chunks(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    names: &[String],
) -> sqlx::Result<Vec<(String, Vec<u8>)>> {
    let rows = sqlx::query!(
        "
        SELECT name, points
        FROM series_chunks
        WHERE run_id = $1 AND project_id = $2 AND name = ANY($3)
        ORDER BY name, number
        ",
        run_id as RunId,
        project_id as ProjectId,
        names,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.points)).collect())
}

/// The summaries of all chunks of these series, each series' in their order.
pub async fn summaries(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    names: &[String],
) -> sqlx::Result<Vec<(String, Vec<u8>)>> {
    let rows = sqlx::query!(
        "
        SELECT name, summary
        FROM series_chunks
        WHERE run_id = $1 AND project_id = $2 AND name = ANY($3)
        ORDER BY name, number
        ",
        run_id as RunId,
        project_id as ProjectId,
        names,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.summary)).collect())
}

/// The points of the chunks of a series from number `from` up to `to`, which is not one of them.
pub async fn chunks_between(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    name: &str,
    from: i32,
    to: i32,
) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(
        "
        SELECT points
        FROM series_chunks
        WHERE run_id = $1 AND project_id = $2 AND name = $3 AND number >= $4 AND number < $5
        ORDER BY number
        ",
        run_id as RunId,
        project_id as ProjectId,
        name,
        from,
        to,
    )
    .fetch_all(connection)
    .await
}
