//! What of a request is new: points that are here already are passed over, and none is taken past a gap.

use std::collections::BTreeMap;

use otrace_wire::series::{Point, SeriesBatch};

/// Goes through the batches of one request.
#[derive(Debug, Default)]
pub struct Intake<'a> {
    /// How many points of each source are here.
    next: BTreeMap<String, i64>,
    /// The sources of which something new came.
    changed: BTreeMap<String, i64>,
    new: Vec<&'a Point>,
}

impl<'a> Intake<'a> {
    /// Begins with how many points of each source are here; of other sources there are none.
    pub fn new(known: impl IntoIterator<Item = (String, i64)>) -> Self {
        Self { next: known.into_iter().collect(), ..Self::default() }
    }

    /// Takes of a batch what is new.
    pub fn take(&mut self, batch: &'a SeriesBatch) {
        let next = self.next.entry(batch.source.clone()).or_default();
        let length = i64::try_from(batch.points.len()).unwrap_or(i64::MAX);
        // What can't be a place in a source lies behind a gap.
        let first = i64::try_from(batch.first).unwrap_or(i64::MAX);
        let end = first.saturating_add(length);
        if first > *next || end <= *next {
            return;
        }
        let known = usize::try_from(*next - first).unwrap_or(usize::MAX);
        self.new.extend(batch.points.iter().skip(known));
        *next = end;
        self.changed.insert(batch.source.clone(), end);
    }

    /// The points that are new, in the order in which they were sent.
    pub fn new_points(&self) -> &[&'a Point] {
        &self.new
    }

    /// The sources of which something new came, and how many of their points there are now.
    pub const fn changed(&self) -> &BTreeMap<String, i64> {
        &self.changed
    }

    /// For each source that was sent, how many of its points there are now.
    pub fn into_next(self) -> BTreeMap<String, u64> {
        self.next.into_iter().map(|(source, next)| (source, next.cast_unsigned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Points of a source whose value tells their place in it.
    fn batch(first: u16, length: u16) -> SeriesBatch {
        let point = |place: u16| Point { name: "loss".to_owned(), step: None, time: None, value: f64::from(place) };
        SeriesBatch {
            source: "metrics".to_owned(),
            first: first.into(),
            points: (first..first.saturating_add(length)).map(point).collect(),
        }
    }

    fn values(intake: &Intake<'_>) -> Vec<f64> {
        intake.new_points().iter().map(|point| point.value).collect()
    }

    #[test]
    fn what_is_here_is_passed_over_and_a_gap_is_not_jumped() {
        let cases = [(0, 10, vec![]), (12, 5, vec![]), (8, 4, vec![10.0, 11.0]), (12, 1, vec![10.0, 11.0, 12.0])];
        let cases = cases.map(|(first, length, expected)| (batch(first, length), expected));
        let mut intake = Intake::new([("metrics".to_owned(), 10)]);
        for (batch, expected) in &cases {
            intake.take(batch);
            assert_eq!(values(&intake), *expected, "{} from {}", batch.points.len(), batch.first);
        }
        assert_eq!(intake.changed()["metrics"], 13);
        assert_eq!(intake.into_next(), BTreeMap::from([("metrics".to_owned(), 13)]));
    }

    #[test]
    fn a_source_of_which_nothing_new_came_does_not_change() {
        let batches = [batch(3, 2), batch(0, 0)];
        let mut intake = Intake::new([]);
        for batch in &batches {
            intake.take(batch);
        }
        assert!(intake.changed().is_empty() && intake.new_points().is_empty());
        assert_eq!(intake.into_next(), BTreeMap::from([("metrics".to_owned(), 0)]));
    }

    proptest! {
        #[test]
        fn in_whatever_pieces_and_order_points_come_each_is_taken_once(
            pieces in prop::collection::vec((0..50_u16, 0..20_u16), 0..60),
        ) {
            let batches: Vec<SeriesBatch> = pieces.into_iter().map(|(first, length)| batch(first, length)).collect();
            let mut intake = Intake::new([]);
            for batch in &batches {
            intake.take(batch);
        }
            let taken = values(&intake);
            let expected: Vec<f64> = (0_u16..).map(f64::from).take(taken.len()).collect();
            prop_assert_eq!(taken, expected);
        }
    }
}
