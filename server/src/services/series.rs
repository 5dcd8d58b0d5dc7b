//! Series: taking points in, and reading them back, whole or as many as a chart shows.
//!
//! New points wait as one block for each request, which is one small row. When enough wait, they are put into
//! chunks, a block for up to 2,048 points of one series. Whoever reads takes both together, in one snapshot of
//! the database.

pub mod part;

use std::collections::{BTreeMap, HashSet};

use futures_util::{Stream, stream};
use otrace_wire::series::{NAMES_MAX, SeriesBatch};
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;

use crate::app::AppState;
use crate::domain::series::downsample::downsample;
use crate::domain::series::intake::Intake;
use crate::domain::series::{
    self, CHUNK_POINTS, Fresh, SOURCES_MAX, SUMMARY_POINTS, Sample, Series, codec, spark, tail,
};
use crate::domain::{ProjectId, RunId, RunRef};
use crate::error::{AppError, Result};
use crate::live::RunEvent;
use crate::services::{contact, runs};
use crate::store;
use crate::store::series::adding::{self, Addition, Standing, Version};
use crate::store::series::{Chunk, Counts};

/// So many points may wait before they are put into chunks.
const TAIL_POINTS: i32 = 32_768;
/// And more where a run has many series, so that each chunk that is rewritten grows by a few points.
const TAIL_POINTS_PER_SERIES: i32 = 16;
/// So many series are put into chunks at once: a chunk of each is in memory.
const SERIES_AT_ONCE: usize = 128;
/// So often points are added without a lock before it is waited for.
const TRIES: usize = 8;
/// So many chunks are read at once where a series is read whole.
const CHUNKS_AT_ONCE: i32 = 16;
/// What a reader begins with, so that nothing moves meanwhile.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A series with the points that a chart shows of it.
#[derive(Debug)]
pub struct Chart {
    /// The series.
    pub series: Series,
    /// Some of its points or all of them, in their order.
    pub samples: Vec<Sample>,
}

/// Takes points in. Returns for each source that was sent how many of its points are here.
///
/// What is here already is passed over; of what comes too early nothing is taken.
pub async fn add(
    app: &AppState,
    project_id: ProjectId,
    run: RunRef,
    batches: &[SeriesBatch],
) -> Result<BTreeMap<String, u64>> {
    series::check(batches)?;
    let now = app.clock.now();
    let (standing, intake) = take(app, project_id, run, batches, now).await?;
    let Standing { run_id, number, mut status, is_contact_due, .. } = standing;
    if is_contact_due {
        status = contact::heartbeat(app, project_id, RunRef::Id(run_id)).await?;
    }
    if !intake.new_points().is_empty() {
        app.live.publish(RunEvent { project_id, number, status, is_new: false, is_output: true, updated_at: now });
    }
    Ok(intake.into_next())
}

/// Writes down what of these batches is new. Returns how the run's series stood before, and what was taken.
async fn take<'a>(
    app: &AppState,
    project_id: ProjectId,
    run: RunRef,
    batches: &'a [SeriesBatch],
    now: OffsetDateTime,
) -> Result<(Standing, Intake<'a>)> {
    let asked = Asked {
        sources: distinct(batches.iter().map(|batch| &batch.source)),
        names: distinct(batches.iter().flat_map(|batch| &batch.points).map(|point| &point.name)),
        now,
    };
    let mut connection = app.pool.acquire().await?;
    for _ in 0..TRIES {
        if let Some(taken) = try_to_take(&mut connection, project_id, run, batches, &asked).await? {
            return Ok(taken);
        }
    }
    // So many write to this run that each has to wait for its turn.
    let mut transaction = connection.begin().await?;
    let run_id = runs::resolve_in(&mut transaction, project_id, run).await?;
    store::series::lock(&mut transaction, project_id, run_id).await?;
    let taken = try_to_take(&mut transaction, project_id, run, batches, &asked).await?;
    transaction.commit().await?;
    taken.ok_or_else(|| AppError::Unavailable("The run is written to by too many at once. Try again.".into()))
}

