//! An axis of a chart: round numbers around what it shows.

/// Values closer together than this part of their size are one.
const SAME: f64 = 1e-9;
/// Beyond this no span of two values is a number.
const LARGEST: f64 = 1e300;
/// And values closer together than this are one in any case.
const SMALLEST: f64 = 1e-290;
/// Into about so many parts an axis is divided.
const PARTS: f64 = 4.0;
/// And into no more than these.
const PARTS_MAX: i32 = 10;

/// From a round number to a round number, with round numbers between.
#[derive(Clone, Debug)]
pub struct Axis {
    low: f64,
    high: f64,
    /// The numbers to show, from the lowest to the highest, all as far apart.
    pub ticks: Vec<f64>,
}

impl Axis {
    /// Around these two values, with nothing smaller than `least` between two ticks.
    pub fn around(low: f64, high: f64, least: f64) -> Self {
        let (mut low, mut high) = (low.clamp(-LARGEST, LARGEST), high.clamp(-LARGEST, LARGEST));
        let size = low.abs().max(high.abs());
        if high - low <= (size * SAME).max(SMALLEST) {
            // A flat line lies in the middle.
            let room = if size > SMALLEST { size / 2.0 } else { 0.5 };
            (low, high) = (low - room, high + room);
        }
        let step = round_up((high - low) / PARTS).max(least);
        let first = (low / step).floor() * step;
        let ticks: Vec<f64> = (0..=PARTS_MAX).map(|place| first + step * f64::from(place)).collect();
        // The first one that reaches as high is the last; a hair's breadth is not worth another one.
        let top = ticks.iter().position(|tick| *tick >= high - step * SAME).unwrap_or(ticks.len() - 1);
        let ticks = ticks[..=top.max(1)].to_vec();
        let high = ticks.last().copied().unwrap_or(high);
        Self { low: first, high, ticks }
    }

    /// Tells of values that are so many times as large; the ticks are as far apart as before.
    pub fn stretch(&mut self, by: f64) {
        (self.low, self.high) = (self.low * by, self.high * by);
    }

    /// Where a value stands between the ends, which are 0 and 1.
    pub fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The next round number: 1, 2, 2.5 or 5 times a power of ten.
fn round_up(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    factors.into_iter().map(|factor| factor * power).find(|round| *round >= number * (1.0 - SAME)).unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticks(low: f64, high: f64, least: f64) -> Vec<String> {
        Axis::around(low, high, least).ticks.iter().map(|tick| crate::web::format::number(*tick)).collect()
    }

    #[test]
    fn ticks_are_round_and_go_around_the_values() {
        assert_eq!(ticks(0.31, 2.3, 0.0), ["0", "0.5", "1", "1.5", "2", "2.5"]);
        assert_eq!(ticks(0.0, 100.0, 0.0), ["0", "25", "50", "75", "100"]);
        assert_eq!(ticks(-3.0, 5.0, 0.0), ["-4", "-2", "0", "2", "4", "6"]);
        assert_eq!(ticks(1.0, 3.0, 1.0), ["1", "2", "3"]);
    }

    #[test]
    fn one_value_lies_in_the_middle() {
        for value in [0.0, 1.0, -4e9, 1e-289, 1e-300, 5e-324, 1e308] {
            let axis = Axis::around(value, value, 0.0);
            let place = axis.place(value);
            assert!((0.0..=1.0).contains(&place), "{value} is at {place} of {axis:?}");
            assert!(axis.ticks.len() > 1, "{axis:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_values_are_they_have_a_place(one in any::<f64>(), other in any::<f64>(), between in any::<f64>()) {
            prop_assume!(one.is_finite() && other.is_finite() && between.is_finite());
            let axis = Axis::around(one.min(other), one.max(other), 0.0);
            prop_assert!(axis.ticks.len() >= 2 && axis.ticks.len() <= 11, "{:?}", axis);
            prop_assert!(axis.ticks.iter().all(|tick| tick.is_finite()), "{:?}", axis);
            for value in [one, other, between] {
                let place = axis.place(value);
                prop_assert!((0.0..=1.0).contains(&place), "{} is at {} of {:?}", value, place, axis);
            }
        }
    }
}
