//! Where each request goes, under the server's one base URL.
//!
//! The server's own URL table is `server/src/routes.rs`; a test holds the two together.

use crate::contents::Sha256Digest;

/// `GET`: who the key belongs to.
pub const WHOAMI: &str = "/v1/auth/whoami";
/// `PATCH`: which workspace speaks.
pub const WORKSPACE: &str = "/v1/projects/current/workspace";
/// `POST`: a machine wants to log in through the browser. No key.
pub const DEVICE_CODE: &str = "/v1/device/code";
/// `POST`: has that been approved? No key.
pub const DEVICE_TOKEN: &str = "/v1/device/token";
/// `POST`: whoever holds a key may end it. No key.
pub const KEYS_REVOKE: &str = "/v1/keys/revoke";
/// `POST`: a pass that reads the project's pages.
pub const PAGE_PASSES: &str = "/v1/page-passes";
/// `POST` a run, `GET` them all, `DELETE` them all.
pub const RUNS: &str = "/v1/runs";
/// `GET`: how many runs the project has.
pub const RUN_COUNT: &str = "/v1/runs/count";

/// `GET`, `PATCH`, `DELETE` one run, by UUID or `exp042`.
pub fn run(run: &str) -> String {
    format!("/v1/runs/{run}")
}

/// `PUT`: replaces the run's details.
pub fn run_details(run: &str) -> String {
    format!("/v1/runs/{run}/details")
}

/// `POST`: runs from elsewhere are going to be staged.
pub const IMPORTS: &str = "/v1/imports";

/// `DELETE`: gives an import up.
pub fn import(import: &str) -> String {
    format!("/v1/imports/{import}")
}

/// `POST` some of its runs.
pub fn import_runs(import: &str) -> String {
    format!("/v1/imports/{import}/runs")
}

/// `POST`: its runs take their place.
pub fn import_commit(import: &str) -> String {
    format!("/v1/imports/{import}/commit")
}

/// `GET`: one artifact with its content.
pub fn artifact_download(artifact: &str) -> String {
    format!("/v1/artifacts/{artifact}/download")
}

/// `POST` small contents, many at a time.
pub const CONTENTS: &str = "/v1/contents";
/// `POST`: which of these contents does the project lack?
pub const CONTENTS_LACKING: &str = "/v1/contents/lacking";
/// `POST`: these contents were put to the store directly.
pub const CONTENTS_ARRIVED: &str = "/v1/contents/arrived";

/// `PUT`: the parts that a content is made of.
pub fn content_parts(digest: &Sha256Digest) -> String {
    format!("/v1/contents/{}/parts", digest.hex())
}

/// `PUT`: one content, streamed, verified by its hash.
pub fn content(digest: &Sha256Digest) -> String {
    format!("/v1/contents/{}", digest.hex())
}

/// `POST` a piece of what the command prints, `GET` its bytes. `stream` is `stdout` or `stderr`.
pub fn run_log(run: &str, stream: &str) -> String {
    format!("/v1/runs/{run}/logs/{stream}")
}

/// `POST`: the run's machine is there.
pub fn run_heartbeat(run: &str) -> String {
    format!("/v1/runs/{run}/heartbeat")
}

/// `POST` points of its series, `GET` which there are.
pub fn run_series(run: &str) -> String {
    format!("/v1/runs/{run}/series")
}
