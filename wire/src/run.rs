//! A run as it is created, ended and read.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::details::{Artifact, Log, ResultValue, Snapshot, Table};
use crate::experiment_id::ExperimentId;
use crate::null::null_as_default;
use crate::run_status::RunStatus;

/// `POST /v1/runs`: what is known before the command starts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateRun {
    /// The run's id, a UUIDv7 made by the caller, so that a repeated request creates nothing twice.
    /// Published clients leave it to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Why the command is run. Required, as are the setup and the command.
    #[serde(default)]
    pub intent: String,
    /// What it is run on and what is assumed.
    #[serde(default)]
    pub setup: String,
    /// The command as one shell string.
    #[serde(default)]
    pub command: String,
    /// Where it runs: an absolute path on the machine.
    #[serde(default)]
    pub working_directory: Option<String>,
    /// Paths and globs of files that the command should leave behind.
    #[serde(default, deserialize_with = "null_as_default")]
    pub expected_artifact_paths: Vec<String>,
    /// Paths and globs of log files that it should leave behind.
    #[serde(default, deserialize_with = "null_as_default")]
    pub expected_log_paths: Vec<String>,
    /// A short name to show.
    #[serde(default)]
    pub title: Option<String>,
    /// Words to find it by.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    /// When it was created, RFC 3339; sent by imports only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// The run that this one goes on from: `exp042` or a UUID. Sent by our own CLI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Who recorded it, such as `otrace 0.2.0`. Sent by our own CLI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorder: Option<String>,
}

/// `PATCH /v1/runs/{id}`: any of these; what is absent stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunOutcome {
    /// Where the run stands now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RunStatus>,
    /// The command's exit code; 128 + n after signal n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What the signal is called that ended it, such as `SIGKILL`. Sent by our own CLI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// How long it ran, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// When it started, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
}

/// A run as clients read it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Run {
    /// The run's UUID.
    pub id: Uuid,
    /// Its number in the project, `exp042`.
    pub experiment_id: ExperimentId,
    /// The number of the run that it goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ExperimentId>,
    /// A short name to show.
    pub title: Option<String>,
    /// Why the command was run.
    pub intent: String,
    /// What it was run on and what was assumed.
    pub setup: String,
    /// The command as one shell string.
    pub command: String,
    /// Where the run stands.
    pub status: RunStatus,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// When the run was recorded.
    #[serde(with = "time::serde::rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("format" = "date-time")))]
    pub created_at: OffsetDateTime,
    /// When anything about it last changed.
    #[serde(with = "time::serde::rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("format" = "date-time")))]
    pub updated_at: OffsetDateTime,
    /// When the command started.
    #[serde(with = "time::serde::rfc3339::option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend("format" = "date-time")))]
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend("format" = "date-time")))]
    pub finished_at: Option<OffsetDateTime>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// What the signal is called that ended it, where one did and the client said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// How long it ran, in seconds.
    pub duration_seconds: Option<f64>,
    /// Where it ran.
    pub working_directory: Option<String>,
    /// Paths and globs of files that it should have left behind.
    pub expected_artifact_paths: Vec<String>,
    /// Paths and globs of log files that it should have left behind.
    pub expected_log_paths: Vec<String>,
    /// Named values at the end.
    pub results: Vec<ResultValue>,
    /// Rows parsed from its outputs.
    pub tables: Vec<Table>,
    /// What it printed.
    pub logs: Vec<Log>,
    /// The files kept with it.
    pub artifacts: Vec<Artifact>,
    /// The state that it ran on.
    pub snapshot: Option<Snapshot>,
    /// What people and agents wrote on it.
    pub notes: Vec<Note>,
}

/// Something that a person or an agent wrote on a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Note {
    /// The note's id.
    pub id: Uuid,
    /// Who wrote it, as shown to people.
    pub author: String,
    /// Markdown.
    pub text: String,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("format" = "date-time")))]
    pub created_at: OffsetDateTime,
}
