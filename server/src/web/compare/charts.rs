//! The charts of a comparison: curves of the series that runs share, points, and parallel coordinates.

use std::fmt::Write as _;

use super::asked::Asked;
use super::fields::Field;
use crate::domain::result::Direction;
use crate::domain::series::Sample;
use crate::services::comparison::{Compared, Curves};
use crate::services::series::Chart;
use crate::web::plot::{self, Axis, Frame, HEIGHT, WIDTH};
use crate::web::shell::Choice;
use crate::web::{format, terminal};

/// A line or a point of a run.
pub(super) struct Mark {
    pub(super) look: String,
    pub(super) path: String,
}

/// A run in a legend.
pub(super) struct Key {
    pub(super) look: String,
    pub(super) run: String,
    pub(super) value: String,
}

/// A chart with a mark for each run.
pub(super) struct ChartView {
    pub(super) name: String,
    /// `lower is better`, `config.lr to the right`
    pub(super) about: String,
    /// What a reader who does not see it is told.
    pub(super) label: String,
    pub(super) frame: Frame,
    pub(super) marks: Vec<Mark>,
    pub(super) keys: Vec<Key>,
}

/// Points by two fields, and what can be chosen.
pub(super) struct ScatterView {
    pub(super) x: Vec<Choice>,
    pub(super) y: Vec<Choice>,
    /// `None`: no two runs have both.
    pub(super) chart: Option<ChartView>,
}

/// Parallel coordinates, and what can be chosen.
pub(super) struct ParallelView {
    pub(super) fields: Vec<Choice>,
    pub(super) axes: Vec<AxisView>,
    /// A line down at each axis.
    pub(super) rules: String,
    pub(super) marks: Vec<Mark>,
    pub(super) keys: Vec<Key>,
    pub(super) label: String,
}

/// An axis of the parallel coordinates.
pub(super) struct AxisView {
    pub(super) name: String,
    pub(super) low: String,
    pub(super) high: String,
}

/// The curves of each shared series; those of which nothing can be drawn are left out.
pub(super) fn curves(found: &Compared, curves: &Curves) -> Vec<ChartView> {
    let drawn = curves.charts.iter().filter_map(|(name, curves)| curve(found, name, curves));
    drawn.collect()
}

fn curve(found: &Compared, name: &str, curves: &[(usize, Chart)]) -> Option<ChartView> {
    let samples = || curves.iter().flat_map(|(_, chart)| &chart.samples);
    let (y_low, y_high) = plot::ends(samples().map(finite))?;
    let (x_low, x_high) = plot::ends(samples().map(|sample| finite(sample).map(|_| step(sample))))?;
    let y = Axis::around(y_low, y_high, 0.0);
    let (x, x_ticks) = plot::step_axis(x_low, x_high);
    let place = |sample: &Sample| Some((x.place(step(sample)) * WIDTH, up(&y, finite(sample)?)));
    let live = live(found);
    let (mut marks, mut keys) = (Vec::new(), Vec::new());
    for (run, chart) in curves {
        let (column, run) = live.get(*run)?;
        let last = chart.series.stats.last_value.map(format::number).unwrap_or_default();
        marks.push(Mark { look: plot::look(*column), path: plot::line(chart.samples.iter().map(place)) });
        keys.push(Key { look: plot::look(*column), run: run.clone(), value: last });
    }
    let about = match found.directions.of(name) {
        Direction::Lower => "lower is better".to_owned(),
        // That is what is guessed of all others, learning rates and counters among them.
        Direction::Higher => String::new(),
    };
    let name = terminal::clean(name);
    let label = format!("{name} by step: {}", told(&keys));
    Some(ChartView { name, about, label, frame: Frame::new(x_ticks, &y), marks, keys })
}

/// The runs that are there, with their columns, in their order.
fn live(found: &Compared) -> Vec<(usize, String)> {
    let columns = found.columns.iter().enumerate().filter(|(_, column)| column.run().is_some());
    columns.map(|(place, column)| (place, column.experiment().to_string())).collect()
}

fn finite(sample: &Sample) -> Option<f64> {
    Some(sample.value).filter(|value| value.is_finite())
}

#[expect(clippy::cast_precision_loss, reason = "no eye sees the difference")]
fn step(sample: &Sample) -> f64 {
    sample.step as f64
}

fn up(axis: &Axis, value: f64) -> f64 {
    HEIGHT - axis.place(value) * HEIGHT
}

/// `exp001 0.97, exp004 0.98`
fn told(keys: &[Key]) -> String {
    let told: Vec<String> = keys.iter().map(|key| format!("{} {}", key.run, key.value)).collect();
    told.join(", ")
}

