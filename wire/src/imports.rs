//! Runs from elsewhere, which take their place among a project's runs all at once. Sent by our own CLI.
//!
//! An import is begun, its runs are staged in requests of their own, and nobody sees any of them until it is
//! committed. Every request may be repeated: the caller makes the ids of the import and of its runs.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::details::RunDetails;
use crate::experiment_id::ExperimentId;
use crate::run::{CreateRun, RunOutcome};

/// The most runs that one request stages.
pub const RUNS_AT_ONCE: usize = 500;
/// The most runs that an import has.
pub const RUNS_MAX: u32 = 50_000;

/// `POST /v1/imports`: runs are going to be staged.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BeginImport {
    /// The import's id, a UUIDv7 made by the caller.
    pub id: Uuid,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BegunImport {
    /// The import's id.
    pub id: Uuid,
    /// How many runs the project has that the import would replace: those that were recorded before it began.
    pub existing_runs: u64,
}

/// `POST /v1/imports/{id}/runs`: some of its runs. One that takes a position that is taken replaces the run there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StagedRuns {
    /// At most [`RUNS_AT_ONCE`].
    pub runs: Vec<StagedRun>,
}

/// A run with all that it left behind. Contents that are named by hash were sent to `/v1/contents` before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StagedRun {
    /// Its place among the import's runs, from 0: they get their numbers in this order.
    pub position: u32,
    /// What is known before a command starts. Here its `id` is required.
    pub run: CreateRun,
    /// How it went.
    #[serde(default)]
    pub outcome: RunOutcome,
    /// What it left behind.
    #[serde(default)]
    pub details: RunDetails,
}

/// `POST /v1/imports/{id}/commit`: the staged runs take their place.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommitImport {
    /// Whether the runs that were there when the import began are deleted, which can be undone.
    pub replace: bool,
    /// How many runs were staged: if there are not as many, nothing happens.
    pub runs: u32,
}

/// The answer. Until `is_committed`, the server is at it: ask again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportOutcome {
    /// Whether the runs have taken their place.
    pub is_committed: bool,
    /// How many have.
    #[serde(default)]
    pub imported: u32,
    /// How many were deleted for them.
    #[serde(default)]
    pub deleted: u32,
    /// The first of them, which the others follow without a gap.
    #[serde(default)]
    pub first: Option<ExperimentId>,
    /// The last of them.
    #[serde(default)]
    pub last: Option<ExperimentId>,
}
