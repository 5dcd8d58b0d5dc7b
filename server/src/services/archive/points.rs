//! Points of series: out of their chunks onto lines, and back.

use std::mem;

use otrace_wire::ExperimentId;
use otrace_wire::series::{NAMES_MAX, Number, Point, SeriesBatch};
use sqlx::PgConnection;

use crate::domain::archive::SeriesLine;
use crate::domain::series::spark::Sparks;
use crate::domain::series::{self, CHUNK_POINTS, Fresh, SOURCES_MAX, Sample, Series, Stats, codec};
use crate::domain::{ProjectId, RunId, RunRef};
use crate::error::{AppError, Result};
use crate::services::backup::Spool;
use crate::services::series::{grow, new_points};
use crate::store;
use crate::store::series::{Chunk, Counts};

/// So many chunks are read, or written, at once.
const CHUNKS_AT_ONCE: usize = 64;

/// Puts the lines of a run's series aside. Returns how many points there are.
pub(super) async fn gather(
    connection: &mut PgConnection,
    project_id: ProjectId,
    run_id: RunId,
    run: ExperimentId,
    lines: &mut Spool<SeriesLine>,
) -> Result<u64> {
    let mut waiting = new_points(connection, project_id, run_id, None).await?;
    let mut count = 0;
    for mut one in store::series::list(connection, project_id, run_id, None).await? {
        let chunks = number(one.stats.chunks())?;
        let mut from = 0;
        while from < chunks {
            let to = chunks.min(from + number(CHUNKS_AT_ONCE)?);
            let blocks = store::series::chunks_between(connection, project_id, run_id, &one.name, from, to).await?;
            for block in blocks {
                let samples = codec::decode(&block).map_err(anyhow::Error::new)?;
                count += put_aside(lines, run, &one.name, &samples)?;
            }
            from = to;
        }
        let settled = one.stats.settle(&waiting.remove(&one.name).unwrap_or_default());
        for samples in settled.chunks(CHUNK_POINTS) {
            count += put_aside(lines, run, &one.name, samples)?;
        }
    }
    let sources = store::archive::project::sources(connection, project_id, run_id).await?;
    lines.push(&SeriesLine::Sources { run, next: sources.into_iter().collect() })?;
    Ok(count)
}

fn put_aside(lines: &mut Spool<SeriesLine>, run: ExperimentId, name: &str, samples: &[Sample]) -> Result<u64> {
    let point = |sample: &Sample| (sample.step, sample.known_time(), Number(sample.value));
    lines.push(&SeriesLine::Points { run, name: name.to_owned(), points: samples.iter().map(point).collect() })?;
    Ok(samples.len() as u64)
}

fn number(count: usize) -> Result<i32> {
    i32::try_from(count).map_err(|_| AppError::invalid("A series has more points than it may have."))
}

/// Takes lines in, one run after the other.
pub(super) struct Intake {
    project_id: ProjectId,
    /// The run whose lines come now.
    run: Option<(ExperimentId, RunId)>,
    /// Its series so far; the last one is the one whose points come now.
    series: Vec<Series>,
    /// The points of its last chunk, which is not full.
    open: Vec<Sample>,
    /// Chunks that are not written yet.
    chunks: Vec<Chunk>,
    /// What lists draw of its series.
    sparks: Sparks,
    /// How many points came.
    pub points: u64,
}

impl Intake {
    /// For the runs of a project.
    pub const fn new(project_id: ProjectId) -> Self {
        Self {
            project_id,
            run: None,
            series: Vec::new(),
            open: Vec::new(),
            chunks: Vec::new(),
            sparks: Sparks::new(),
            points: 0,
        }
    }

    /// Takes a line.
    pub async fn take(&mut self, connection: &mut PgConnection, line: SeriesLine) -> Result<()> {
        match line {
            SeriesLine::Points { run, name, points } => {
                let run_id = self.turn_to(connection, run).await?;
                if points.len() > CHUNK_POINTS {
                    return Err(AppError::invalid("A line of the archive has more than 2,048 points."));
                }
                self.points += points.len() as u64;
                self.add(&name, &points)?;
                if self.chunks.len() > CHUNKS_AT_ONCE {
                    self.write_chunks(connection, run_id).await?;
                }
            }
            SeriesLine::Sources { run, next } => {
                let run_id = self.turn_to(connection, run).await?;
                if next.len() > usize::try_from(SOURCES_MAX).unwrap_or_default() {
                    return Err(AppError::invalid(format!("{run} of the archive has more than 1,000 sources.")));
                }
                for source in next.keys() {
                    check_names(source, "points")?;
                }
                let (sources, counts): (Vec<String>, Vec<i64>) = next.into_iter().unzip();
                if counts.iter().any(|count| *count < 0) {
                    return Err(AppError::invalid(format!("{run} of the archive has fewer points than none.")));
                }
                self.finish(connection, number(sources.len())?).await?;
                store::series::set_next_indexes(connection, self.project_id, run_id, &sources, &counts).await?;
            }
        }
        Ok(())
    }

