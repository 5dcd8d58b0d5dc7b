//! A result of each run in the order in which they were recorded, each joined to its parent.

use std::collections::HashMap;
use std::fmt::Write as _;

use otrace_wire::ExperimentId;

use super::tree::heading;
use crate::domain::lineage::{Row, best_so_far};
use crate::domain::result::Direction;
use crate::services::lineage::Lineage;
use crate::store::lineage::LineageRun;
use crate::web::plot::Axis;
use crate::web::{format, plot, terminal};

/// Where runs are, from the left and from the top.
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const HEIGHT: f64 = 256.0;
/// So wide the chart is at least, and so much of it lies right of the last run.
const WIDTH: f64 = 1152.0;
const RIGHT: f64 = 120.0;
/// From one run to the next, at least and at most.
const STEP: (f64, f64) = (10.0, 96.0);
/// How wide a label is for each of its characters, and how high.
const LABEL: (f64, f64) = (6.4, 14.0);
/// So many characters it has at most.
const LABEL_MAX_CHARS: usize = 28;
/// So many labels are tried.
const LABELS_MAX: usize = 200;

/// The chart, drawn.
pub(super) struct LineageChart {
    pub(super) metric: String,
    pub(super) width: f64,
    pub(super) ticks: Vec<Tick>,
    /// Lines from the runs to their parents: of the active branch, and all others.
    pub(super) active_edge: String,
    pub(super) edge: String,
    /// The best value up to each run.
    pub(super) best: String,
    pub(super) dots: Vec<Dot>,
    pub(super) first_day: String,
    pub(super) last_day: String,
    pub(super) last_x: String,
}

/// A round number at the left, and its line.
pub(super) struct Tick {
    pub(super) text: String,
    pub(super) y: String,
    /// Where the text stands, a little below the line.
    pub(super) text_y: String,
}

/// A run.
pub(super) struct Dot {
    pub(super) href: String,
    /// `exp042, Distil, accuracy 0.9803`
    pub(super) label: String,
    pub(super) circle: String,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) radius: &'static str,
    /// What stands above it, where there is room.
    pub(super) text: Option<Text>,
}

/// What stands above a run.
pub(super) struct Text {
    pub(super) shown: String,
    pub(super) class: &'static str,
    pub(super) y: String,
}

/// A run that has a value, in its place.
struct Placed<'a> {
    run: &'a LineageRun,
    value: f64,
    x: f64,
    y: f64,
    is_active: bool,
}

/// Draws those of the rows that have a finite value; `None`: they are fewer than two.
pub(super) fn draw(found: &Lineage, rows: &[Row], base: &str) -> Option<LineageChart> {
    let (metric, direction) = found.metric.as_ref()?;
    let metric = terminal::clean(metric);
    let mut shown: Vec<(&LineageRun, f64, bool)> = rows
        .iter()
        .filter_map(|row| {
            let run = &found.runs[row.index];
            let value = found.values.get(&run.id).copied().filter(|value| value.is_finite())?;
            Some((run, value, row.is_active))
        })
        .collect();
    if shown.len() < 2 {
        return None;
    }
    // Numbers are given out in order, times may be told by an import.
    shown.sort_by_key(|(run, ..)| run.number);
    let (low, high) = plot::ends(shown.iter().map(|(_, value, _)| Some(*value)))?;
    let axis = Axis::around(low, high, 0.0);
    let step = ((WIDTH - LEFT - RIGHT) / length(shown.len() - 1)).clamp(STEP.0, STEP.1);
    let placed: Vec<Placed<'_>> = shown
        .into_iter()
        .enumerate()
        .map(|(index, (run, value, is_active))| {
            let (x, y) = (LEFT + step * length(index), height(&axis, value));
            Placed { run, value, x, y, is_active }
        })
        .collect();
    let (active_edge, edge) = edges(&placed);
    let (first, last) = (placed.first()?, placed.last()?);
    Some(LineageChart {
        width: (last.x + RIGHT).max(WIDTH).round(),
        ticks: axis.ticks.iter().map(|tick| Tick::new(*tick, height(&axis, *tick))).collect(),
        best: best(&placed, &axis, *direction),
        dots: dots(&placed, &metric, base),
        first_day: format::date(first.run.created_at),
        last_day: format::date(last.run.created_at),
        last_x: told(last.x),
        metric,
        active_edge,
        edge,
    })
}

