//! The tree as rows, each with its rail: the lanes that run past it, and how it is joined to its parent.

use std::collections::HashMap;
use std::fmt::Write as _;

use otrace_wire::{ExperimentId, RunStatus};

use super::Asked;
use crate::domain::RunId;
use crate::domain::lineage::{Descent, Row};
use crate::domain::result::Direction;
use crate::services::lineage::Lineage;
use crate::store::lineage::LineageRun;
use crate::web::difference::Difference;
use crate::web::runs::StatusView;
use crate::web::{format, terminal};

/// Where lane 0 is, and how far it is to the next one.
const FIRST_LANE: usize = 8;
const LANE: usize = 18;
/// Lanes further out are drawn in this one.
const LAST_LANE: usize = 11;
/// Half of a row's height.
const MIDDLE: usize = 20;

/// How wide all rails are.
pub(super) struct Rail {
    pub(super) width: usize,
}

/// A run in the tree.
pub(super) struct RowView {
    pub(super) href: String,
    pub(super) experiment: String,
    pub(super) heading: String,
    pub(super) intent: String,
    /// The run that it goes on from; a reader who does not see the rail is told.
    pub(super) parent: Option<String>,
    pub(super) is_current: bool,
    /// The class of a row that the filter leaves out, or nothing.
    pub(super) class: &'static str,
    /// The class of its circle, where that is, and how large.
    pub(super) circle: String,
    pub(super) x: usize,
    pub(super) radius: &'static str,
    /// Lines of the active branch, and of all others.
    pub(super) active_edge: String,
    pub(super) edge: String,
    /// Where it stands, unless it has a value.
    pub(super) status: Option<StatusView>,
    pub(super) value: Option<String>,
    pub(super) is_best: bool,
    /// How much more or less it is than its parent's.
    pub(super) change: Option<Difference>,
    /// The same page with this run as the active one.
    pub(super) activate_url: String,
}

impl Rail {
    /// Wide enough for the lanes that these rows need.
    pub(super) fn of(rows: &[Row]) -> Self {
        let last = rows.iter().map(|row| row.lane).max().unwrap_or_default();
        Self { width: center(last) + FIRST_LANE * 2 }
    }
}

/// Where a lane is.
fn center(lane: usize) -> usize {
    FIRST_LANE + LANE * lane.min(LAST_LANE)
}

/// All rows, from the top.
pub(super) fn rows(found: &Lineage, rows: &[Row], active: Option<i32>, base: &str, asked: &Asked) -> Vec<RowView> {
    let by_number: HashMap<i32, RunId> = found.runs.iter().map(|run| (run.number, run.id)).collect();
    let best = best(found);
    let direction = found.metric.as_ref().map(|(_, direction)| *direction);
    let row = |row: &Row| {
        let run = &found.runs[row.index];
        let experiment = ExperimentId::new(run.number).to_string();
        let value = found.values.get(&run.id).copied();
        let parent = run.parent.and_then(|parent| found.values.get(by_number.get(&parent)?).copied());
        let is_active_run = Some(run.number) == active;
        let is_left_out = found.matching.as_ref().is_some_and(|matching| !matching.contains(&run.number));
        let says_status = run.status != RunStatus::Completed && value.is_none();
        let (active_edge, edge) = edges(row, is_active_run);
        RowView {
            href: format!("{base}/runs/{experiment}"),
            heading: heading(run),
            intent: intent(run),
            parent: run.parent.map(|parent| ExperimentId::new(parent).to_string()),
            is_current: is_active_run,
            class: if is_left_out { "out" } else { "" },
            circle: format!("{}{}", run.status.as_str(), if row.is_active { " on" } else { "" }),
            x: center(row.lane),
            radius: if row.is_active { "5.5" } else { "4" },
            active_edge,
            edge,
            status: says_status.then(|| StatusView::new(run.status)),
            value: value.map(format::number),
            is_best: value.is_some() && value == best,
            change: value
                .zip(parent)
                .zip(direction)
                .and_then(|((value, parent), way)| Difference::new(value, parent, way)),
            activate_url: Asked { active: experiment.clone(), ..asked.clone() }.url(base, &asked.show),
            experiment,
        }
    };
    rows.iter().map(row).collect()
}

/// What to call a run: its title, else the first line of its intent.
pub(super) fn heading(run: &LineageRun) -> String {
    let title = run.title.as_deref().filter(|title| !title.is_empty());
    terminal::clean(title.unwrap_or_else(|| run.intent.lines().next().unwrap_or_default()))
}

/// The first line of its intent, where that is not what it is called.
fn intent(run: &LineageRun) -> String {
    let intent = terminal::clean(run.intent.lines().next().unwrap_or_default());
    if intent == heading(run) { String::new() } else { intent }
}

/// The best value of all, where there are different ones.
fn best(found: &Lineage) -> Option<f64> {
    let (_, direction) = found.metric.as_ref()?;
    let finite = || found.values.values().copied().filter(|value| value.is_finite());
    let (lowest, highest) = (finite().reduce(f64::min)?, finite().reduce(f64::max)?);
    let best = if *direction == Direction::Higher { highest } else { lowest };
    (lowest < highest).then_some(best)
}

/// The lines of a row, 40 high: those of the active branch, and the others.
fn edges(row: &Row, is_active_run: bool) -> (String, String) {
    let (mut active, mut other) = (String::new(), String::new());
    let x = center(row.lane);
    for lane in 0..row.lane.min(LAST_LANE) {
        let path = if lane == 0 && row.is_beside_active { &mut active } else { &mut other };
        let _ = write!(path, "M{} 0V40", center(lane));
    }
    if row.has_child {
        let path = if row.is_active && !is_active_run { &mut active } else { &mut other };
        let _ = write!(path, "M{x} 0V{MIDDLE}");
    }
    match row.descent {
        Descent::Root => {}
        Descent::Straight => {
            let path = if row.is_active { &mut active } else { &mut other };
            let _ = write!(path, "M{x} {MIDDLE}V40");
        }
        Descent::Fork => {
            let inner = center(row.lane - 1);
            let _ = write!(other, "M{x} {MIDDLE}V26Q{x} 37 {inner} 40");
        }
    }
    (active, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_joins_the_lane_further_in_and_the_active_branch_runs_past_it() {
        let row = Row {
            index: 0,
            lane: 1,
            descent: Descent::Fork,
            has_child: true,
            is_active: false,
            is_beside_active: true,
        };
        let drawn = ("M8 0V40".to_owned(), "M26 0V20M26 20V26Q26 37 8 40".to_owned());
        assert_eq!(edges(&row, false), drawn);
        let row = Row { lane: 0, descent: Descent::Straight, is_active: true, ..row };
        assert_eq!(edges(&row, false), ("M8 0V20M8 20V40".to_owned(), String::new()));
        // What went on from the active run is no part of its branch.
        assert_eq!(edges(&row, true), ("M8 20V40".to_owned(), "M8 0V20".to_owned()));
    }
}
