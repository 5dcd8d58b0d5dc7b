//! One recorded command.

use std::str::FromStr;

use otrace_wire::{ExperimentId, RunStatus};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{ProjectId, RunId};

/// One recorded command: what is listed, filtered and sorted. What it left behind is
/// [`Artifact`](super::Artifact), [`Log`](super::Log), [`RunResult`](super::RunResult),
/// [`Table`](super::Table) and [`Snapshot`](super::Snapshot).
#[derive(Clone, Debug)]
pub struct Run {
    /// The run's id.
    pub id: RunId,
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// Its number in the project, from 1.
    pub number: i32,
    /// The number of the run that it went on from.
    pub parent_number: Option<i32>,
    /// A short name to show.
    pub title: Option<String>,
    /// Why the command was run.
    pub intent: String,
    /// What it was run on and what was assumed.
    pub setup: String,
    /// The command as one shell string.
    pub command: String,
    /// Where it ran.
    pub working_directory: Option<String>,
    /// Where it stands.
    pub status: RunStatus,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Paths and globs of files that it should leave behind.
    pub expected_artifact_paths: Vec<String>,
    /// Paths and globs of log files that it should leave behind.
    pub expected_log_paths: Vec<String>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// What the signal is called that ended the command, such as `SIGKILL`.
    pub signal: Option<String>,
    /// How long it ran, in seconds.
    pub duration_seconds: Option<f64>,
    /// When it was recorded.
    pub created_at: OffsetDateTime,
    /// When anything about it last changed.
    pub updated_at: OffsetDateTime,
    /// When the command started.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// When its machine was last heard of; `None`: its client never says that it is there.
    pub last_contact_at: Option<OffsetDateTime>,
    /// Who recorded it, such as `otrace 0.2.0`.
    pub recorder: Option<String>,
    /// The name of the key that it was recorded with.
    pub key_name: Option<String>,
    /// Who made that key, as shown to people.
    pub author: Option<String>,
}

/// A run whose machine is not heard of for so long is out of contact.
pub const OUT_OF_CONTACT_AFTER: Duration = Duration::seconds(90);

impl Run {
    /// Since when nothing was heard of the machine of a run that should go on; `None`: all is well, or nothing
    /// more is expected, or its client never says that it is there.
    pub fn out_of_contact_since(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let since = self.last_contact_at?;
        (!self.status.is_final() && now - since > OUT_OF_CONTACT_AFTER).then_some(since)
    }

    /// `exp042`.
    pub const fn experiment_id(&self) -> ExperimentId {
        ExperimentId::new(self.number)
    }

    /// What to call it: its title, else the first line of its intent.
    pub fn heading(&self) -> &str {
        match self.title.as_deref() {
            Some(title) if !title.is_empty() => title,
            _ => self.intent.lines().next().unwrap_or_default(),
        }
    }
}

/// A run as people and machines name it: `exp042` or its UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunRef {
    /// Its number in the project.
    Experiment(ExperimentId),
    /// Its id.
    Id(RunId),
}

/// The text names no run.
#[derive(Clone, Copy, Debug)]
pub struct NotARunRef;

impl FromStr for RunRef {
    type Err = NotARunRef;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(experiment) = text.parse() {
            return Ok(Self::Experiment(experiment));
        }
        Uuid::try_parse(text).map(|id| Self::Id(RunId(id))).map_err(|_| NotARunRef)
    }
}