#[expect(clippy::cast_precision_loss, reason = "there are a few thousand runs at most")]
fn length(count: usize) -> f64 {
    count as f64
}

fn height(axis: &Axis, value: f64) -> f64 {
    TOP + HEIGHT - axis.place(value) * HEIGHT
}

fn told(place: f64) -> String {
    format!("{place:.1}")
}

impl Tick {
    fn new(tick: f64, y: f64) -> Self {
        Self { text: format::number(tick), y: told(y), text_y: told(y + 4.0) }
    }
}

/// A line from each run to the one that it goes on from, where both are drawn.
fn edges(placed: &[Placed<'_>]) -> (String, String) {
    let by_number: HashMap<i32, &Placed<'_>> = placed.iter().map(|one| (one.run.number, one)).collect();
    let (mut active, mut other) = (String::new(), String::new());
    for to in placed {
        let Some(from) = to.run.parent.and_then(|parent| by_number.get(&parent)) else { continue };
        let path = if from.is_active && to.is_active { &mut active } else { &mut other };
        let middle = f64::midpoint(from.x, to.x);
        let _ = write!(
            path,
            "M{:.1} {:.1}C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}",
            from.x, from.y, from.y, to.y, to.x, to.y
        );
    }
    (active, other)
}

/// Steps to the best value so far.
fn best(placed: &[Placed<'_>], axis: &Axis, direction: Direction) -> String {
    let values: Vec<Option<f64>> = placed.iter().map(|one| Some(one.value)).collect();
    let best = best_so_far(&values, direction == Direction::Lower);
    let mut path = String::new();
    for (one, best) in placed.iter().zip(best) {
        let Some(best) = best else { continue };
        if path.is_empty() {
            let _ = write!(path, "M{:.1} {:.1}", one.x, height(axis, best));
        } else {
            let _ = write!(path, "H{:.1}V{:.1}", one.x, height(axis, best));
        }
    }
    path
}

fn dots(placed: &[Placed<'_>], metric: &str, base: &str) -> Vec<Dot> {
    let texts = labels(placed);
    let dot = |(one, text): (&Placed<'_>, Option<Text>)| {
        let experiment = ExperimentId::new(one.run.number);
        Dot {
            href: format!("{base}/runs/{experiment}"),
            label: format!("{experiment}, {}, {metric} {}", heading(one.run), format::number(one.value)),
            circle: format!("{}{}", one.run.status.as_str(), if one.is_active { " on" } else { "" }),
            x: told(one.x),
            y: told(one.y),
            radius: if one.is_active { "5" } else { "3.5" },
            text,
        }
    };
    placed.iter().zip(texts).map(dot).collect()
}

/// What a run is called, as far as there is room for it.
fn label(heading: &str) -> String {
    if heading.chars().count() <= LABEL_MAX_CHARS {
        return heading.to_owned();
    }
    format!("{}…", format::short(heading, LABEL_MAX_CHARS - 1).trim_end())
}

/// What stands above the runs: the active branch first, and nothing that would lie over something else.
fn labels(placed: &[Placed<'_>]) -> Vec<Option<Text>> {
    let mut texts: Vec<Option<Text>> = placed.iter().map(|_| None).collect();
    // Of each label its left and right end, and its height.
    let mut taken: Vec<(f64, f64, f64)> = Vec::new();
    let mut order: Vec<usize> = (0..placed.len()).collect();
    order.sort_by_key(|at| (!placed[*at].is_active, std::cmp::Reverse(*at)));
    for at in order.into_iter().take(LABELS_MAX) {
        let one = &placed[at];
        let text = label(&heading(one.run));
        let half = length(text.chars().count()) * LABEL.0 / 2.0;
        let (left, right, y) = (one.x - half, one.x + half, one.y - 12.0);
        let meets = |x: (f64, f64), other: f64| left < x.1 && right > x.0 && (y - other).abs() < LABEL.1;
        let is_over_a_label = taken.iter().any(|(from, to, other)| meets((*from, *to), *other));
        let is_over_a_run = placed.iter().any(|other| meets((other.x - 5.0, other.x + 5.0), other.y + 4.0));
        if left < 0.0 || is_over_a_label || is_over_a_run {
            continue;
        }
        taken.push((left, right, y));
        texts[at] = Some(Text { shown: text, class: if one.is_active { "t on" } else { "t" }, y: told(y) });
    }
    texts
}
