//! What a run printed.

use otrace_wire::{LogStream, Sha256Digest};
use time::OffsetDateTime;

/// What a run printed, or a log file that it wrote. Its bytes are a blob.
#[derive(Clone, Debug)]
pub struct Log {
    /// Its place among the run's logs, from 0; names it within the run.
    pub position: i32,
    /// Which stream it is.
    pub stream: LogStream,
    /// The file's path in the workspace.
    pub path: Option<String>,
    /// Its size in bytes.
    pub size_bytes: i64,
    /// The hash of its bytes in the store; `None` where they are not stored.
    pub sha256: Option<Sha256Digest>,
    /// When the client captured it.
    pub captured_at: Option<OffsetDateTime>,
}
