//! JSON under `/v1`: what published clients and our own CLI speak (`docs/api.md`).
//!
//! Handlers are thin: extract, one service call, answer. Bodies are read by [`json`], answers and
//! errors are written by [`answer`].

pub mod answer;
pub mod artifacts;
pub mod contents;
pub mod devices;
pub mod health;
pub mod identity;
pub mod imports;
pub mod json;
pub mod keys;
pub mod live_logs;
pub mod notes;
pub mod openapi;
pub mod page_passes;
mod run_json;
pub mod runs;
pub mod series;
pub mod version;
