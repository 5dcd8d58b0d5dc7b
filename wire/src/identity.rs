//! Who a key belongs to, and which workspace speaks.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// `GET /v1/auth/whoami`: who the key belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Whoami {
    /// The account that made the key.
    pub account: WhoamiAccount,
    /// The one project that the key reaches.
    pub project: WhoamiProject,
    /// The key itself, as far as it may be shown.
    pub api_key: WhoamiKey,
}

/// The account that made a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhoamiAccount {
    /// Its e-mail address.
    pub email: String,
}

/// The project that a key belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhoamiProject {
    /// The project's id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its name in URLs. Absent from the hosted product's answers.
    #[serde(default)]
    pub slug: String,
}

/// A key, as far as it may be shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhoamiKey {
    /// Its first characters, such as `trc_5hQm`.
    pub prefix: String,
}

/// `PATCH /v1/projects/current/workspace`: a directory on some machine in which `otrace init` was run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorkspaceSync {
    /// The project to sync with; absent or null: the key's own.
    #[serde(default)]
    pub project_id: Option<String>,
    /// The directory's name.
    pub workspace_name: String,
    /// The directory's absolute path on its machine.
    pub working_directory: String,
    /// The version of the client.
    #[serde(default)]
    pub cli_version: Option<String>,
    /// The version of the Python that `python3` is.
    #[serde(default)]
    pub python_version: Option<String>,
    /// The machine, such as `Linux-6.8-x86_64`.
    #[serde(default)]
    pub platform: Option<String>,
    /// Whatever else the client wants kept.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// `remote.origin.url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_remote_url: Option<String>,
    /// The commit that is checked out, 40 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<String>,
    /// Whether anything is changed and not committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_dirty: Option<bool>,
}
