//! What is sent while a command runs. Our own CLI's addition.

use serde::{Deserialize, Serialize};

/// The answer to a piece of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogAppended {
    /// Where the server's copy of the stream ends, in bytes: the client goes on from there.
    pub next_offset: u64,
}

/// The answer to a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heartbeat {
    /// How soon the server wants to hear of the run again, in seconds.
    pub interval_seconds: u64,
}
