//! The five states of a run that every client knows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Recorded, its command not started yet.
    Created,
    /// The command runs.
    Running,
    /// The command ended with exit code 0.
    Completed,
    /// The command ended with another exit code, or by a signal.
    Failed,
    /// The recording broke off: how the command ended is not known.
    CaptureFailed,
}

impl RunStatus {
    /// Every status, in the order of a run's life.
    pub const ALL: [Self; 5] = [Self::Created, Self::Running, Self::Completed, Self::Failed, Self::CaptureFailed];

    /// The status as it is written in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::CaptureFailed => "capture_failed",
        }
    }

    /// Whether the command has ended, so that nothing more is expected.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::CaptureFailed)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is none of the five statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownStatus;

impl fmt::Display for UnknownStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("status must be one of created, running, completed, failed, capture_failed")
    }
}

impl std::error::Error for UnknownStatus {}

impl FromStr for RunStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}
