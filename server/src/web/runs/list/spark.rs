//! The curve of each run in the list: a series drawn small, as long as it is beside the longest of the list.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use otrace_wire::RunStatus;

use crate::domain::series::spark::Spark;
use crate::domain::{Run, RunId};
use crate::web::{format, plot, terminal};

/// Where curves begin and end, in a drawing that is 88 wide and 22 high.
const LEFT: f64 = 3.0;
const RIGHT: f64 = 85.0;
const TOP: f64 = 4.0;
const BOTTOM: f64 = 18.0;
/// However short a series is, its curve is so much of the longest one: else it would be a dot beside it.
const SHORTEST: f64 = 0.25;

/// The curves of a list.
#[derive(Default)]
pub(super) struct Curves {
    sparks: HashMap<RunId, Spark>,
    /// How many points the longest of the series has.
    longest: u64,
}

/// The curve of a run.
pub struct SparkView {
    /// The run's status, which gives it its colour.
    pub(super) class: &'static str,
    pub(super) path: String,
    /// The last value, where more are to come or the run failed there.
    pub(super) end: Option<String>,
    /// The same in words.
    pub(super) says: String,
}

impl Curves {
    /// Of these series.
    pub(super) fn new(sparks: HashMap<RunId, Spark>) -> Self {
        let longest = sparks.values().map(|spark| spark.count).max().unwrap_or_default();
        Self { sparks, longest }
    }

    /// What most of the series are called; `None`: there are none.
    pub(super) fn name(&self) -> Option<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for spark in self.sparks.values() {
            *counts.entry(&spark.name).or_default() += 1;
        }
        let (name, _) = counts.into_iter().max_by_key(|(name, count)| (*count, Reverse(*name)))?;
        Some(terminal::clean(name))
    }

    /// The curve of a run, where it has one.
    pub(super) fn draw(&self, run: &Run) -> Option<SparkView> {
        let spark = self.sparks.get(&run.id)?;
        let points = spark.points();
        let (low, high) = plot::ends(points.iter().map(|(_, value)| value.map(f64::from)))?;
        let width = (RIGHT - LEFT) * (length(spark.count) / length(self.longest)).clamp(SHORTEST, 1.0);
        let last = length(spark.count.saturating_sub(1).max(1));
        let place = |(place, value): &(u64, Option<f32>)| {
            let value = f64::from((*value)?);
            let share = if high > low { (value - low) / (high - low) } else { 0.5 };
            Some((LEFT + width * length(*place) / last, BOTTOM - share * (BOTTOM - TOP)))
        };
        let end = points.iter().rev().find_map(place);
        let has_end = matches!(run.status, RunStatus::Running | RunStatus::Failed);
        Some(SparkView {
            class: run.status.as_str(),
            path: plot::line(points.iter().map(place)),
            end: end.filter(|_| has_end).map(|(x, y)| format!("M{x:.1} {y:.1}h0")),
            says: in_words(spark),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "no eye sees the difference")]
const fn length(count: u64) -> f64 {
    count as f64
}

/// `val/accuracy, 80 points, from 0.51 to 0.9803`.
fn in_words(spark: &Spark) -> String {
    let name = terminal::clean(&spark.name);
    let count = format::counted(spark.count.try_into().unwrap_or(i64::MAX), "point", "points");
    let values: Vec<f64> = spark.points().into_iter().filter_map(|(_, value)| value.map(f64::from)).collect();
    match values.as_slice() {
        [] => format!("{name}, {count}"),
        [only] => format!("{name}, {count}, {}", format::number(*only)),
        [first, .., last] => format!("{name}, {count}, from {} to {}", format::number(*first), format::number(*last)),
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use time::OffsetDateTime;

    use super::*;
    use crate::domain::ProjectId;
    use crate::domain::series::spark::Sparks;

    fn run(status: RunStatus) -> Run {
        Run {
            id: RunId::new(),
            project_id: ProjectId::new(),
            number: 1,
            parent_number: None,
            title: None,
            intent: String::new(),
            setup: String::new(),
            command: String::new(),
            working_directory: None,
            status,
            tags: Vec::new(),
            expected_artifact_paths: Vec::new(),
            expected_log_paths: Vec::new(),
            exit_code: None,
            signal: None,
            duration_seconds: None,
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
            started_at: None,
            finished_at: None,
            last_contact_at: None,
            recorder: None,
            key_name: None,
            author: None,
        }
    }

    fn spark(name: &str, values: &[f64]) -> Spark {
        let mut sparks = Sparks::new();
        sparks.extend(iter::repeat(name).zip(values.iter().copied()));
        sparks.of(name).unwrap().clone()
    }

    #[test]
    fn a_short_series_is_a_short_curve_and_what_goes_on_has_an_end() {
        let (whole, begun, empty) = (run(RunStatus::Completed), run(RunStatus::Running), run(RunStatus::Failed));
        let sparks = [
            (whole.id, spark("acc", &[0.0, 1.0, 0.5, 1.0, 1.0])),
            (begun.id, spark("val/acc", &[2.0, f64::NAN, 2.0])),
            (empty.id, spark("acc", &[f64::NAN])),
        ];
        let curves = Curves::new(sparks.into_iter().collect());
        assert_eq!(curves.name().unwrap(), "acc");
        let drawn = curves.draw(&whole).unwrap();
        assert_eq!(drawn.path, "M3.0 18.0L23.5 4.0L44.0 11.0L64.5 4.0L85.0 4.0");
        assert_eq!((drawn.end, drawn.says.replace('\u{a0}', " ")), (None, "acc, 5 points, from 0 to 1".to_owned()));
        let drawn = curves.draw(&begun).unwrap();
        assert_eq!((drawn.class, drawn.path.as_str()), ("running", "M3.0 11.0h0M52.2 11.0h0"));
        assert_eq!(drawn.end.unwrap(), "M52.2 11.0h0");
        assert!(curves.draw(&empty).is_none() && curves.draw(&run(RunStatus::Completed)).is_none());
        assert_eq!(Curves::default().name(), None);
    }
}
