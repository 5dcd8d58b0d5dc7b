//! Runs as they are described before they start: their files ([`file`]), and what is shown of them ([`preview`]).
//!
//! What a description may say is in `otrace-run-spec`, which the tools of agents share.

pub mod file;
pub mod preview;

use otrace_run_spec::Mistakes;
pub use otrace_run_spec::RunSpec;

use crate::error::Error;

/// All of them on one line.
impl From<Mistakes> for Error {
    fn from(mistakes: Mistakes) -> Self {
        Self::new(mistakes.to_string())
    }
}
