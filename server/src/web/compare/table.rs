//! The comparison as a table: a column for each run, a row for each thing that is compared.

use time::OffsetDateTime;

use super::asked::Asked;
use crate::domain::RunResult;
use crate::domain::result::Direction;
use crate::services::comparison::{Column, Compared, ComparedRun, ResultRow, Section, SectionKind, ValueRow};
use crate::web::difference::Difference;
use crate::web::format::{self, Moment};
use crate::web::people::Person;
use crate::web::plot;
use crate::web::runs::StatusView;
use crate::web::terminal;

/// So many rows a section has at most.
const ROWS_MAX: usize = 300;
/// So many characters of a value are shown; the rest is on the page of the run.
const VALUE_MAX_CHARS: usize = 400;

/// The head of a column.
pub(super) struct ColumnView {
    pub(super) experiment: String,
    pub(super) heading: String,
    /// The classes of its colour and its stroke.
    pub(super) look: String,
    pub(super) is_baseline: bool,
    /// The same page without it.
    pub(super) drop_url: String,
    /// What is known of the run; `None`: it was deleted.
    pub(super) run: Option<RunFacts>,
}

/// What stands below the name of a run.
pub(super) struct RunFacts {
    pub(super) href: String,
    pub(super) status: StatusView,
    pub(super) intent: String,
    pub(super) author: Option<Person>,
    pub(super) created: Moment,
    pub(super) duration: Option<String>,
}

/// Rows of one kind.
pub(super) struct SectionView {
    pub(super) title: &'static str,
    /// How many rows there are, also those that are not shown.
    pub(super) all: String,
    /// `9 of 46 differ`
    pub(super) count: String,
    pub(super) rows: Vec<RowView>,
    /// How many rows are left out.
    pub(super) more: Option<String>,
}

/// What the runs have of something.
pub(super) struct RowView {
    pub(super) name: String,
    /// Its values are commits, of which only the beginning is seen.
    pub(super) is_commit: bool,
    pub(super) cells: Vec<CellView>,
}

/// What a run has of it.
pub(super) struct CellView {
    pub(super) value: Option<String>,
    /// It is another value than the baseline's.
    pub(super) differs: bool,
}

/// A result of the runs.
pub(super) struct ResultView {
    pub(super) name: String,
    pub(super) lower_is_better: bool,
    pub(super) cells: Vec<ResultCell>,
}

/// A run's value of it.
pub(super) struct ResultCell {
    pub(super) value: Option<String>,
    pub(super) is_best: bool,
    /// `+0.0141`, with the class that says whether that is better.
    pub(super) difference: Option<Difference>,
}

/// The heads of all columns.
pub(super) fn columns(found: &Compared, asked: &Asked, base: &str, now: OffsetDateTime) -> Vec<ColumnView> {
    let column = |(place, column): (usize, &Column)| {
        let experiment = column.experiment();
        let heading = match column {
            Column::Run(run) => run.run.heading(),
            Column::Deleted { heading, .. } => heading.lines().next().unwrap_or_default(),
        };
        ColumnView {
            experiment: experiment.to_string(),
            heading: terminal::clean(heading),
            look: plot::look(place),
            is_baseline: found.baseline == Some(place),
            drop_url: asked.without(experiment).url(&format!("{base}/compare")),
            run: column.run().map(|run| RunFacts::new(run, base, now)),
        }
    };
    found.columns.iter().enumerate().map(column).collect()
}

impl RunFacts {
    fn new(compared: &ComparedRun, base: &str, now: OffsetDateTime) -> Self {
        let run = &compared.run;
        Self {
            href: format!("{base}/runs/{}", run.experiment_id()),
            status: StatusView::new(run.status),
            intent: cut(&run.intent),
            author: run.author.as_deref().map(Person::new),
            created: Moment::new(run.created_at, now),
            duration: run.duration_seconds.map(format::duration),
        }
    }
}

