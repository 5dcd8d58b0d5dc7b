//! A chart as paths of an SVG that is 1000 wide and 300 high, stretched over its place in the page.

use time::OffsetDateTime;
use time::macros::format_description;

use super::X;
use crate::domain::series::Sample;
use crate::web::format;
use crate::web::plot::{self, Axis, HEIGHT, WIDTH, ends, line, step_axis};

/// Units of time, each with how many seconds it has, and up to which span it is used.
const UNITS: [(&str, f64, f64); 4] =
    [("s", 1.0, 180.0), ("min", 60.0, 10_800.0), ("h", 3_600.0, 259_200.0), ("d", 86_400.0, f64::INFINITY)];

/// A chart, drawn.
#[derive(Debug, Default)]
pub(super) struct Drawing {
    /// What stands at the left, from the top.
    pub(super) y_ticks: Vec<String>,
    /// What stands below, from the left.
    pub(super) x_ticks: Vec<String>,
    /// Lines at the ticks.
    pub(super) grid: String,
    /// The values.
    pub(super) line: String,
}

impl Drawing {
    /// Draws values over their steps or over time. `None`: there is none to draw. `start` is when the run began, in
    /// seconds since 1970, where that is known.
    pub(super) fn new(samples: &[Sample], over: X, start: Option<f64>) -> Option<Self> {
        let first = samples.iter().filter_map(Sample::known_time).fold(f64::INFINITY, f64::min);
        let begin = start.filter(|start| over == X::Since && *start <= first).unwrap_or(first);
        let points = placed(samples, over, begin);
        let (y_low, y_high) = ends(points.iter().map(|point| point.1))?;
        let (x_low, x_high) = ends(points.iter().map(|point| Some(point.0)))?;
        let y = Axis::around(y_low, y_high, 0.0);
        let (x, x_ticks) = match over {
            X::Step => step_axis(x_low, x_high),
            X::Since => time_axis(x_high, |place, unit, _| format!("{}\u{a0}{unit}", format::number(place))),
            X::Clock => time_axis(x_high, |place, _, length| clock(begin + place * length, x_high)),
        };
        Some(Self {
            y_ticks: y.ticks.iter().rev().map(|tick| format::number(*tick)).collect(),
            x_ticks,
            grid: plot::rules(&y),
            line: line(
                points
                    .iter()
                    .map(|(at, value)| value.map(|value| (x.place(*at) * WIDTH, HEIGHT - y.place(value) * HEIGHT))),
            ),
        })
    }
}

/// Where each point stands, and its value if that is finite. What has no time has no place in time.
fn placed(samples: &[Sample], over: X, begin: f64) -> Vec<(f64, Option<f64>)> {
    let place = |sample: &Sample| {
        if over.is_time() { sample.known_time().map(|time| time - begin) } else { Some(step(sample)) }
    };
    let value = |sample: &Sample| Some(sample.value).filter(|value| value.is_finite());
    samples.iter().filter_map(|sample| Some((place(sample)?, value(sample)))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "no eye sees the difference")]
fn step(sample: &Sample) -> f64 {
    sample.step as f64
}

/// From 0 to `seconds`, in the unit that suits it. `told` says a tick: its number, the unit, and the unit's seconds.
fn time_axis(seconds: f64, told: impl Fn(f64, &str, f64) -> String) -> (Axis, Vec<String>) {
    let (unit, length, _) = UNITS.into_iter().find(|(_, _, upto)| seconds <= *upto).unwrap_or(UNITS[3]);
    let mut axis = Axis::around(0.0, if seconds > 0.0 { seconds / length } else { 1.0 }, 0.0);
    let ticks = axis.ticks.iter().map(|tick| told(*tick, unit, length)).collect();
    axis.stretch(length);
    (axis, ticks)
}

/// A time of day in UTC, or a day where the axis is longer than two of them.
fn clock(seconds: f64, span: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "what is no time is told as none")]
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds as i64) else { return String::new() };
    let told = if span > 2.0 * 86_400.0 {
        at.format(format_description!("[day padding:none] [month repr:short]"))
    } else if span > 300.0 {
        at.format(format_description!("[hour]:[minute]"))
    } else {
        at.format(format_description!("[hour]:[minute]:[second]"))
    };
    told.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Vec<Sample> {
        let point = |(step, value): (i64, &f64)| Sample { step, time: 1_780_000_000.0, value: *value };
        (0_i64..).zip(values).map(point).collect()
    }

    #[test]
    fn a_line_goes_from_the_first_point_to_the_last() {
        let drawing = Drawing::new(&series(&[2.0, 1.0, 0.0]), X::Step, None).unwrap();
        assert_eq!(drawing.line, "M0.0 0.0L500.0 150.0L1000.0 300.0");
        assert_eq!(drawing.x_ticks, ["0", "1", "2"]);
        assert_eq!(drawing.y_ticks, ["2", "1.5", "1", "0.5", "0"]);
        assert_eq!(drawing.grid, "M0 225.0H1000M0 150.0H1000M0 75.0H1000M0 0.0H1000");
    }

    #[test]
    fn what_is_no_number_is_a_gap_and_a_lone_point_a_dot() {
        let drawing = Drawing::new(&series(&[0.0, f64::NAN, 1.0, f64::INFINITY, 0.0, 0.0]), X::Step, None).unwrap();
        assert_eq!(drawing.line.matches('M').count(), 3, "{}", drawing.line);
        assert_eq!(drawing.line.matches("h0").count(), 2, "{}", drawing.line);
        assert!(Drawing::new(&series(&[f64::NAN]), X::Step, None).is_none());
        assert!(Drawing::new(&[], X::Step, None).is_none());
    }

    #[test]
    fn one_point_stands_in_the_middle() {
        let drawing = Drawing::new(&series(&[4.0]), X::Step, None).unwrap();
        assert_eq!(drawing.x_ticks, ["", "0", ""]);
        assert!(drawing.line.starts_with("M500.0 ") && drawing.line.ends_with("h0"), "{}", drawing.line);
    }

    #[test]
    fn time_is_told_from_the_first_point_on_in_a_fitting_unit() {
        let at = |seconds: f64| Sample { step: 0, time: 1_780_000_000.0 + seconds, value: seconds };
        let drawing = Drawing::new(&[at(0.0), at(3600.0)], X::Since, None).unwrap();
        assert_eq!(drawing.x_ticks, ["0\u{a0}min", "20\u{a0}min", "40\u{a0}min", "60\u{a0}min"]);
        assert!(drawing.line.starts_with("M0.0 300.0L1000.0 "), "{}", drawing.line);
        let without = Sample { step: 0, time: f64::NAN, value: 1.0 };
        assert!(Drawing::new(&[without], X::Since, None).is_none());
    }

    #[test]
    fn time_is_told_by_the_clock_or_from_the_start_of_the_run_on() {
        let at = |seconds: f64| Sample { step: 0, time: 1_780_000_000.0 + seconds, value: seconds };
        let clock = Drawing::new(&[at(0.0), at(3600.0)], X::Clock, None).unwrap();
        assert_eq!(clock.x_ticks, ["20:26", "20:46", "21:06", "21:26"]);
        let since = Drawing::new(&[at(0.0), at(1800.0)], X::Since, Some(1_780_000_000.0 - 1800.0)).unwrap();
        assert_eq!(since.x_ticks.last().map(String::as_str), Some("60\u{a0}min"));
        assert!(since.line.starts_with("M500.0 "), "{}", since.line);
    }
}