/// A point for each run that has both of the chosen fields.
pub(super) fn scatter(found: &Compared, fields: &[Field], asked: &Asked) -> ScatterView {
    let named = |name: &str| fields.iter().find(|field| field.name == name);
    let y = named(&asked.y).or_else(|| fields.iter().find(|field| field.is_result)).or(fields.first());
    let is_other = |field: &&Field| y.is_none_or(|y| y.name != field.name);
    let x = named(&asked.x).or_else(|| fields.iter().find(|field| is_other(field) && !field.is_result));
    let x = x.or_else(|| fields.iter().find(is_other));
    let chosen = |chosen: Option<&Field>| {
        fields.iter().map(|field| field.choice(chosen.is_some_and(|chosen| chosen.name == field.name))).collect()
    };
    ScatterView { x: chosen(x), y: chosen(y), chart: x.zip(y).and_then(|(x, y)| points(found, x, y)) }
}

/// An axis around these values.
fn axis(values: impl Iterator<Item = f64>) -> Option<Axis> {
    plot::ends(values.map(Some)).map(|(low, high)| Axis::around(low, high, 0.0))
}

fn points(found: &Compared, x: &Field, y: &Field) -> Option<ChartView> {
    let both: Vec<(usize, f64, f64)> =
        (0..found.columns.len()).filter_map(|column| Some((column, x.values[column]?, y.values[column]?))).collect();
    if both.len() < 2 {
        return None;
    }
    let to_the_right = axis(both.iter().map(|point| point.1))?;
    let upwards = axis(both.iter().map(|point| point.2))?;
    let (mut marks, mut keys) = (Vec::new(), Vec::new());
    for (column, right, height) in both {
        let path = plot::line([Some((to_the_right.place(right) * WIDTH, up(&upwards, height)))].into_iter());
        // A point has no strokes to be told apart by; its run is named beside it in the list.
        marks.push(Mark { look: plot::look(column), path });
        let value = format!("{} at {}", format::number(height), format::number(right));
        keys.push(Key { look: plot::look(column), run: found.columns[column].experiment().to_string(), value });
    }
    let x_ticks = to_the_right.ticks.iter().map(|tick| format::number(*tick)).collect();
    let about = format!("{} to the right", x.label);
    let label = format!("{} by {}: {}", y.label, x.label, told(&keys));
    Some(ChartView { name: y.label.clone(), about, label, frame: Frame::new(x_ticks, &upwards), marks, keys })
}

/// A line for each run through what it has of the chosen fields; `None`: fewer than two can be drawn.
pub(super) fn parallel(found: &Compared, fields: &[Field], asked: &Asked) -> Option<ParallelView> {
    let is_chosen = |field: &&Field| asked.axes.contains(&field.name);
    let mut axes: Vec<&Field> = fields.iter().filter(is_chosen).collect();
    if axes.len() < 2 {
        // What differs between the runs, and what came of it.
        let (results, inputs): (Vec<&Field>, Vec<&Field>) =
            fields.iter().filter(|field| field.differs()).partition(|field| field.is_result);
        axes = inputs.into_iter().take(4).chain(results.into_iter().take(2)).collect();
    }
    let axes: Vec<(&Field, (f64, f64))> = axes.into_iter().filter_map(|field| Some((field, field.ends()?))).collect();
    if axes.len() < 2 {
        return None;
    }
    let right = |place: usize| WIDTH * ratio(place, axes.len() - 1);
    let height = |value: f64, (low, high): (f64, f64)| {
        if low < high { HEIGHT - (value - low) / (high - low) * HEIGHT } else { HEIGHT / 2.0 }
    };
    let (mut marks, mut keys) = (Vec::new(), Vec::new());
    for (column, run) in live(found) {
        let through = axes
            .iter()
            .enumerate()
            .map(|(place, (field, ends))| field.values[column].map(|value| (right(place), height(value, *ends))));
        marks.push(Mark { look: plot::look(column), path: plot::line(through) });
        let values: Vec<String> =
            axes.iter().map(|(field, _)| field.values[column].map_or("none".to_owned(), format::number)).collect();
        keys.push(Key { look: plot::look(column), run, value: values.join(", ") });
    }
    let rules = (0..axes.len()).fold(String::new(), |mut path, place| {
        let _ = write!(path, "M{:.1} 0V{HEIGHT}", right(place));
        path
    });
    let names: Vec<&str> = axes.iter().map(|(field, _)| field.label.as_str()).collect();
    let label = format!("Runs over {}", names.join(", "));
    let is_shown = |field: &Field| axes.iter().any(|(shown, _)| shown.name == field.name);
    let choices = fields.iter().map(|field| field.choice(is_shown(field))).collect();
    let shown_axis = |(field, (low, high)): &(&Field, (f64, f64))| AxisView {
        name: field.label.clone(),
        low: format::number(*low),
        high: format::number(*high),
    };
    Some(ParallelView { fields: choices, axes: axes.iter().map(shown_axis).collect(), rules, marks, keys, label })
}

#[expect(clippy::cast_precision_loss, reason = "there are a few axes")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
