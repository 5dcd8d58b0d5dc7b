//! The notebook of a project: each run told from why it was run to what came of it.
//!
//! An [`Entry`] is one run, ready to be shown; [`markdown`](Notebook::markdown) and [`json`](Notebook::json) write all of
//! them. Who can't hold all runs at once writes one entry after the other with [`Document`], and gets the same bytes.

mod document;
mod entry;
mod insight;
mod selection;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use otrace_wire::{ExperimentId, Run};
use serde::Serialize;

pub use document::Document;
pub use entry::{Code, Entry, Kept, Measured, Metrics, MetricsState, Remark, Rows};
pub use insight::{is_insight, without_tag};

/// Which runs a notebook has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All of them, the oldest first.
    #[default]
    Chronological,
    /// One of them, those that it goes on from, and those that go on from it.
    Branch,
    /// Those on which somebody noted an `#insight`.
    Insights,
}

/// The runs of a project, told in order.
#[derive(Clone, Debug, Serialize)]
pub struct Notebook {
    /// The project's name.
    pub project: String,
    /// Which runs it has.
    pub mode: Mode,
    /// The run that a branch is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    /// The runs, the oldest first.
    pub entries: Vec<Entry>,
}

/// The text names no mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMode;

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chronological, Self::Branch, Self::Insights];

    /// The mode as it is written in options, addresses and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chronological => "chronological",
            Self::Branch => "branch",
            Self::Insights => "insights",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or(UnknownMode)
    }
}

impl fmt::Display for UnknownMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the mode of a notebook is chronological, branch or insights")
    }
}

impl std::error::Error for UnknownMode {}

impl Notebook {
    /// The notebook of a project with these runs, in any order. `active` is the run that a branch is of; without one,
    /// or with one that is not there, the branch is empty.
    ///
    /// A run that no server has given a number yet has one below 1 for the while, and is called after its id.
    pub fn new(project: &str, runs: &[Run], mode: Mode, active: Option<ExperimentId>) -> Self {
        let by_number: HashMap<ExperimentId, &Run> = runs.iter().map(|run| (run.experiment_id, run)).collect();
        let parent = |run: &Run| run.parent.and_then(|parent| by_number.get(&parent).copied());
        let chosen = selection::of(runs, mode, active);
        let active = active.filter(|_| mode == Mode::Branch);
        let name =
            |active: ExperimentId| by_number.get(&active).map_or_else(|| active.to_string(), |run| entry::name(run));
        Self {
            project: project.to_owned(),
            mode,
            active: active.map(name),
            entries: chosen.into_iter().map(|run| Entry::new(run, parent(run))).collect(),
        }
    }

    /// All of it as Markdown.
    pub fn markdown(&self) -> String {
        self.write(Document::markdown(&self.project, self.mode, self.active.as_deref()))
    }

    /// All of it as one JSON object, on several lines.
    pub fn json(&self) -> String {
        self.write(Document::json(&self.project, self.mode, self.active.as_deref()))
    }

    fn write(&self, mut document: Document) -> String {
        let mut text = document.opening();
        for entry in &self.entries {
            text.push_str(&document.entry(entry));
        }
        text.push_str(&document.end());
        text
    }
}

#[cfg(test)]
mod tests;
