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
