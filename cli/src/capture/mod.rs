//! What a run ran on and what it left behind, taken from this machine.
//!
//! Everything captured is copied into `.trace/` first and hashed on the way, so that what is sent
//! is what was there at that moment; but for [`large`] outputs. Nothing here talks to the server.

pub mod artifacts;
pub mod bundle;
mod committed_secrets;
pub mod dependencies;
pub mod expected;
pub mod gathering;
pub mod git;
pub mod large;
pub mod machine;
pub mod mark;
pub mod masked;
pub mod rebuild;
pub mod snapshot;
pub mod stored;
pub mod submodules;
pub mod untracked;
pub mod workspace_sync;
