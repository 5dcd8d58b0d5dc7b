//! The `otrace-server` binary: reads the command line and hands over to [`otrace_server::commands`].

use std::process::ExitCode;

use clap::Parser;
use otrace_server::commands::{self, Arguments};

fn main() -> ExitCode {
    commands::run(Arguments::parse())
}
