//! `otrace status`: which runs of this workspace the server lacks something of.

use std::process::ExitCode;

use serde_json::json;

use crate::args::StatusArgs;
use crate::error::Result;
use crate::printer;
use crate::spool::bound;
use crate::spool::unsent::{self, Unsent};
use crate::workspace::Workspace;

/// Prints them.
pub fn run(args: &StatusArgs) -> Result<ExitCode> {
    let workspace = Workspace::initialized()?;
    let (unsent, problems) = unsent::read(&workspace);
    for problem in problems {
        printer::warning(problem);
    }
    if let Some(warning) = bound::warning(&workspace) {
        printer::warning(warning);
    }
    if args.json {
        printer::json(&json!({ "unsent": unsent }))?;
    } else if unsent.is_empty() {
        printer::line("Everything is sent.");
    } else {
        for run in &unsent {
            print(run);
        }
        printer::line("`otrace sync` sends what is missing.");
    }
    printer::done()
}

fn print(run: &Unsent) {
    printer::line(format_args!("{}: {}", run.name, run.command));
    printer::line(format_args!("  Recorded: {}", run.recorded_at));
    printer::line(format_args!("  State: {}", run.state_in_words()));
    printer::line(format_args!("  Missing: {} ({})", run.missing.join(", "), printer::bytes(run.bytes)));
}
