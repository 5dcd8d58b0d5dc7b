//! Series: named values over steps, such as a loss.
//!
//! [`intake`] says what of a request is new, [`codec`] and [`tail`] turn points into bytes and back,
//! [`downsample`] picks the points that a chart shows, and [`spark`] those of the small curves of a list.

pub mod codec;
pub mod downsample;
pub mod intake;
pub mod spark;
pub mod tail;

use otrace_wire::series::{NAME_MAX_BYTES, POINTS_MAX, SeriesBatch};

use super::text::Invalid;

/// So many points a chunk has when it is full. Whatever they are, they then take less than 64 KiB.
pub const CHUNK_POINTS: usize = 2048;
/// So many of them stand in a chunk's summary.
pub const SUMMARY_POINTS: usize = 64;
/// A run's points may come from so many sources.
pub const SOURCES_MAX: i32 = 1_000;
/// So many batches a request may have.
const BATCHES_MAX: usize = 1_000;

/// One value of a series.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// At which step.
    pub step: i64,
    /// When, in seconds since 1970; NaN where that is not known.
    pub time: f64,
    /// The value: any that 64 bits can be.
    pub value: f64,
}

/// One value of a series as it was sent: where no step is told, its place in the series is its step.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// At which step, if that was told.
    pub step: Option<i64>,
    /// When, in seconds since 1970; NaN where that is not known.
    pub time: f64,
    /// The value.
    pub value: f64,
}

/// A series without its points.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name, such as `val/loss`.
    pub name: String,
    /// What is known of its points.
    pub stats: Stats,
}

/// What is known of some points of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// How many there are.
    pub count: i64,
    /// How many of them are NaN or infinite.
    pub not_finite: i64,
    /// The step of the last one.
    pub last_step: Option<i64>,
    /// When the last one was written, in seconds since 1970, where that is known.
    pub last_time: Option<f64>,
    /// The value of the last one.
    pub last_value: Option<f64>,
    /// The lowest finite value.
    pub lowest: Option<f64>,
    /// The highest finite value.
    pub highest: Option<f64>,
}

impl Sample {
    /// When it was written, where that is known.
    pub fn known_time(&self) -> Option<f64> {
        Some(self.time).filter(|time| time.is_finite())
    }
}

impl Stats {
    /// Takes the next point.
    pub fn add(&mut self, sample: &Sample) {
        self.count += 1;
        self.last_step = Some(sample.step);
        self.last_time = sample.known_time();
        self.last_value = Some(sample.value);
        if sample.value.is_finite() {
            self.lowest = Some(self.lowest.map_or(sample.value, |lowest| lowest.min(sample.value)));
            self.highest = Some(self.highest.map_or(sample.value, |highest| highest.max(sample.value)));
        } else {
            self.not_finite += 1;
        }
    }

    /// Takes the next points as they were sent, and gives them their steps.
    pub fn settle(&mut self, fresh: &[Fresh]) -> Vec<Sample> {
        let mut settled = Vec::with_capacity(fresh.len());
        for point in fresh {
            let sample = Sample { step: point.step.unwrap_or(self.count), time: point.time, value: point.value };
            self.add(&sample);
            settled.push(sample);
        }
        settled
    }

    /// In how many chunks so many points lie.
    pub fn chunks(&self) -> usize {
        usize::try_from(self.count).unwrap_or_default().div_ceil(CHUNK_POINTS)
    }
}

/// Whether points that were sent have a form that can be kept. Each refusal says what to do.
pub fn check(batches: &[SeriesBatch]) -> Result<(), Invalid> {
    if batches.len() > BATCHES_MAX {
        return Err(Invalid("Send at most 1,000 batches in one request."));
    }
    if batches.iter().map(|batch| batch.points.len()).sum::<usize>() > POINTS_MAX {
        return Err(Invalid("Send at most 10,000 points in one request."));
    }
    for batch in batches {
        if !is_name(&batch.source) {
            return Err(Invalid("A source is named by 1 to 255 bytes without control characters."));
        }
        let length = u64::try_from(batch.points.len()).unwrap_or(u64::MAX);
        if batch.first.checked_add(length).is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(Invalid("The points of a source are counted from 0."));
        }
        if !batch.points.iter().all(|point| is_name(&point.name)) {
            return Err(Invalid("A series is named by 1 to 255 bytes without control characters."));
        }
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_MAX_BYTES && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use otrace_wire::series::Point;

    use super::*;

    fn batch(source: &str, first: u64, names: &[&str]) -> SeriesBatch {
        let point = |name: &&str| Point { name: (*name).to_owned(), step: None, time: None, value: 1.0 };
        SeriesBatch { source: source.to_owned(), first, points: names.iter().map(point).collect() }
    }

    #[test]
    fn names_and_numbers_that_can_not_be_kept_are_refused() {
        let longest = "x".repeat(255);
        assert_eq!(check(&[batch("metrics", 0, &["loss", &longest, "val/Verlust µ"])]), Ok(()));
        let too_long = "x".repeat(256);
        for refused in [
            batch("metrics", 0, &["loss", ""]),
            batch("metrics", 0, &[&too_long]),
            batch("metrics", 0, &["a\nb"]),
            batch("", 0, &["loss"]),
            batch(&too_long, 0, &["loss"]),
            batch("metrics", u64::MAX, &["loss"]),
            batch("metrics", i64::MAX.cast_unsigned(), &["loss"]),
        ] {
            assert!(check(std::slice::from_ref(&refused)).is_err(), "{refused:?}");
        }
        let (half, rest) = (vec!["loss"; 5_000], vec!["loss"; 5_001]);
        assert_eq!(check(&[batch("a", 0, &half), batch("b", 0, &half)]), Ok(()));
        assert!(check(&[batch("a", 0, &half), batch("b", 0, &rest)]).is_err());
    }

    #[test]
    fn a_point_without_a_step_has_its_place_for_one() {
        let mut stats = Stats { count: 40, ..Stats::default() };
        let fresh = |step, value| Fresh { step, time: f64::NAN, value };
        let settled = stats.settle(&[fresh(None, 1.0), fresh(Some(-7), f64::NAN), fresh(None, -2.0)]);
        let steps: Vec<i64> = settled.iter().map(|sample| sample.step).collect();
        assert_eq!(steps, [40, -7, 42]);
        assert_eq!((stats.count, stats.not_finite, stats.last_step), (43, 1, Some(42)));
        assert_eq!((stats.lowest, stats.highest, stats.last_value), (Some(-2.0), Some(1.0), Some(-2.0)));
        assert_eq!(stats.last_time, None);
    }
}