impl SectionView {
    /// A section, with the rows that are the same everywhere if those are wanted.
    pub(super) fn new(section: &Section, baseline: Option<usize>, shows_same: bool) -> Self {
        let differing = section.rows.iter().filter(|row| row.differs).count();
        let shown = section.rows.iter().filter(|row| row.differs || shows_same);
        let left_out = shown.clone().count().saturating_sub(ROWS_MAX);
        Self {
            title: title(section.kind),
            all: number(section.rows.len()),
            count: format!("{} of {} differ", number(differing), number(section.rows.len())),
            rows: shown.take(ROWS_MAX).map(|row| RowView::new(section.kind, row, baseline)).collect(),
            more: (left_out > 0).then(|| format!("{} more are in the CSV.", number(left_out))),
        }
    }
}

/// What the rows of a section are.
pub(super) const fn title(kind: SectionKind) -> &'static str {
    match kind {
        SectionKind::Parameters => "Parameters",
        SectionKind::Command => "Command",
        SectionKind::Code => "Code",
        SectionKind::Dependencies => "Dependencies",
        SectionKind::Environment => "Environment",
    }
}

impl RowView {
    fn new(kind: SectionKind, row: &ValueRow, baseline: Option<usize>) -> Self {
        let base = baseline.map(|place| &row.values[place]);
        let cell = |value: &Option<String>| CellView {
            value: value.as_deref().map(cut),
            differs: value.is_some() && Some(value) != base,
        };
        let is_commit = kind == SectionKind::Code && row.name == "commit";
        Self { name: cut(&row.name), is_commit, cells: row.values.iter().map(cell).collect() }
    }
}

impl ResultView {
    /// A result; `None` where it is the same everywhere and that is not wanted.
    pub(super) fn new(row: &ResultRow, baseline: Option<usize>, shows_same: bool) -> Option<Self> {
        let base = baseline.and_then(|place| row.values[place].as_ref());
        let cell = |(place, value): (usize, &Option<RunResult>)| {
            let number = value.as_ref().and_then(|value| value.number);
            let is_base = Some(place) == baseline;
            let numbers = number.zip(base.and_then(|base| base.number)).filter(|_| !is_base);
            ResultCell {
                value: value.as_ref().map(|value| cut(&format::result(value))),
                is_best: number.zip(row.best).is_some_and(|(number, best)| number.total_cmp(&best).is_eq()),
                difference: numbers.and_then(|(number, base)| Difference::new(number, base, row.direction)),
            }
        };
        let cells: Vec<ResultCell> = row.values.iter().enumerate().map(cell).collect();
        let lower_is_better = row.direction == Direction::Lower;
        (shows_same || row.differs).then(|| Self { name: cut(&row.name), lower_is_better, cells })
    }
}

/// A text without what terminals act on, and not too long.
pub(super) fn cut(text: &str) -> String {
    let mut cut = terminal::clean(text);
    if let Some((end, _)) = cut.char_indices().nth(VALUE_MAX_CHARS) {
        cut.truncate(end);
        cut.push('…');
    }
    cut
}

/// A count with its thousands apart.
pub(super) fn number(count: usize) -> String {
    format::count(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_from_the_baseline_is_marked() {
        let text = |text: &str| Some(text.to_owned());
        let row =
            ValueRow { name: "lr".to_owned(), values: vec![text("1"), text("2"), None, text("1")], differs: true };
        let view = RowView::new(SectionKind::Parameters, &row, Some(0));
        let marks: Vec<bool> = view.cells.iter().map(|cell| cell.differs).collect();
        assert_eq!(marks, [false, true, false, false]);
        let section = Section {
            kind: SectionKind::Parameters,
            rows: vec![row, ValueRow { name: "seed".to_owned(), values: vec![text("1"); 4], differs: false }],
        };
        let shown = SectionView::new(&section, Some(0), false);
        assert_eq!((shown.count.as_str(), shown.rows.len()), ("1 of 2 differ", 1));
        assert_eq!(SectionView::new(&section, Some(0), true).rows.len(), 2);
    }
}
