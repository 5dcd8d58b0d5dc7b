//! What crosses the network between Trace's server and its clients, and nothing else.
//!
//! Serde types, paths, ids and error codes. No HTTP library, no database, no rules: those live in
//! the server's `domain` and in the CLI. The contract that published clients speak is described in
//! `docs/api.md`; fields that only our own CLI sends say so.

pub mod contents;
pub mod details;
pub mod device;
pub mod error;
pub mod experiment_id;
pub mod identity;
pub mod imports;
pub mod live;
mod null;
pub mod page_pass;
pub mod paths;
pub mod run;
pub mod run_status;
pub mod series;
pub mod version;

pub use contents::{Sha256Digest, StoredContent};
pub use details::{
    Artifact, Evidence, EvidenceBatch, Log, LogStream, ResultValue, RunDetails, Snapshot, SnapshotFile, Table,
};
pub use error::{ApiError, ErrorCode};
pub use experiment_id::ExperimentId;
pub use identity::{Whoami, WorkspaceSync};
pub use page_pass::PagePass;
pub use run::{CreateRun, Note, Run, RunOutcome};
pub use run_status::RunStatus;
