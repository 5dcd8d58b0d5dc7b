//! What all charts are made of: paths of an SVG that is 1000 wide and 300 high, stretched over its place in the page,
//! between axes of round numbers. Pure.

mod axis;

use std::fmt::Write as _;

use super::format;
pub use axis::Axis;

/// The width of a chart.
pub const WIDTH: f64 = 1000.0;
/// Its height.
pub const HEIGHT: f64 = 300.0;
/// So many looks a line has: six colours, and for each four kinds of strokes.
const COLOURS: usize = 6;
const STROKES: [&str; 4] = ["", " dash", " dot", " long"];

/// What stands around a chart.
#[derive(Debug, Default)]
pub struct Frame {
    /// What stands at the left, from the top.
    pub y_ticks: Vec<String>,
    /// What stands below, from the left.
    pub x_ticks: Vec<String>,
    /// Lines at the ticks.
    pub rules: String,
}

impl Frame {
    /// Around these axes.
    pub fn new(x_ticks: Vec<String>, y: &Axis) -> Self {
        Self { y_ticks: y.ticks.iter().rev().map(|tick| format::number(*tick)).collect(), x_ticks, rules: rules(y) }
    }
}

/// The classes of a thing by its place among those that are shown together: no two of the first 24 look the same.
pub fn look(place: usize) -> String {
    format!("c{}{}", place % COLOURS + 1, STROKES[place / COLOURS % STROKES.len()])
}

/// A rule for each tick but the lowest, where the axis is.
pub fn rules(y: &Axis) -> String {
    y.ticks.iter().skip(1).fold(String::new(), |mut path, tick| {
        let _ = write!(path, "M0 {:.1}H{WIDTH}", HEIGHT - y.place(*tick) * HEIGHT);
        path
    })
}

/// The lowest and the highest.
pub fn ends(values: impl Iterator<Item = Option<f64>>) -> Option<(f64, f64)> {
    values.flatten().fold(None, |ends, value| {
        Some(ends.map_or((value, value), |(low, high): (f64, f64)| (low.min(value), high.max(value))))
    })
}

/// Whole numbers from `low` to `high`, and how they are told.
pub fn step_axis(low: f64, high: f64) -> (Axis, Vec<String>) {
    if low < high {
        let axis = Axis::around(low, high, 1.0);
        let ticks = axis.ticks.iter().map(|tick| format::number(*tick)).collect();
        return (axis, ticks);
    }
    // A single step stands in the middle.
    let axis = Axis::around(low - 1.0, low + 1.0, 1.0);
    (axis, vec![String::new(), format::number(low), String::new()])
}

/// A line through the points, with a gap where there is none. A point between two gaps is a dot.
pub fn line(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let mut path = String::new();
    let mut length = 0_usize;
    for point in points.chain([None]) {
        if let Some((x, y)) = point {
            let _ = write!(path, "{}{x:.1} {y:.1}", if length == 0 { 'M' } else { 'L' });
            length += 1;
        } else {
            if length == 1 {
                path.push_str("h0");
            }
            length = 0;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn twenty_runs_look_different() {
        let looks: HashSet<String> = (0..20).map(look).collect();
        assert_eq!(looks.len(), 20);
        assert_eq!((look(0).as_str(), look(6).as_str()), ("c1", "c1 dash"));
    }
}
