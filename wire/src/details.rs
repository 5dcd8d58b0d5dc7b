//! What a run left behind: artifacts, results, tables, logs, and the snapshot it ran on.

mod hardware;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::contents::Sha256Digest;
use crate::null::null_as_default;

pub use hardware::{Gpu, Hardware};

/// `PUT /v1/runs/{id}/details`: replaces everything that the run left behind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunDetails {
    /// The files kept with the run.
    #[serde(default, deserialize_with = "null_as_default")]
    pub artifacts: Vec<Artifact>,
    /// Named values at its end.
    #[serde(default, deserialize_with = "null_as_default")]
    pub results: Vec<ResultValue>,
    /// Rows parsed from its outputs.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tables: Vec<Table>,
    /// What it printed.
    #[serde(default, deserialize_with = "null_as_default")]
    pub logs: Vec<Log>,
    /// The state that it ran on.
    #[serde(default)]
    pub snapshot: Option<Snapshot>,
}

/// A file kept with a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Artifact {
    /// The server's id of it; given out by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The run that it belongs to; said by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    /// The client's own id of it.
    #[serde(default)]
    pub local_artifact_id: Option<String>,
    /// Its path in the workspace.
    #[serde(default)]
    pub original_path: Option<String>,
    /// Where the client keeps its copy.
    #[serde(default)]
    pub stored_path: Option<String>,
    /// `metrics`, `figure`, `log`, `config`, `artifact`, `checkpoint`, `other`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Its size in bytes.
    #[serde(default)]
    pub size_bytes: Option<i64>,
    /// `sha256:…` of its content.
    #[serde(default)]
    pub hash: Option<String>,
    /// Its media type.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Its content, inline; null where it is not stored, or was sent to `/v1/contents` before.
    #[serde(default)]
    pub content_base64: Option<String>,
    /// Its content as text; null where it is not UTF-8.
    #[serde(default)]
    pub text_content: Option<String>,
    /// When the client captured it, RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// When its content was deleted by a rule of the project, RFC 3339; said by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_deleted_at: Option<String>,
    /// That rule, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_deleted_by: Option<String>,
}

/// A named value at the end of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResultValue {
    /// `scalar`.
    #[serde(default)]
    pub kind: Option<String>,
    /// What it measures, such as `accuracy`.
    #[serde(default)]
    pub name: Option<String>,
    /// Any JSON scalar.
    #[serde(default)]
    pub value: Value,
    /// The file that it was read from.
    #[serde(default)]
    pub source_path: Option<String>,
    /// The line that it was read from, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// The row that it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_index: Option<i64>,
    /// The column that it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column_name: Option<String>,
    /// The table that it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_index: Option<i64>,
    /// `row_index`, as published clients send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<i64>,
    /// `column_name`, as published clients send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// `table_index`, as published clients send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<i64>,
    /// Whatever else the client wants kept.
    #[serde(default)]
    pub metadata: Option<Map<String, Value>>,
}

/// Rows parsed from an output.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Table {
    /// The file that it was read from.
    #[serde(default)]
    pub source_path: Option<String>,
    /// Which table of that file it is, from 1.
    #[serde(default)]
    pub table_index: Option<i64>,
    /// A name to show.
    #[serde(default)]
    pub title: Option<String>,
    /// The columns' names, in order.
    #[serde(default, deserialize_with = "null_as_default")]
    pub columns: Vec<String>,
    /// The rows, each an object from column to value.
    #[serde(default, deserialize_with = "null_as_default")]
    pub rows: Vec<Value>,
    /// How many rows the table has.
    #[serde(default)]
    pub row_count: Option<i64>,
    /// How many columns it has.
    #[serde(default)]
    pub column_count: Option<i64>,
    /// Whatever else the client wants kept, such as `{"format": "csv"}`.
    #[serde(default)]
    pub metadata: Option<Map<String, Value>>,
}

/// What a run printed, or a log file that it wrote.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Log {
    /// Which stream it is.
    #[serde(default)]
    pub stream: LogStream,
    /// The file's path in the workspace.
    #[serde(default)]
    pub path: Option<String>,
    /// Its size in bytes.
    #[serde(default)]
    pub size_bytes: Option<i64>,
    /// Its text, inline; null where it was sent to `/v1/contents` before.
    #[serde(default)]
    pub text_content: Option<String>,
    /// `sha256:…` of its bytes. Sent by our own CLI in place of `text_content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Sha256Digest>,
    /// When the client captured it, RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// When parts of it were printed: of each, how many bytes after the one before it begins, and how many microseconds
    /// later it came; the first counts from byte 0 and from 1970 on. Where both streams have them, they can be read as
    /// one. Sent by our own CLI, and not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Vec<[i64; 2]>>,
}

/// Where a log comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// The command's standard output.
    Stdout,
    /// The command's standard error.
    Stderr,
    /// A log file. Streams of other names are read as this.
    #[default]
    #[serde(other)]
    Log,
}