/// What batches ask about how a run's series stand.
struct Asked {
    sources: Vec<String>,
    names: Vec<String>,
    now: OffsetDateTime,
}

/// Reads how the run's series stand, and then writes all that is new if nobody else wrote meanwhile: a client waits for two
/// statements, and locks nothing. `None`: somebody did, so that nothing was written.
async fn try_to_take<'a>(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run: RunRef,
    batches: &'a [SeriesBatch],
    asked: &Asked,
) -> Result<Option<(Standing, Intake<'a>)>> {
    let standing = adding::standing(connection, project_id, run, &asked.sources, &asked.names, asked.now).await?;
    let mut standing = standing.ok_or(AppError::NotFound("Run"))?;
    let Some((counts, version)) = standing.counted.take() else {
        adding::begin(connection, project_id, standing.run_id).await?;
        return Ok(None);
    };
    let mut intake = Intake::new(standing.next_indexes.iter().cloned());
    for batch in batches {
        intake.take(batch);
    }
    if intake.new_points().is_empty() {
        return Ok(Some((standing, intake)));
    }
    let Some(waiting) = write(connection, project_id, &standing, (&counts, version), &intake).await? else {
        return Ok(None);
    };
    if waiting >= most_waiting(counts.names) {
        put_into_chunks(connection, project_id, standing.run_id).await?;
    }
    Ok(Some((standing, intake)))
}

fn distinct<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<String> {
    texts.collect::<HashSet<_>>().into_iter().cloned().collect()
}

/// Writes down what is new. Returns how many points wait then; `None`: somebody else has written meanwhile, so that
/// nothing was.
async fn write(
    connection: &mut PgConnection,
    project_id: ProjectId,
    standing: &Standing,
    (counts, version): (&Counts, Version),
    intake: &Intake<'_>,
) -> Result<Option<i32>> {
    let is_known = |source: &String| standing.next_indexes.iter().any(|(known, _)| known == source);
    let new_sources = number(intake.changed().keys().filter(|source| !is_known(source)).count())?;
    if counts.sources.saturating_add(new_sources) > SOURCES_MAX {
        return Err(AppError::Conflict("The points of a run come from at most 1,000 sources.".into()));
    }
    // Points that come too early may have names, too.
    let names: HashSet<&str> = intake.new_points().iter().map(|point| point.name.as_str()).collect();
    let new_names: Vec<String> =
        standing.new_names.iter().filter(|name| names.contains(name.as_str())).cloned().collect();
    if counts.names.saturating_add(number(new_names.len())?) > number(NAMES_MAX)? {
        return Err(AppError::Conflict("A run has at most 10,000 series. Use fewer names.".into()));
    }
    let points = tail::encode(intake.new_points()).map_err(anyhow::Error::new)?;
    let (sources, next_indexes): (Vec<String>, Vec<i64>) = intake.changed().clone().into_iter().unzip();
    let addition = Addition {
        new_names: &new_names,
        new_sources,
        sources: &sources,
        next_indexes: &next_indexes,
        point_count: number(intake.new_points().len())?,
        points: &points,
        sparks: &spark::grown(&counts.sparks, intake.new_points()),
    };
    Ok(adding::add(connection, project_id, standing.run_id, version, addition).await?)
}

/// How many points may wait in a run of so many series.
fn most_waiting(names: i32) -> i32 {
    TAIL_POINTS.max(names.saturating_mul(TAIL_POINTS_PER_SERIES))
}

