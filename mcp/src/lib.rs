//! What agents are offered over MCP: the tools, what they are told about them, and how much one answer holds.
//!
//! The tools are here once. `otrace mcp` serves them on standard input and output and the server at `/mcp`, each over
//! a [`Source`] of its own: what they are fetched through. No network, no files, no clock.
//!
//! - [`source`] is what a place has to know; [`server`] speaks the protocol.
//! - `catalogue` names and describes the tools and leads to them; `arguments` is what they take.
//! - `budget` keeps answers short; the other modules make them.

mod arguments;
mod budget;
mod catalogue;
mod difference;
mod files;
mod ledger;
mod listing;
mod one_run;
mod run_spec;
pub mod server;
pub mod source;

pub use difference::compare;
pub use server::McpServer;
pub use source::{Download, FileOf, LogOf, Refusal, Result, RunsPage, RunsQuery, SavedFile, Source};
