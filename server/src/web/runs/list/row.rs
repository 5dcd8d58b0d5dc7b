//! A run in a list, and the columns that it is shown in.

use otrace_wire::RunStatus;
use time::OffsetDateTime;

use super::super::{COMMIT_CHARS, StatusView, duration_of, ending};
use super::address::View;
use super::spark::{Curves, SparkView};
use crate::domain::Run;
use crate::domain::parameters::Parameter;
use crate::domain::query::{Sort, SortField};
use crate::domain::result::Direction;
use crate::services::runs::{ListedValue, ResultColumn, RunRow};
use crate::web::format::{self, Moment};
use crate::web::people::Person;
use crate::web::terminal;

/// Which columns stay when the window gets narrow, in their order; the rest leave first.
const COLUMN_CLASSES: [&str; 4] = ["m1", "p3", "", "p2"];

/// So many characters of a value of a config are shown.
const CONFIG_CHARS: usize = 40;

/// The columns that are shown beside the results.
pub struct Shown(pub(super) Vec<&'static str>);

impl Shown {
    /// Whether the column of this name is shown.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}

/// The head of a column that the list can be sorted by.
pub struct Head {
    pub(super) href: String,
    /// `ascending` or `descending` where it is sorted by this.
    pub(super) order: Option<&'static str>,
}

impl Head {
    /// Sorts by `field`; once more, the other way round.
    pub(super) fn new(base: &str, view: &View, field: SortField, is_descending_first: bool) -> Self {
        let is_current = view.sort.field == field;
        let is_descending = if is_current { !view.sort.is_descending } else { is_descending_first };
        let order = if view.sort.is_descending { "descending" } else { "ascending" };
        Self { href: view.sorted(Sort { field, is_descending }).url(base), order: is_current.then_some(order) }
    }

    /// The icon of the order that the list has by this.
    pub(super) fn icon(&self) -> Option<&'static str> {
        self.order.map(|order| if order == "ascending" { "up" } else { "dn" })
    }
}

/// A column of results, or of values of configs.
pub struct Column {
    pub(super) name: String,
    /// Which value of the configs it has; `None`: results.
    pub(super) config: Option<String>,
    pub(super) class: &'static str,
    pub(super) lower_is_better: bool,
    pub(super) head: Head,
}

impl Column {
    pub(super) fn new(base: &str, view: &View, position: usize, column: &ResultColumn) -> Self {
        let lower_is_better = column.direction == Direction::Lower;
        Self {
            name: terminal::clean(&column.name),
            config: None,
            class: COLUMN_CLASSES.get(position).unwrap_or(&"p3"),
            lower_is_better,
            head: Head::new(base, view, SortField::Metric(column.name.clone()), !lower_is_better),
        }
    }

    /// One of values of configs, of which none is better than another.
    pub(super) fn of_config(base: &str, view: &View, position: usize, name: String) -> Self {
        Self {
            name: terminal::clean(&name),
            class: COLUMN_CLASSES.get(position).unwrap_or(&"p3"),
            lower_is_better: false,
            head: Head::new(base, view, SortField::Config(name.clone()), false),
            config: Some(name),
        }
    }
}

/// A run in the list.
pub struct Row {
    pub(super) href: String,
    pub(super) experiment: String,
    pub(super) heading: String,
    pub(super) intent: String,
    pub(super) status: StatusView,
    pub(super) remark: Option<Remark>,
    pub(super) spark: Option<SparkView>,
    pub(super) cells: Vec<Cell>,
    pub(super) tags: Vec<String>,
    pub(super) author: Option<Person>,
    pub(super) commit: Option<String>,
    pub(super) is_dirty: bool,
    pub(super) duration: Option<String>,
    pub(super) created: Moment,
}

/// What needs a look, said in the row, with the class that gives it its colour.
pub struct Remark {
    pub(super) class: &'static str,
    pub(super) text: String,
}

/// A result of a run, or a value of its configs.
pub struct Cell {
    pub(super) column: String,
    pub(super) class: &'static str,
    pub(super) value: Option<String>,
    pub(super) is_best: bool,
}

impl Row {
    pub(super) fn new(base: &str, columns: &[Column], curves: &Curves, row: RunRow, now: OffsetDateTime) -> Self {
        let RunRow { run, values, best, parameters, missing_paths, dirty, git_commit, .. } = row;
        let cells = columns.iter().enumerate().map(|(position, column)| Cell {
            column: column.name.clone(),
            class: column.class,
            value: match &column.config {
                Some(name) => parameters.get(name).map(value_in_short),
                None => values.get(position).and_then(Option::as_ref).map(in_short),
            },
            is_best: best.get(position).copied().unwrap_or_default(),
        });
        let heading = terminal::clean(run.heading());
        let intent = terminal::clean(run.intent.lines().next().unwrap_or_default());
        Self {
            href: format!("{base}/runs/{}", run.experiment_id()),
            experiment: run.experiment_id().to_string(),
            intent: if intent == heading { String::new() } else { intent },
            heading,
            status: StatusView::new(run.status),
            remark: remark(&run, &missing_paths, now),
            spark: curves.draw(&run),
            cells: cells.collect(),
            duration: duration_of(&run, now).map(|duration| duration.replace(" so far", "")),
            tags: run.tags.iter().map(|tag| terminal::clean(tag)).collect(),
            author: run.author.as_deref().map(Person::new),
            commit: git_commit.map(|commit| format::short(&terminal::clean(&commit), COMMIT_CHARS)),
            is_dirty: dirty.unwrap_or_default(),
            created: Moment::new(run.created_at, now),
        }
    }
}

fn in_short(value: &ListedValue) -> String {
    value.number.map_or_else(|| format::cell(&value.value), format::number)
}

fn value_in_short(parameter: &Parameter) -> String {
    format::short(&terminal::clean(&parameter.value), CONFIG_CHARS)
}

/// A run that went as it should says nothing.
fn remark(run: &Run, missing_paths: &[String], now: OffsetDateTime) -> Option<Remark> {
    if let Some(since) = run.out_of_contact_since(now) {
        let text = format!("out of contact for {}", format::elapsed(since, now));
        return Some(Remark { class: RunStatus::CaptureFailed.as_str(), text });
    }
    let text = match run.status {
        RunStatus::Created => "not started".to_owned(),
        RunStatus::Running => duration_of(run, now)?,
        RunStatus::Completed => missing(missing_paths)?,
        RunStatus::Failed => ending(run).unwrap_or_else(|| "failed".to_owned()),
        RunStatus::CaptureFailed => missing(missing_paths).unwrap_or_else(|| "recording broke off".to_owned()),
    };
    // A completed run speaks up only to warn.
    let shown_as = if run.status == RunStatus::Completed { RunStatus::CaptureFailed } else { run.status };
    Some(Remark { class: shown_as.as_str(), text })
}

/// `outputs/model.tflite not found`, and how many more.
fn missing(paths: &[String]) -> Option<String> {
    let first = terminal::clean(paths.first()?);
    Some(match paths.len() - 1 {
        0 => format!("{first} not found"),
        more => format!("{first} and {more} more not found"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_in_the_row() {
        assert_eq!(missing(&[]), None);
        assert_eq!(missing(&["a".to_owned()]).unwrap(), "a not found");
        assert_eq!(missing(&["a".to_owned(), "b".to_owned()]).unwrap(), "a and 1 more not found");
    }

    #[test]
    fn a_head_sorts_by_what_is_best_first_and_then_the_other_way_round() {
        let view = View::default();
        let head = Head::new("/p", &view, SortField::Metric("loss".to_owned()), false);
        assert_eq!((head.href.as_str(), head.order), ("/p/runs?sort=metrics.loss", None));
        let view = View::read_text("sort=metrics.loss&q=a");
        let head = Head::new("/p", &view, SortField::Metric("loss".to_owned()), false);
        assert_eq!((head.href.as_str(), head.order), ("/p/runs?q=a&sort=-metrics.loss", Some("ascending")));
        assert_eq!(Head::new("/p", &view, SortField::Created, true).href, "/p/runs?q=a");
    }
}