/// Puts all points that wait into chunks, if they are still too many.
async fn put_into_chunks(connection: &mut PgConnection, project_id: ProjectId, run_id: RunId) -> Result<()> {
    let mut transaction = connection.begin().await?;
    let counts = store::series::lock(&mut transaction, project_id, run_id).await?;
    if counts.tail_points < most_waiting(counts.names) {
        return Ok(());
    }
    let waiting = new_points(&mut transaction, project_id, run_id, None).await?;
    let names: Vec<String> = waiting.keys().cloned().collect();
    for names in names.chunks(SERIES_AT_ONCE) {
        let mut grown = store::series::list(&mut transaction, project_id, run_id, Some(names)).await?;
        let full = number(CHUNK_POINTS)?;
        let open = store::series::open_chunks(&mut transaction, project_id, run_id, names, full).await?;
        let mut open: BTreeMap<String, Vec<u8>> = open.into_iter().collect();
        let mut chunks = Vec::new();
        for series in &mut grown {
            let begun = open.remove(&series.name).map(|points| read(&points)).transpose()?.unwrap_or_default();
            let fresh = waiting.get(&series.name).map(Vec::as_slice).unwrap_or_default();
            grow(series, begun, fresh, &mut chunks)?;
        }
        store::series::put_chunks(&mut transaction, project_id, run_id, &chunks).await?;
        store::series::set_stats(&mut transaction, project_id, run_id, &grown).await?;
    }
    store::series::clear_tails(&mut transaction, project_id, run_id).await?;
    store::series::set_counts(&mut transaction, project_id, run_id, &Counts { tail_points: 0, ..counts }).await?;
    transaction.commit().await?;
    Ok(())
}

/// Makes the chunks of new points of a series, from the one that is not full on.
pub(super) fn grow(series: &mut Series, begun: Vec<Sample>, fresh: &[Fresh], chunks: &mut Vec<Chunk>) -> Result<()> {
    let first = usize::try_from(series.stats.count).unwrap_or_default() / CHUNK_POINTS;
    let mut samples = begun;
    samples.extend(series.stats.settle(fresh));
    for (place, samples) in samples.chunks(CHUNK_POINTS).enumerate() {
        chunks.push(Chunk {
            name: series.name.clone(),
            number: number(first + place)?,
            point_count: number(samples.len())?,
            points: codec::encode(samples).map_err(anyhow::Error::new)?,
            summary: codec::encode(&downsample(samples, SUMMARY_POINTS)).map_err(anyhow::Error::new)?,
        });
    }
    Ok(())
}

/// All series of a run, by name.
pub async fn list(app: &AppState, project_id: ProjectId, run: RunRef) -> Result<Vec<Series>> {
    let run_id = runs::resolve(app, project_id, run).await?;
    let mut snapshot = app.pool.begin_with(SNAPSHOT).await?;
    let mut all = store::series::list(&mut snapshot, project_id, run_id, None).await?;
    let waiting = new_points(&mut snapshot, project_id, run_id, None).await?;
    for series in &mut all {
        let fresh = waiting.get(&series.name).map(Vec::as_slice).unwrap_or_default();
        series.stats.settle(fresh);
    }
    Ok(all)
}

/// At most `most` points of one series.
pub async fn chart(app: &AppState, project_id: ProjectId, run: RunRef, name: &str, most: usize) -> Result<Chart> {
    let found = charts(app, project_id, run, &[name.to_owned()], most).await?;
    found.into_iter().next().ok_or(AppError::NotFound("Series"))
}