    /// Nothing more comes.
    pub fn end(&self) -> Result<()> {
        // The last line of a run's says what its points were read from.
        if self.run.is_some() { Err(cut_short()) } else { Ok(()) }
    }

    async fn turn_to(&mut self, connection: &mut PgConnection, run: ExperimentId) -> Result<RunId> {
        if let Some((current, id)) = self.run {
            if current != run {
                return Err(cut_short());
            }
            return Ok(id);
        }
        let id = store::runs::resolve(connection, self.project_id, RunRef::Experiment(run)).await?;
        let id = id.ok_or_else(|| AppError::invalid(format!("The archive has points of {run}, and not the run.")))?;
        store::series::lock(connection, self.project_id, id).await?;
        self.run = Some((run, id));
        Ok(id)
    }

    fn add(&mut self, name: &str, points: &[(i64, Option<f64>, Number)]) -> Result<()> {
        if self.series.last().is_none_or(|last| last.name != name) {
            check_names("points", name)?;
            if self.series.len() >= NAMES_MAX || self.series.iter().any(|one| one.name == name) {
                return Err(AppError::invalid("The archive has too many series, or one of them twice."));
            }
            self.series.push(Series { name: name.to_owned(), stats: Stats::default() });
            self.open.clear();
        }
        let Some(series) = self.series.last_mut() else { return Ok(()) };
        if !self.open.is_empty() && self.chunks.last().is_some_and(|last| last.name == name) {
            // It is written again, with more points.
            self.chunks.pop();
        }
        let fresh = |(step, time, Number(value)): &(i64, Option<f64>, Number)| Fresh {
            step: Some(*step),
            time: time.unwrap_or(f64::NAN),
            value: *value,
        };
        let fresh: Vec<Fresh> = points.iter().map(fresh).collect();
        self.sparks.extend(fresh.iter().map(|point| (name, point.value)));
        grow(series, mem::take(&mut self.open), &fresh, &mut self.chunks)?;
        let full = number(CHUNK_POINTS)?;
        let last = self.chunks.last().filter(|last| last.name == name && last.point_count < full);
        self.open = match last {
            Some(last) => codec::decode(&last.points).map_err(anyhow::Error::new)?,
            None => Vec::new(),
        };
        Ok(())
    }

    async fn write_chunks(&mut self, connection: &mut PgConnection, run_id: RunId) -> Result<()> {
        store::series::put_chunks(connection, self.project_id, run_id, &self.chunks).await?;
        self.chunks.clear();
        Ok(())
    }

    /// Writes what is left of the run's.
    async fn finish(&mut self, connection: &mut PgConnection, sources: i32) -> Result<()> {
        let Some((_, run_id)) = self.run.take() else { return Ok(()) };
        self.write_chunks(connection, run_id).await?;
        let series = mem::take(&mut self.series);
        self.open.clear();
        let names: Vec<String> = series.iter().map(|one| one.name.clone()).collect();
        store::series::insert_names(connection, self.project_id, run_id, &names).await?;
        store::series::set_stats(connection, self.project_id, run_id, &series).await?;
        let sparks = mem::take(&mut self.sparks).bytes();
        let counts = Counts { names: number(names.len())?, sources, tail_points: 0, sparks };
        store::series::set_counts(connection, self.project_id, run_id, &counts).await?;
        Ok(())
    }
}

fn cut_short() -> AppError {
    AppError::invalid("The series of a run in the archive are cut short.")
}

/// Whether a source and a series may be called so.
fn check_names(source: &str, name: &str) -> Result<()> {
    let point = Point { name: name.to_owned(), step: None, time: None, value: 0.0 };
    series::check(&[SeriesBatch { source: source.to_owned(), first: 0, points: vec![point] }])?;
    Ok(())
}
