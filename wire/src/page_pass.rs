//! The project's pages, read by whoever holds its key: what `otrace ui` asks for.
//!
//! Our own CLI's addition. What holds a secret has no `Debug`, so that it comes into no log.

use serde::{Deserialize, Serialize};

use crate::identity::WhoamiProject;

/// `POST /v1/page-passes`: a pass that reads the pages of the key's project, as a viewer would.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PagePass {
    /// What a request for a page proves itself with, as `Authorization: Bearer`. A secret.
    pub page_pass: String,
    /// How long it is good, unless the key ends sooner.
    pub expires_in_seconds: u64,
    /// The project whose pages it opens.
    pub project: WhoamiProject,
}