/// At most `most` points of each of these series, by name; those that the run does not have are left out.
pub async fn charts(
    app: &AppState,
    project_id: ProjectId,
    run: RunRef,
    names: &[String],
    most: usize,
) -> Result<Vec<Chart>> {
    let run_id = runs::resolve(app, project_id, run).await?;
    let mut snapshot = app.pool.begin_with(SNAPSHOT).await?;
    let found = store::series::list(&mut snapshot, project_id, run_id, Some(names)).await?;
    // What the summaries of a series have more than enough of is not read in full.
    let (long, short): (Vec<Series>, Vec<Series>) =
        found.into_iter().partition(|series| series.stats.chunks() * SUMMARY_POINTS >= most.max(SUMMARY_POINTS) * 2);
    let summaries = store::series::summaries(&mut snapshot, project_id, run_id, &names_of(&long)).await?;
    let chunks = store::series::chunks(&mut snapshot, project_id, run_id, &names_of(&short)).await?;
    let mut waiting = new_points(&mut snapshot, project_id, run_id, Some(names)).await?;
    drop(snapshot);

    let mut samples = BTreeMap::<String, Vec<Sample>>::new();
    for (name, block) in summaries.into_iter().chain(chunks) {
        samples.entry(name).or_default().extend(read(&block)?);
    }
    let mut charts = Vec::with_capacity(long.len() + short.len());
    for (mut series, is_long) in
        long.into_iter().map(|one| (one, true)).chain(short.into_iter().map(|one| (one, false)))
    {
        let mut samples = samples.remove(&series.name).unwrap_or_default();
        let settled = series.stats.settle(&waiting.remove(&series.name).unwrap_or_default());
        if is_long {
            // As dense as the summaries before them.
            samples.extend(downsample(&settled, settled.len() * SUMMARY_POINTS / CHUNK_POINTS));
        } else {
            samples.extend(settled);
        }
        charts.push(Chart { samples: downsample(&samples, most), series });
    }
    charts.sort_by(|one, other| one.series.name.cmp(&other.series.name));
    Ok(charts)
}

/// All points of a series in their order, in pieces.
pub async fn whole(
    app: &AppState,
    project_id: ProjectId,
    run: RunRef,
    name: String,
) -> Result<impl Stream<Item = Result<Vec<Sample>>> + Send + use<>> {
    let run_id = runs::resolve(app, project_id, run).await?;
    let mut snapshot = app.pool.begin_with(SNAPSHOT).await?;
    let names = std::slice::from_ref(&name);
    let found = store::series::list(&mut snapshot, project_id, run_id, Some(names)).await?;
    let mut stats = found.first().ok_or(AppError::NotFound("Series"))?.stats;
    let full = number(usize::try_from(stats.count).unwrap_or_default() / CHUNK_POINTS)?;
    let mut last = Vec::new();
    for block in store::series::chunks_between(&mut snapshot, project_id, run_id, &name, full, i32::MAX).await? {
        last.extend(read(&block)?);
    }
    let waiting = new_points(&mut snapshot, project_id, run_id, Some(names)).await?;
    drop(snapshot);
    last.extend(stats.settle(waiting.get(&name).map(Vec::as_slice).unwrap_or_default()));

    // Full chunks never change, so that they are read as they are needed; what follows them is in `last`.
    let begun = (app.clone(), name, 0, Some(last));
    Ok(stream::try_unfold(begun, move |(app, name, from, last)| async move {
        if from < full {
            let to = full.min(from + CHUNKS_AT_ONCE);
            let mut connection = app.pool.acquire().await?;
            let blocks = store::series::chunks_between(&mut connection, project_id, run_id, &name, from, to).await?;
            drop(connection);
            let mut samples = Vec::with_capacity(blocks.len() * CHUNK_POINTS);
            for block in blocks {
                samples.extend(read(&block)?);
            }
            return Ok(Some((samples, (app, name, to, last))));
        }
        Ok::<_, AppError>(last.map(|last| (last, (app, name, from, None))))
    }))
}

/// The points that wait of these series or of all, by series, in the order in which they came.
pub(super) async fn new_points(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    names: Option<&[String]>,
) -> Result<BTreeMap<String, Vec<Fresh>>> {
    let blocks = store::series::tails(connection, project_id, run_id).await?;
    let is_wanted = |name: &str| names.is_none_or(|names| names.iter().any(|wanted| wanted == name));
    Ok(tail::gather(&blocks, is_wanted).map_err(anyhow::Error::new)?)
}

fn read(block: &[u8]) -> Result<Vec<Sample>> {
    Ok(codec::decode(block).map_err(anyhow::Error::new)?)
}

fn names_of(series: &[Series]) -> Vec<String> {
    series.iter().map(|one| one.name.clone()).collect()
}

/// A count as the database keeps it.
fn number(count: usize) -> Result<i32> {
    i32::try_from(count).map_err(|_| AppError::Conflict("The run has as many points as it may have.".into()))
}
