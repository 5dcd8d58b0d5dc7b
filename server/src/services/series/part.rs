//! A part of a series, in as much detail as there is of it: what a chart shows that one has zoomed into.
//!
//! Summaries tell which chunks the part touches. If those are few they are read in full, else their summaries are
//! shown, which have the extremes of all their points.

use sqlx::PgConnection;

use super::{Chart, SNAPSHOT, new_points, number, read};
use crate::app::AppState;
use crate::domain::series::downsample::downsample;
use crate::domain::series::{CHUNK_POINTS, SUMMARY_POINTS, Sample, Stats};
use crate::domain::{ProjectId, RunId, RunRef};
use crate::error::{AppError, Result};
use crate::services::runs;
use crate::store;

/// So many chunks are read in full.
const CHUNKS_IN_FULL: usize = 32;
/// Who asks for the end of a series gets it from so many chunks, without a look at all others.
const CHUNKS_AT_END: usize = 2;

/// From one place of a series to another.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Whether places are times, in seconds since 1970; else they are steps.
    pub by_time: bool,
    /// The first place.
    pub from: f64,
    /// The last one.
    pub to: f64,
}

impl Span {
    /// Where a point stands, if that is known.
    #[expect(clippy::cast_precision_loss, reason = "no eye sees the difference")]
    fn place(self, sample: &Sample) -> Option<f64> {
        if self.by_time { sample.known_time() } else { Some(sample.step as f64) }
    }

    /// Whether anything of the line between two places lies within.
    fn touches(self, one: f64, other: f64) -> bool {
        one.min(other) <= self.to && one.max(other) >= self.from
    }

    /// The points within, and the ones before and after them, so that a line goes on to the edges.
    fn cut(self, samples: &[Sample]) -> Vec<Sample> {
        let placed: Vec<(f64, Sample)> =
            samples.iter().filter_map(|sample| Some((self.place(sample)?, *sample))).collect();
        let touches = |one: usize, other: usize| self.touches(placed[one].0, placed[other].0);
        let is_kept = |index: usize| {
            touches(index, index)
                || (index > 0 && touches(index - 1, index))
                || (index + 1 < placed.len() && touches(index, index + 1))
        };
        (0..placed.len()).filter(|index| is_kept(*index)).map(|index| placed[index].1).collect()
    }

    /// The first and the last of these blocks that it touches, each block with the way to the next one.
    fn blocks(self, blocks: &[Vec<Sample>]) -> Option<(usize, usize)> {
        let mut touched = (0..blocks.len()).filter(|index| {
            let next = blocks.get(index + 1).and_then(|next| next.first());
            let places = || blocks[*index].iter().chain(next).filter_map(|sample| self.place(sample));
            let (low, high) = (places().fold(f64::INFINITY, f64::min), places().fold(f64::NEG_INFINITY, f64::max));
            low <= high && self.touches(low, high)
        });
        let first = touched.next()?;
        Some((first, touched.next_back().unwrap_or(first)))
    }
}

/// At most `most` points of one series that lie in a span.
pub async fn part(
    app: &AppState,
    project_id: ProjectId,
    run: RunRef,
    name: &str,
    span: Span,
    most: usize,
) -> Result<Chart> {
    let run_id = runs::resolve(app, project_id, run).await?;
    let names = [name.to_owned()];
    let mut snapshot = app.pool.begin_with(SNAPSHOT).await?;
    let found = store::series::list(&mut snapshot, project_id, run_id, Some(&names)).await?;
    let mut series = found.into_iter().next().ok_or(AppError::NotFound("Series"))?;
    let mut waiting = new_points(&mut snapshot, project_id, run_id, Some(&names)).await?;
    let stored = series.stats;
    let settled = series.stats.settle(&waiting.remove(name).unwrap_or_default());
    let stretch = Stretch { project_id, run_id, name, span };
    let samples = stretch.samples(&mut snapshot, &stored, &settled).await?;
    drop(snapshot);
    Ok(Chart { samples: downsample(&span.cut(&samples), most), series })
}

/// What is looked for.
struct Stretch<'a> {
    project_id: ProjectId,
    run_id: RunId,
    name: &'a str,
    span: Span,
}

