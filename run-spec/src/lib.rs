//! The `RunSpec`, version 1: a run as it is described before it starts.
//!
//! Pure, and shared by the command line and the tools of agents, so that a description is as good for one as for the
//! other: no files, no network, no clock. [`RunSpec::from_value`] checks it strictly and all at once, so that a mistake
//! is told before anything happens; [`yaml`] writes it as people do.

mod check;
pub mod yaml;

use std::fmt;

use otrace_wire::CreateRun;
use serde_json::Value;

/// A run, described completely.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSpec {
    /// Why the command is run.
    pub intent: String,
    /// What it is run on, and what is assumed.
    pub setup: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Files to keep as they are before the start.
    pub config_paths: Vec<String>,
    /// Files that the command should leave behind.
    pub expected_artifact_paths: Vec<String>,
    /// Those of them whose contents stay where they are: path, size and hash are recorded.
    pub unstored_paths: Vec<String>,
    /// Log files that it should leave behind.
    pub expected_log_paths: Vec<String>,
    /// A short name to show.
    pub title: Option<String>,
    /// Words to find the run by.
    pub tags: Vec<String>,
}

/// All that is wrong with a description, one sentence each. As text, they stand on one line with `; ` between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(Vec<String>);

impl RunSpec {
    /// Reads a `RunSpec` object. Every mistake in it is in the error.
    pub fn from_value(value: &Value) -> Result<Self, Mistakes> {
        check::read(value)
    }

    /// Whether any file is declared, so that there will be something to look at.
    pub fn declares_paths(&self) -> bool {
        !(self.config_paths.is_empty() && self.expected_artifact_paths.is_empty() && self.expected_log_paths.is_empty())
    }

    /// The command as one line that a shell would take.
    pub fn command_line(&self) -> String {
        shlex::try_join(self.command.iter().map(String::as_str)).unwrap_or_else(|_| self.command.join(" "))
    }

    /// The request that records it.
    pub fn to_wire(&self) -> CreateRun {
        CreateRun {
            intent: self.intent.clone(),
            setup: self.setup.clone(),
            command: self.command_line(),
            expected_artifact_paths: self.expected_artifact_paths.clone(),
            expected_log_paths: self.expected_log_paths.clone(),
            title: self.title.clone(),
            tags: self.tags.clone(),
            ..CreateRun::default()
        }
    }
}

impl Mistakes {
    /// They, in the order in which they were found. There is one at least.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests;
