//! Up to where the points of each source are kept, so that what is read anew is not kept twice, and what a later run
//! has left in a file is not taken for this one's.

use std::collections::HashMap;
use std::path::Path;

use otrace_wire::series::{Point, SeriesBatch};

use super::read;

/// How far the last digits of a number may be off that was written down and read: a few units in the last place.
const ROUNDING: f64 = 1e-12;

/// What is kept of each source.
#[derive(Default)]
pub(super) struct Known(HashMap<String, Kept>);

/// What is kept of one.
struct Kept {
    /// How many points.
    count: u64,
    /// The last of them.
    last: Point,
    /// Whether another point stands in its place now.
    is_other: bool,
}

impl Known {
    /// What is kept in a file.
    pub(super) fn of(path: &Path) -> Self {
        let (mut known, mut from) = (Self::default(), 0);
        while let Ok((batches, to)) = read(path, from) {
            if batches.is_empty() {
                break;
            }
            for batch in batches {
                known.note(batch);
            }
            from = to;
        }
        known
    }

    fn note(&mut self, mut batch: SeriesBatch) {
        let count = batch.first + batch.points.len() as u64;
        let is_further = self.0.get(&batch.source).is_none_or(|kept| kept.count < count);
        if let Some(last) = batch.points.pop().filter(|_| is_further) {
            self.0.insert(batch.source, Kept { count, last, is_other: false });
        }
    }

    /// What of these is not kept. Nothing of a source whose points are not those that are.
    pub(super) fn without(&mut self, batches: Vec<SeriesBatch>) -> Vec<SeriesBatch> {
        batches.into_iter().filter_map(|batch| self.rest_of(batch)).collect()
    }

    fn rest_of(&mut self, mut batch: SeriesBatch) -> Option<SeriesBatch> {
        let Some(kept) = self.0.get_mut(&batch.source) else { return Some(batch) };
        let count = usize::try_from(kept.count.saturating_sub(batch.first)).unwrap_or(usize::MAX);
        let last = count.checked_sub(1).and_then(|last| batch.points.get(last));
        kept.is_other |= last.is_some_and(|last| !is_same(last, &kept.last));
        if kept.is_other || count >= batch.points.len() {
            return None;
        }
        batch.points.drain(..count);
        batch.first += count as u64;
        Some(batch)
    }
}

fn is_same(one: &Point, other: &Point) -> bool {
    let (a, b) = (one.value, other.value);
    let is_close = a.total_cmp(&b).is_eq() || (a.is_nan() && b.is_nan()) || (a - b).abs() <= ROUNDING * a.abs();
    one.name == other.name && one.step == other.step && is_close
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(first: u64, values: &[f64]) -> SeriesBatch {
        let point = |value: &f64| Point { name: "loss".to_owned(), step: None, time: None, value: *value };
        SeriesBatch { source: "file:out.csv".to_owned(), first, points: values.iter().map(point).collect() }
    }

    fn known(values: &[f64]) -> Known {
        let mut known = Known::default();
        known.note(batch(0, values));
        // What was sent anew after a break.
        known.note(batch(0, &values[..1]));
        known
    }

    #[test]
    fn what_is_kept_is_not_kept_again() {
        let values = [0.5, f64::NAN, 0.1 + 0.2, 4.0, 5.0];
        let mut kept = known(&values[..3]);
        assert_eq!(kept.without(vec![batch(0, &values[..2])]), []);
        assert_eq!(kept.without(vec![batch(2, &[0.3, 4.0]), batch(4, &[5.0])]), [batch(3, &[4.0]), batch(4, &[5.0])]);
        let mut kept = known(&values[..2]);
        assert_eq!(kept.without(vec![batch(0, &values)]), [batch(2, &values[2..])]);
        assert_eq!(Known::default().without(vec![batch(0, &[1.0])]), [batch(0, &[1.0])]);
    }

    #[test]
    fn a_file_that_tells_something_else_now_is_left() {
        let mut kept = known(&[0.5, 0.25]);
        assert_eq!(kept.without(vec![batch(0, &[0.5, 0.7, 0.1]), batch(3, &[0.0])]), []);
    }
}