impl LogStream {
    /// The stream as it is written in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Log => "log",
        }
    }
}

/// The state that a command ran on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// The commit that was checked out; null outside a git repository or before its first commit.
    #[serde(default)]
    pub git_commit: Option<String>,
    /// The branch that was checked out. Sent by our own CLI.
    #[serde(default)]
    pub git_branch: Option<String>,
    /// `remote.origin.url`. Sent by our own CLI.
    #[serde(default)]
    pub git_remote_url: Option<String>,
    /// Whether anything was changed and not committed. Sent by our own CLI.
    #[serde(default)]
    pub git_dirty: Option<bool>,
    /// Where the client keeps the diff of what was not staged.
    #[serde(default)]
    pub dirty_diff_path: Option<String>,
    /// Where it keeps the diff of what was staged.
    #[serde(default)]
    pub staged_diff_path: Option<String>,
    /// The dependency files that were there, such as `requirements.txt`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub dependency_files: Vec<String>,
    /// Where the client keeps its copies of them.
    #[serde(default, deserialize_with = "null_as_default")]
    pub dependency_file_copies: Vec<String>,
    /// The version of the Python that `python3` is.
    #[serde(default)]
    pub python_version: Option<String>,
    /// The machine, such as `Linux-6.8-x86_64`.
    #[serde(default)]
    pub platform: Option<String>,
    /// The machine's name. Sent by our own CLI.
    #[serde(default)]
    pub hostname: Option<String>,
    /// `sha256:…` of `requirements.txt`.
    #[serde(default)]
    pub requirements_hash: Option<String>,
    /// Where the client keeps what the command printed.
    #[serde(default)]
    pub stdout_log_path: Option<String>,
    /// Where it keeps what the command printed as errors.
    #[serde(default)]
    pub stderr_log_path: Option<String>,
    /// The files that were there at the end: `[{original_path, stored_path, type, size_bytes}]`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub observed_artifacts: Vec<Value>,
    /// The paths that were declared and not there, and what is not all there: `[{path, type, reason}]`, the reason
    /// where there is more to say than that nothing was found.
    #[serde(default, deserialize_with = "null_as_default")]
    pub missing_expected_paths: Vec<Value>,
    /// The beginnings of its outputs, to read at a glance.
    #[serde(default, deserialize_with = "null_as_default")]
    pub evidence: Vec<Evidence>,
    /// The diffs, bundles and other files themselves, sent to `/v1/contents` before. Sent by our own CLI.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SnapshotFile>,
    /// How well this state can be got back, and what that takes. Sent by our own CLI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<Rebuild>,
    /// The machine's processors, memory and graphics cards. Sent by our own CLI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
}

/// A file that belongs to the state that a command ran on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SnapshotFile {
    /// `dirty_diff`, `staged_diff`, `git_bundle`, `untracked`, `dependency` or `packages`.
    pub kind: String,
    /// Its path in the workspace; of an untracked file, from the repository's top.
    pub path: String,
    /// `sha256:…` of its content.
    pub hash: Sha256Digest,
    /// Its size in bytes.
    pub size_bytes: i64,
}

/// How well the state that a command ran on can be got back, and what that takes besides the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rebuild {
    /// In a word.
    #[serde(default)]
    pub how_well: HowWell,
    /// Why not fully: clauses that can follow "because".
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Where in the repository the workspace is; nothing at its top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The Python whose packages are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// Those of the untracked files that can be executed.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub executable: Vec<String>,
    /// Untracked files that were not kept; the first of them, where there are many.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// The repositories within the repository.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub submodules: Vec<Submodule>,
}

/// How well a state can be got back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HowWell {
    /// All of the code is known.
    Fully,
    /// What the rest stands on is missing.
    No,
    /// Some of it is missing. Words that are not known are read as this.
    #[default]
    #[serde(other)]
    Partly,
}

/// An untracked file that was not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// Its path from the repository's top.
    #[serde(default)]
    pub path: String,
    /// Its size in bytes, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// Why, as a clause that can follow "because".
    #[serde(default)]
    pub reason: String,
}

/// A repository within the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Submodule {
    /// Its path from the repository's top.
    #[serde(default)]
    pub path: String,
    /// The commit that was checked out.
    #[serde(default)]
    pub commit: String,
    /// Whether anything in it was changed and not committed.
    #[serde(default)]
    pub dirty: bool,
}

/// The beginning of an output, to read at a glance.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Evidence {
    /// The file that it comes from.
    #[serde(default)]
    pub source_path: Option<String>,
    /// The file's type, as an artifact's.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Its first characters.
    #[serde(default)]
    pub snippet: Option<String>,
}

/// `POST /v1/runs/{id}/evidence`: adds to the snapshot's evidence.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EvidenceBatch {
    /// What to add.
    #[serde(default, deserialize_with = "null_as_default")]
    pub evidence: Vec<Evidence>,
}
