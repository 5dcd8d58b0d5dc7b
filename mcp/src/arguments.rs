//! What the tools take. The comments here are what agents read of them.

use rmcp::schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::source::{Refusal, Result};

/// Reads a tool's arguments.
pub(crate) fn read<A: DeserializeOwned>(arguments: Map<String, Value>) -> Result<A> {
    serde_json::from_value(Value::Object(arguments))
        .map_err(|error| Refusal::new(format!("These arguments do not fit the tool's input schema: {error}.")))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct ListRuns {
    /// Only runs with this status: created, running, completed, failed or `capture_failed`.
    #[serde(default)]
    pub(crate) status: Option<String>,
    /// Only runs with all of these tags.
    #[serde(default)]
    pub(crate) tags: Option<Vec<String>>,
    /// created, started, finished, updated, number, duration, status, title, metrics.NAME or config.NAME; with a minus
    /// before it the highest come first. The newest come first unless told.
    #[serde(default)]
    pub(crate) sort: Option<String>,
    /// How many runs, 20 unless told, 100 at most. Fewer come where they would be too long.
    #[serde(default)]
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the answer before, with the other arguments as they were.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
    // As published clients offered it: taken, and not advertised.
    #[serde(default)]
    #[schemars(skip)]
    pub(crate) query: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchExperiments {
    /// The query, such as: status:failed metrics.accuracy > 0.9 NOT tag:old "free text"
    pub(crate) query: String,
    /// created, started, finished, updated, number, duration, status, title, metrics.NAME or config.NAME; with a minus
    /// before it the highest come first. The newest come first unless told.
    #[serde(default)]
    pub(crate) sort: Option<String>,
    /// How many runs, 20 unless told, 100 at most. Fewer come where they would be too long.
    #[serde(default)]
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the answer before, with the other arguments as they were.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    #[default]
    Overview,
    Results,
    Tables,
    State,
    Notes,
    Stdout,
    Stderr,
    Log,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct GetRun {
    /// The run: exp042, or its UUID.
    #[serde(alias = "run_id")]
    pub(crate) run: String,
    /// What of it: overview unless told; all results, tables, notes; state (commit, packages, machine); or what it
    /// printed (stdout, stderr), or the log file that path names (log).
    #[serde(default)]
    pub(crate) part: Option<Part>,
    /// The path of the log file; for part log alone.
    #[serde(default)]
    pub(crate) path: Option<String>,
    /// `next_cursor` of the answer before. Of stdout, stderr and log it is a byte offset, so that you may also begin
    /// anywhere.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct OneRun {
    /// The run: exp042, or its UUID.
    #[serde(alias = "run_id")]
    pub(crate) run: String,
    /// `next_cursor` of the answer before.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct ListArtifacts {
    /// The run: exp042, or its UUID.
    #[serde(alias = "run_id")]
    pub(crate) run: String,
    // As published clients offered it: taken, and not advertised.
    #[serde(default, rename = "type")]
    #[schemars(skip)]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    #[schemars(skip)]
    pub(crate) query: Option<String>,
    /// `next_cursor` of the answer before.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct DownloadArtifact {
    /// The run: exp042, or its UUID.
    #[serde(alias = "run_id")]
    #[schemars(required)]
    pub(crate) run: Option<String>,
    /// The artifact's path as `trace_list_artifacts` tells it.
    #[schemars(required)]
    pub(crate) path: Option<String>,
    /// `next_cursor` of the answer before.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
    // As published clients offered it, in the place of run and path: taken, and not advertised.
    #[serde(default)]
    #[schemars(skip)]
    pub(crate) artifact_id: Option<String>,
    #[serde(default)]
    #[schemars(skip)]
    pub(crate) output: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffRuns {
    /// The run to begin with: exp041, or its UUID.
    pub(crate) before: String,
    /// The run to compare it with: exp042, or its UUID.
    pub(crate) after: String,
    /// `next_cursor` of the answer before.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(rename_all = "snake_case")]
pub(crate) enum LedgerFormat {
    #[default]
    Jsonl,
    Markdown,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportLedger {
    /// jsonl (one object a run, in entries) unless told, or markdown (in text).
    #[serde(default)]
    pub(crate) format: Option<LedgerFormat>,
    /// `next_cursor` of the answer before.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct ValidateRunSpec {
    /// The RunSpec as an object: version (1), intent, setup, command (an array: the program and its arguments),
    /// `config_paths`, `expected_artifact_paths`, `expected_log_paths`, title, tags.
    pub(crate) spec: Map<String, Value>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct AddNote {
    /// The run: exp042, or its UUID.
    #[serde(alias = "run_id")]
    pub(crate) run: String,
    /// What to write, in Markdown, 64 KiB at most. Put #insight in it where it is worth remembering: it then stands on
    /// the project's insights page and in the notebook.
    pub(crate) text: String,
}
