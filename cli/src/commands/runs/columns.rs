//! The columns of a table of runs: their names, and what stands in them.

use anstyle::Style;
use otrace_wire::{Run, RunStatus, Snapshot};
use time::OffsetDateTime;

use crate::error::{Error, Result};
use crate::printer::human;
use crate::printer::table::{Cell, Heading};
use crate::printer::{BAD, BUSY, FAINT, GOOD, PLAIN};

/// What a column of results begins with.
pub(super) const METRICS: &str = "metrics.";

/// Those with names of their own.
const NAMES: [&str; 18] = [
    "id", "uuid", "status", "title", "created", "started", "finished", "duration", "exit_code", "tags", "intent",
    "setup", "command", "directory", "commit", "branch", "machine", "notes",
];

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// One of [`NAMES`].
    Field(&'static str),
    /// A named result.
    Metric(String),
}

impl Column {
    /// The one that is called so.
    pub(super) fn named(name: &str) -> Result<Self> {
        let name = name.trim();
        if let Some(metric) = name.strip_prefix(METRICS).filter(|metric| !metric.is_empty()) {
            return Ok(Self::Metric(metric.to_owned()));
        }
        let field = NAMES.into_iter().find(|known| *known == name);
        field.map(Self::Field).ok_or_else(|| {
            let known = NAMES.join(", ");
            Error::new(format!("there is no column {name}")).with_hint(format!("There are {known} and metrics.NAME."))
        })
    }

    pub(super) fn heading(&self) -> Heading {
        match self {
            Self::Metric(name) => Heading::new(name.as_str()).right(),
            Self::Field("duration" | "exit_code" | "notes") => Heading::new(self.title()).right(),
            Self::Field("title" | "tags" | "intent" | "setup" | "command" | "directory" | "branch" | "machine") => {
                Heading::new(self.title()).shrinking()
            }
            Self::Field(_) => Heading::new(self.title()),
        }
    }

    /// What stands there of a run.
    pub(super) fn cell(&self, run: &Run) -> Cell {
        match self {
            Self::Metric(name) => metric(run, name),
            Self::Field(name) => field(run, name),
        }
    }

    fn title(&self) -> String {
        match self {
            Self::Field(name @ ("created" | "started" | "finished")) => format!("{name} (UTC)"),
            Self::Field(name) => name.replace('_', " "),
            Self::Metric(name) => name.clone(),
        }
    }
}

/// The look of a status.
pub(super) fn look(status: RunStatus) -> Style {
    match status {
        RunStatus::Created => FAINT,
        RunStatus::Running => BUSY,
        RunStatus::Completed => GOOD,
        RunStatus::Failed | RunStatus::CaptureFailed => BAD,
    }
}

fn field(run: &Run, name: &str) -> Cell {
    let of_snapshot = |field: fn(&Snapshot) -> Option<&String>| run.snapshot.as_ref().and_then(field);
    let text = |text: Option<&String>| Cell::new(text.cloned().unwrap_or_default());
    match name {
        "id" => Cell::new(run.experiment_id.to_string()),
        "uuid" => Cell::new(run.id.to_string()),
        "status" => Cell::both(human::status(run), run.status.as_str()).styled(look(run.status)),
        "title" => title(run),
        "created" => moment(Some(run.created_at)),
        "started" => moment(run.started_at),
        "finished" => moment(run.finished_at),
        "duration" => run
            .duration_seconds
            .map_or_else(Cell::default, |seconds| Cell::both(human::duration(seconds), seconds.to_string())),
        "exit_code" => Cell::new(run.exit_code.map(|code| code.to_string()).unwrap_or_default()),
        "tags" => Cell::both(run.tags.join(", "), run.tags.join(",")),
        "intent" => long(&run.intent),
        "setup" => long(&run.setup),
        "command" => long(&run.command),
        "directory" => text(run.working_directory.as_ref()),
        "commit" => of_snapshot(|snapshot| snapshot.git_commit.as_ref())
            .map_or_else(Cell::default, |commit| Cell::both(human::short_commit(commit), commit.as_str())),
        "branch" => text(of_snapshot(|snapshot| snapshot.git_branch.as_ref())),
        "machine" => text(of_snapshot(|snapshot| snapshot.hostname.as_ref())),
        "notes" => Cell::new(run.notes.len().to_string()),
        _ => Cell::default(),
    }
}

/// A run without a title is known by why it was run.
fn title(run: &Run) -> Cell {
    match run.title.as_deref().filter(|title| !title.trim().is_empty()) {
        Some(title) => Cell::new(title).styled(PLAIN),
        None => Cell::both(human::first_line(&run.intent), "").styled(FAINT),
    }
}

fn long(text: &str) -> Cell {
    Cell::both(human::first_line(text), text)
}

fn moment(time: Option<OffsetDateTime>) -> Cell {
    time.map_or_else(Cell::default, |time| Cell::both(human::moment(time), human::rfc3339(time)))
}

fn metric(run: &Run, name: &str) -> Cell {
    let found = run.results.iter().find(|result| result.name.as_deref() == Some(name));
    found.map_or_else(Cell::default, |result| Cell::new(human::value(&result.value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_column_and_others_are_refused_with_all_of_them() {
        for name in NAMES {
            assert_eq!(Column::named(name).expect("a column"), Column::Field(name));
        }
        let metric = Column::named(" metrics.val/loss ").expect("a column");
        assert_eq!(metric, Column::Metric("val/loss".to_owned()));
        for name in ["", "metrics.", "colour"] {
            let error = Column::named(name).expect_err("none").to_string();
            assert!(NAMES.iter().all(|known| error.contains(known)), "{error}");
        }
    }
}
