//! Fewer points that look like all of them.
//!
//! Of each stretch of points, the lowest and the highest stay. LTTB draws smoother lines, but may leave out
//! the one spike that somebody looks for, and of points that it has thinned out it can't thin out further
//! without losing more: here the extremes of extremes are those of all points, so that a long series is drawn
//! from the summaries of its chunks.

use super::Sample;

/// Fewer than this make no line.
const LEAST: usize = 8;

/// At most `most` of these points, in their order: the first, the last, and of each stretch in between the
/// lowest, the highest, and one that is NaN or infinite, if any is.
pub fn downsample(samples: &[Sample], most: usize) -> Vec<Sample> {
    let most = most.max(LEAST);
    let [first, inner @ .., last] = samples else { return samples.to_vec() };
    if samples.len() <= most {
        return samples.to_vec();
    }
    let all_finite = inner.iter().all(|sample| sample.value.is_finite());
    let stretches = (most - 2) / if all_finite { 2 } else { 3 };
    let mut kept = Vec::with_capacity(most);
    kept.push(*first);
    for stretch in 0..stretches {
        let start = inner.len() * stretch / stretches;
        let end = inner.len() * (stretch + 1) / stretches;
        kept.extend(outstanding(&inner[start..end]));
    }
    kept.push(*last);
    kept
}

/// The lowest, the highest, and the first that is NaN or infinite, in their order, each once.
fn outstanding(samples: &[Sample]) -> impl Iterator<Item = Sample> {
    let finite = || samples.iter().enumerate().filter(|(_, sample)| sample.value.is_finite());
    let lowest = finite().min_by(|(_, one), (_, other)| one.value.total_cmp(&other.value));
    let highest = finite().max_by(|(_, one), (_, other)| one.value.total_cmp(&other.value));
    let odd = samples.iter().enumerate().find(|(_, sample)| !sample.value.is_finite());
    let mut places: Vec<usize> = [lowest, highest, odd].into_iter().flatten().map(|(place, _)| place).collect();
    places.sort_unstable();
    places.dedup();
    places.into_iter().map(|place| samples[place])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Stats;
    use super::*;

    fn series(values: &[f64]) -> Vec<Sample> {
        (0_i64..).zip(values).map(|(step, value)| Sample { step, time: f64::NAN, value: *value }).collect()
    }

    fn stats(samples: &[Sample]) -> Stats {
        let mut stats = Stats::default();
        for sample in samples {
            stats.add(sample);
        }
        stats
    }

    #[test]
    fn a_single_spike_and_a_single_nan_stay() {
        let mut values = vec![1.0; 10_000];
        values[7_321] = 99.0;
        values[4_444] = f64::NAN;
        let kept = downsample(&series(&values), 100);
        assert!(kept.len() <= 100, "{}", kept.len());
        let steps: Vec<i64> = kept.iter().map(|sample| sample.step).collect();
        for step in [0, 4_444, 7_321, 9_999] {
            assert!(steps.contains(&step), "{step} in {steps:?}");
        }
    }

    #[test]
    fn short_series_stay_whole() {
        for length in [0, 1, 2, 8] {
            assert_eq!(downsample(&series(&vec![1.0; length]), 8).len(), length);
        }
        assert!(downsample(&series(&[1.0; 50]), 0).len() <= LEAST);
    }

    proptest! {
        #[test]
        fn ends_and_extremes_stay_and_so_does_the_order(
            values in prop::collection::vec(prop_oneof![8 => any::<f64>(), 1 => Just(f64::NAN)], 1..3000),
            most in 8..400_usize,
        ) {
            let samples = series(&values);
            let kept = downsample(&samples, most);
            prop_assert!(kept.len() <= most.max(1));
            prop_assert_eq!(kept[0].step, 0);
            prop_assert!(kept.windows(2).all(|pair| pair[0].step < pair[1].step));
            let (all, some) = (stats(&samples), stats(&kept));
            prop_assert_eq!(some.last_step, all.last_step);
            prop_assert_eq!(some.lowest, all.lowest);
            prop_assert_eq!(some.highest, all.highest);
            prop_assert_eq!(some.not_finite > 0, all.not_finite > 0);
        }

        #[test]
        fn the_extremes_of_extremes_are_those_of_all(
            values in prop::collection::vec(-1e9..1e9_f64, 100..3000),
        ) {
            let samples = series(&values);
            let summaries: Vec<Sample> = samples.chunks(500).flat_map(|chunk| downsample(chunk, 64)).collect();
            let (all, some) = (stats(&samples), stats(&downsample(&summaries, 40)));
            prop_assert_eq!((some.lowest, some.highest), (all.lowest, all.highest));
        }
    }
}
