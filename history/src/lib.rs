//! What a project's runs tell: what changed between two of them, the notebook that they make together, and the ledger.
//!
//! Pure, and shared by the command line, the pages and the tools of agents, so that all of them tell the same: no
//! files, no network, no clock but for how long comparing texts may take. Otherwise what comes out depends on the runs
//! alone, byte for byte.

pub mod compare;
pub mod human;
pub mod ledger;
mod markdown;
pub mod notebook;
mod results;
#[cfg(test)]
mod sample;
pub mod text;