impl Stretch<'_> {
    /// Points around the span: all of them, or those of the summaries.
    async fn samples(&self, connection: &mut PgConnection, stored: &Stats, settled: &[Sample]) -> Result<Vec<Sample>> {
        if self.span.to.is_infinite() {
            let from = stored.chunks().saturating_sub(CHUNKS_AT_END);
            let mut end = self.chunks(connection, from, stored.chunks()).await?;
            end.extend_from_slice(settled);
            let begins = end.iter().find_map(|sample| self.span.place(sample));
            if from == 0 || begins.is_some_and(|begins| begins <= self.span.from) {
                return Ok(end);
            }
        }
        let summaries = self.summaries(connection, settled).await?;
        let Some((first, last)) = self.span.blocks(&summaries) else { return Ok(Vec::new()) };
        if last - first < CHUNKS_IN_FULL {
            // The chunk after the last one has the point that its line goes on to.
            let mut samples = self.chunks(connection, first, last + 2).await?;
            if last + 1 >= stored.chunks() {
                samples.extend_from_slice(settled);
            }
            return Ok(samples);
        }
        Ok(summaries[first..=last].concat())
    }

    /// The summaries of all chunks, and last what waits, as dense as they are.
    async fn summaries(&self, connection: &mut PgConnection, settled: &[Sample]) -> Result<Vec<Vec<Sample>>> {
        let names = [self.name.to_owned()];
        let blocks = store::series::summaries(connection, self.project_id, self.run_id, &names).await?;
        let mut summaries = blocks.iter().map(|(_, block)| read(block)).collect::<Result<Vec<_>>>()?;
        summaries.push(downsample(settled, settled.len() * SUMMARY_POINTS / CHUNK_POINTS));
        Ok(summaries)
    }

    /// The points of the chunks from one up to another, which is not one of them.
    async fn chunks(&self, connection: &mut PgConnection, from: usize, to: usize) -> Result<Vec<Sample>> {
        let (from, to) = (number(from)?, number(to)?);
        let blocks =
            store::series::chunks_between(connection, self.project_id, self.run_id, self.name, from, to).await?;
        let mut samples = Vec::with_capacity(blocks.len() * CHUNK_POINTS);
        for block in blocks {
            samples.extend(read(&block)?);
        }
        Ok(samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(steps: &[i64]) -> Vec<Sample> {
        steps.iter().map(|step| Sample { step: *step, time: f64::NAN, value: 0.0 }).collect()
    }

    fn cut(steps: &[i64], from: f64, to: f64) -> Vec<i64> {
        let span = Span { by_time: false, from, to };
        span.cut(&points(steps)).iter().map(|sample| sample.step).collect()
    }

    #[test]
    fn a_part_has_the_points_beside_it_so_that_its_line_reaches_the_edges() {
        assert_eq!(cut(&[0, 10, 20, 30, 40], 15.0, 25.0), [10, 20, 30]);
        assert_eq!(cut(&[0, 10, 20, 30, 40], 12.0, 18.0), [10, 20], "between two points");
        assert_eq!(cut(&[0, 10], 50.0, f64::INFINITY), Vec::<i64>::new());
        assert_eq!(cut(&[7], 0.0, 10.0), [7]);
        // A run that went back to an earlier step has two stretches there.
        assert_eq!(cut(&[0, 10, 20, 0, 10, 20], 9.0, 11.0), [0, 10, 20, 0, 10, 20]);
    }

    #[test]
    fn what_has_no_time_has_no_place_in_time() {
        let span = Span { by_time: true, from: 0.0, to: 1e12 };
        assert!(span.cut(&points(&[1, 2, 3])).is_empty());
        assert_eq!(span.blocks(&[points(&[1, 2])]), None);
    }

    #[test]
    fn a_block_reaches_to_where_the_next_one_begins() {
        let blocks = [points(&[0, 10]), points(&[20, 30]), points(&[40, 50])];
        let touched = |from, to| Span { by_time: false, from, to }.blocks(&blocks);
        assert_eq!(touched(12.0, 14.0), Some((0, 0)));
        assert_eq!(touched(25.0, 45.0), Some((1, 2)));
        assert_eq!(touched(60.0, 70.0), None);
    }
}
